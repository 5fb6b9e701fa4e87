"""What the functions take as a sender, and what Pulumi makes of one on its way."""

from __future__ import annotations

import re

from config_types import shown

# A number, a short code, a messaging service, a channel's address, an alphanumeric id.
FORMS = re.compile(
    r"\+[1-9][0-9]{6,14}|[0-9]{3,8}|MG[0-9a-fA-F]{32}|whatsapp:\+[1-9][0-9]{6,14}|(rcs|messenger):[A-Za-z0-9._@-]{1,64}"
    r"|(?=.*[A-Za-z])[A-Za-z0-9_&-]([A-Za-z0-9 +_&-]{0,9}[A-Za-z0-9+_&-])?"
)
RULE = (
    "a sender: a number in E.164 form (+15551234567), a short code of 3 to 8 digits, an alphanumeric id of at most 11, "
    "a messaging service (MG…) or a channel's address (whatsapp:+15551234567)"
)


def sender(value: object) -> str:
    """Below `connections`, `pulumi config set --path` makes a whole number of `+15551234567`; its plus is given
    back."""
    plain = value if isinstance(value, str) else ""
    if isinstance(value, int) and not isinstance(value, bool):
        digits = str(value)
        if len(digits) in (7, 8):
            raise ValueError(
                f"{digits} may be a short code or a number that lost its +; set it once more with --type string"
            )
        plain = f"+{digits}" if len(digits) > 8 else digits
    if not FORMS.fullmatch(plain):
        raise ValueError(f"{shown(value)} is not {RULE}")
    return plain
