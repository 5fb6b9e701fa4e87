"""What the functions take as a sender, and what Pulumi makes of one on its way."""

from __future__ import annotations

from pydantic_core import PydanticCustomError

# A number, a short code, a messaging service, a channel's address, an alphanumeric id.
FORMS = (
    r"\+[1-9][0-9]{6,14}|[0-9]{3,8}|MG[0-9a-fA-F]{32}|whatsapp:\+[1-9][0-9]{6,14}|(rcs|messenger):[A-Za-z0-9._@-]{1,64}"
    r"|(?=.*[A-Za-z])[A-Za-z0-9_&-]([A-Za-z0-9 +_&-]{0,9}[A-Za-z0-9+_&-])?"
)
SENDER_RULE = (
    "a sender: a number in E.164 form (+15551234567), a short code of 3 to 8 digits, an alphanumeric id of at most 11, "
    "a messaging service (MG…) or a channel's address (whatsapp:+15551234567)"
)


def channel_of(address: str) -> str:
    """Return the channel of a sender's address, "" for SMS."""
    return address.rpartition(":")[0]


def with_plus(value: object) -> object:
    """Give a whole number its plus back: `pulumi config set --path` makes one of `+15551234567` below `connections`."""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if len(str(value)) in (7, 8):
        problem = f"{value} may be a short code or a number that lost its +; set it once more with --type string"
        raise PydanticCustomError("own", "{problem}", {"problem": problem})
    return f"+{value}" if len(str(value)) > 8 else str(value)
