"""The credentials for Twilio: the account, and an auth token or an API key.

Twilio authenticates by HTTP Basic. The user is the account SID with its auth token, or an API key SID with its secret;
the path names the account in both cases. An API key is preferred where there is one: it can be revoked alone. The auth
token is still needed beside it for callbacks, which only it signs.
Source: https://www.twilio.com/docs/usage/requests-to-twilio, https://www.twilio.com/docs/usage/security
"""

from __future__ import annotations

import re
from base64 import b64encode

import msgspec

from sms_connector.errors import CredentialsMissing
from sms_connector.ports import Secret, SecretSource

# These are names, not values.
ACCOUNT_SID = "account-sid"
AUTH_TOKEN = "auth-token"  # noqa: S105
AUTH_TOKEN_PREVIOUS = "auth-token-previous"  # noqa: S105
API_KEY_SID = "api-key-sid"
API_KEY_SECRET = "api-key-secret"  # noqa: S105
SIGNING_KEY = "signing-key"

# Every secret this provider may read; what is required follows from `problems`.
SECRET_NAMES: tuple[str, ...] = (ACCOUNT_SID, AUTH_TOKEN, API_KEY_SID, API_KEY_SECRET, AUTH_TOKEN_PREVIOUS, SIGNING_KEY)

# The secrets a callback may be signed with: the token, the one before it while a rotation overlaps, and the secret of a
# webhook SharedKey (public beta, https://www.twilio.com/docs/usage/webhooks/webhook-settings).
CALLBACK_SECRETS = (AUTH_TOKEN, AUTH_TOKEN_PREVIOUS, SIGNING_KEY)

# Twilio's SIDs are two letters and 32 hexadecimal digits; tokens and key secrets have no documented form.
_FORMS = {
    ACCOUNT_SID: (re.compile(r"AC[0-9a-fA-F]{32}"), "'AC' and 32 hexadecimal digits"),
    API_KEY_SID: (re.compile(r"SK[0-9a-fA-F]{32}"), "'SK' and 32 hexadecimal digits"),
}
_ANY_FORM = (re.compile(r"[!-~]+"), "printable ASCII characters without spaces or line ends")


class Account(msgspec.Struct, frozen=True):
    """Credentials ready for use: `authorization` is the whole header value."""

    sid: str
    authorization: str
    by_api_key: bool = False

    def __repr__(self) -> str:
        return f"Account({self.sid})"


class Credentials:
    """Reads the secrets at each use, so that a rotation is seen without a restart."""

    def __init__(self, secrets: SecretSource) -> None:
        self._secrets = secrets
        self._last: tuple[tuple[str, str, str], Account] | None = None

    def read(self) -> Account:
        """Return the account of the present secrets. Raises CredentialsMissing naming what is missing."""
        values = self._values()
        last = self._last
        if last is not None and last[0] == values:
            return last[1]
        account = _account(values)
        self._last = (values, account)
        return account

    def reread(self) -> Account:
        """Read the account past every cache, after a 401."""
        self._secrets.refresh()
        return self.read()

    def callback_secrets(self) -> list[str]:
        """Return the secrets a callback may be signed with, the current one first. Raises CredentialsMissing without
        that one."""
        values = {name: value for name in CALLBACK_SECRETS if (value := self._secrets.get(name))}
        if AUTH_TOKEN not in values:
            raise CredentialsMissing("; ".join(problems(self._secrets, callbacks=True)))
        return list(values.values())

    def _values(self) -> tuple[str, str, str]:
        get = self._secrets.get
        sid = get(ACCOUNT_SID)
        user, password = key_of(get(API_KEY_SID), get(API_KEY_SECRET) or "")
        if not (user and password):
            user, password = sid or "", get(AUTH_TOKEN) or ""
        if sid and user and password:
            return sid, user, password
        raise CredentialsMissing("; ".join(problems(self._secrets)))


def key_of(sid: str | None, secret: str) -> tuple[str, str]:
    """Return an API key's SID and secret. While a key is rotated its secret holds both, so that nobody pairs the parts
    of two keys (`rotation`)."""
    own, colon, rest = secret.partition(":")
    return (own, rest) if colon and _FORMS[API_KEY_SID][0].fullmatch(own) else (sid or "", secret)


def _account(values: tuple[str, str, str]) -> Account:
    sid, user, password = values
    token = b64encode(f"{user}:{password}".encode()).decode()
    return Account(sid, Secret(f"Basic {token}"), by_api_key=user != sid)


def problems(secrets: SecretSource, *, callbacks: bool = False) -> list[str]:
    """Return the problems of the secrets: which, where it was looked for, what is allowed; never a value.

    `callbacks`: Twilio's callbacks will be verified, which takes the auth token.
    """
    found = {name: value for name in SECRET_NAMES if (value := secrets.get(name))}
    return _missing(secrets, set(found), callbacks) + _malformed(secrets, found)


def _missing(secrets: SecretSource, found: set[str], callbacks: bool) -> list[str]:
    def missing(name: str, fix: str) -> str:
        return f"secret {name!r} is missing (looked at {secrets.where(name)}); {fix}"

    key = {API_KEY_SID, API_KEY_SECRET}
    lines = [] if ACCOUNT_SID in found else [missing(ACCOUNT_SID, f"it is {_FORMS[ACCOUNT_SID][1]}")]
    if len(key & found) == 1:
        (absent,), (present,) = key - found, key & found
        lines.append(missing(absent, f"{present!r} is of no use without it"))
    elif not key & found and AUTH_TOKEN not in found:
        instead = f"{API_KEY_SID!r} and {API_KEY_SECRET!r} (looked at {secrets.where(API_KEY_SID)})"
        lines.append(missing(AUTH_TOKEN, f"give it, or {instead}"))
    elif callbacks and AUTH_TOKEN not in found:
        lines.append(missing(AUTH_TOKEN, "an API key authenticates calls, but only the auth token verifies callbacks"))
    return lines


def _malformed(secrets: SecretSource, found: dict[str, Secret]) -> list[str]:
    wrong = []
    for name, value in found.items():
        form, allowed = _FORMS.get(name, _ANY_FORM)
        if not form.fullmatch(value):
            wrong.append(f"secret {name!r} is not {allowed} (looked at {secrets.where(name)}){_mixed_up(value)}")
    return wrong


def _mixed_up(value: str) -> str:
    for name, (form, _) in _FORMS.items():
        if form.fullmatch(value):
            return f"; it looks like a value for {name!r}"
    return ""
