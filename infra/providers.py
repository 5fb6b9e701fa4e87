"""What infrastructure has to know of each provider: its secrets, and whether its address has to be said. A new provider
is one row.

The functions know a secret by its file name (`auth-token`), the stack configuration by the same name in camel case
(`authToken`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

SENDERS = ("connector", "worker")
# Callbacks are checked, applied and posted where the queue `events` brings them: by the connector alone.
CALLBACKS = ("connector",)


def key_of(name: str) -> str:
    """Return a secret's key in the stack configuration: `authToken` of `auth-token`."""
    first, *rest = name.split("-")
    return first + "".join(word.capitalize() for word in rest)


class Origin(Enum):
    """Where the first value of a secret comes from."""

    OWNER = "the configuration, or a version added by hand"
    MADE = "made at deployment"


@dataclass(frozen=True, slots=True)
class SecretSpec:
    """One secret of a connection.

    `required`: without a value the connection can't work, and the outputs say so. `rotates`: it is a credential that
    should change, so Secret Manager sends notices. `readers` are the functions that use it. `previous` names the secret
    that takes the value before, while a rotation overlaps; `prefix` begins every right value; without the secret `pair`
    it is of no use.
    """

    name: str
    meaning: str
    required: bool = False
    rotates: bool = False
    origin: Origin = Origin.OWNER
    readers: tuple[str, ...] = SENDERS
    previous: str = ""
    prefix: str = ""
    pair: str = ""

    @property
    def key(self) -> str:
        return key_of(self.name)


@dataclass(frozen=True, slots=True)
class Provider:
    """`needs_url`: the provider has no address of its own for everybody (an account's own host, a region's)."""

    secrets: tuple[SecretSpec, ...]
    needs_url: bool = False


def _previous(name: str, meaning: str, readers: tuple[str, ...], *, prefix: str = "") -> SecretSpec:
    """Its first value is random, so it matches nothing. It is there from the start because a rotation must not need a
    deployment: a secret that has no version can't be mounted."""
    return SecretSpec(name, meaning, origin=Origin.MADE, readers=readers, prefix=prefix)


USERNAME = SecretSpec("username", "user name of the provider's API", required=True)
PASSWORD = SecretSpec("password", "password of the provider's API", required=True, rotates=True)
API_KEY = SecretSpec("api-key", "key of the provider's API", required=True, rotates=True)

DEFAULT = "twilio"
PROVIDERS: Mapping[str, Provider] = {
    "twilio": Provider(
        (
            SecretSpec("account-sid", "the account, 'AC…'", required=True, prefix="AC"),
            SecretSpec(
                "auth-token",
                "signs callbacks, and calls without an API key",
                required=True,
                rotates=True,
                previous="auth-token-previous",
            ),
            SecretSpec("api-key-sid", "the API key that signs calls, 'SK…'", prefix="SK", pair="api-key-secret"),
            SecretSpec("api-key-secret", "secret of that API key", rotates=True, pair="api-key-sid"),
            SecretSpec("signing-key", "secret of a webhook signing key, where the account uses one", readers=CALLBACKS),
            _previous("auth-token-previous", "still accepted on callbacks while a rotation overlaps", CALLBACKS),
        )
    ),
    "azure": Provider(
        (SecretSpec("access-key", "access key of the resource", required=True, rotates=True),), needs_url=True
    ),
    "infobip": Provider((API_KEY,), needs_url=True),
    "link-mobility": Provider((USERNAME, PASSWORD), needs_url=True),
    "telesign": Provider((SecretSpec("customer-id", "the account", required=True), API_KEY)),
    "vibes": Provider((USERNAME, PASSWORD)),
    "custom": Provider(
        (
            SecretSpec("api-key", "key that the channel is called with", rotates=True),
            SecretSpec("username", "user name that the channel is called with"),
            SecretSpec("password", "password that the channel is called with", rotates=True),
        ),
        needs_url=True,
    ),
}

# As Standard Webhooks writes a secret: receivers hand it to their library as it is.
# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
STANDARD_WEBHOOKS = "whsec_"

# Every connection's own, whatever its provider.
OWN_SECRETS = (
    SecretSpec(
        "webhook-key",
        "keys the digests in callback URLs",
        required=True,
        origin=Origin.MADE,
        readers=(*SENDERS, "webhook"),
        previous="webhook-key-previous",
    ),
    _previous(
        "webhook-key-previous", "still accepted in callback URLs while a rotation overlaps", (*CALLBACKS, "webhook")
    ),
    SecretSpec(
        "callback-secret",
        "signs the results that are posted to callback URLs",
        required=True,
        origin=Origin.MADE,
        readers=CALLBACKS,
        previous="callback-secret-previous",
        prefix=STANDARD_WEBHOOKS,
    ),
    _previous(
        "callback-secret-previous", "signs beside it while receivers change over", CALLBACKS, prefix=STANDARD_WEBHOOKS
    ),
)
PROXY_SECRETS = (
    SecretSpec("proxy-username", "user name at the proxy", required=True),
    SecretSpec("proxy-password", "password at the proxy", required=True, rotates=True),
)
CA_CERTIFICATES = SecretSpec("ca-certificates", "certificate authorities trusted beside the public ones", required=True)


def rotating_secrets() -> tuple[str, ...]:
    """Return every secret that notices are sent for, over all providers."""
    specs = [*(s for p in PROVIDERS.values() for s in p.secrets), *OWN_SECRETS, *PROXY_SECRETS]
    return tuple(sorted({spec.name for spec in specs if spec.rotates}))


def configured_secrets() -> tuple[SecretSpec, ...]:
    """Return each secret that the configuration may give, over all providers; of equal keys the first provider's."""
    owned = [s for p in PROVIDERS.values() for s in p.secrets if s.origin is Origin.OWNER]
    return tuple({spec.key: spec for spec in (*owned, *PROXY_SECRETS)[::-1]}.values())[::-1]
