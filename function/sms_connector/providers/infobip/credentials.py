"""The credentials for Infobip: an API key for calls; a user name and password where callbacks come with HTTP Basic.

`Authorization: App {key}`:
https://www.infobip.com/docs/developer-resources/authentication-and-access/api-authentication
A key can't manage keys: `/settings/2/api-keys` takes Basic, IBSSO and OAuth 2 only (`security` of those operations in
Infobip's OpenAPI description).
"""

from __future__ import annotations

from sms_connector.ports import Secret, SecretSource
from sms_connector.providers.common import missing, required

# These are names, not values.
API_KEY = "api-key"
WEBHOOK_USERNAME = "webhook-username"
WEBHOOK_PASSWORD = "webhook-password"  # noqa: S105
WEBHOOK_PASSWORD_PREVIOUS = "webhook-password-previous"  # noqa: S105
SECRET_NAMES = (API_KEY, WEBHOOK_USERNAME, WEBHOOK_PASSWORD, WEBHOOK_PASSWORD_PREVIOUS)
CALLBACK_PASSWORDS = (WEBHOOK_PASSWORD, WEBHOOK_PASSWORD_PREVIOUS)

_SCHEME = "App "


def authorization(secrets: SecretSource) -> Secret:
    """Return the header value. Raises CredentialsMissing."""
    return Secret(_SCHEME + required(secrets, API_KEY))


def problems(secrets: SecretSource) -> list[str]:
    """Return the problems of the secrets: which, where it was looked for, what is allowed; never a value."""
    key, found = secrets.get(API_KEY), []
    if not key:
        found.append(missing(secrets, API_KEY))
    elif not (key.isascii() and key.isprintable() and " " not in key):
        hint = f"; write it without {_SCHEME.strip()!r}" if key.startswith(_SCHEME) else ""
        where = secrets.where(API_KEY)
        found.append(f"secret {API_KEY!r} is not printable ASCII without spaces (looked at {where}){hint}")
    pair = (WEBHOOK_USERNAME, WEBHOOK_PASSWORD)
    absent = [name for name in pair if not secrets.get(name)]
    if len(absent) == 1:
        (present,) = set(pair) - set(absent)
        found.append(f"{missing(secrets, absent[0])}; {present!r} is of no use without it")
    return found
