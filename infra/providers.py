"""What infrastructure has to know of each provider: its secrets, its address, its options. A new provider is one entry
of `PROVIDERS`.

The functions know a secret by its file name (`auth-token`), the stack configuration by the same name in camel case
(`authToken`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from pydantic.alias_generators import to_camel

SENDERS = ("connector", "worker")
# Callbacks are checked, applied and posted where the queue `events` brings them: by the connector alone.
CALLBACKS = ("connector",)


def key_of(name: str) -> str:
    """Return a secret's key in the stack configuration: `authToken` of `auth-token`."""
    return to_camel(name.replace("-", "_"))


class Origin(Enum):
    """Where the first value of a secret comes from."""

    OWNER = "the configuration, or a version added by hand"
    MADE = "made at deployment"


@dataclass(frozen=True, slots=True)
class SecretSpec:
    """One secret of a connection.

    `required`: without a value the connection can't work, and the outputs say so. `rotates`: it is a credential that
    should change, so Secret Manager sends notices. `readers` are the functions that use it. `previous` names the secret
    that takes the value before, while a rotation overlaps; `prefix` begins every right value.
    """

    name: str
    meaning: str
    required: bool = False
    rotates: bool = False
    origin: Origin = Origin.OWNER
    readers: tuple[str, ...] = SENDERS
    previous: str = ""
    prefix: str = ""

    @property
    def key(self) -> str:
        return key_of(self.name)


@dataclass(frozen=True, slots=True)
class Option:
    """One name of a provider's options: `values` are the only ones, else `form` is a pattern of theirs."""

    values: tuple[str, ...] = ()
    form: str = "[!-~]{1,255}"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider.

    `secrets` are all it has: those for calls, those that only callbacks need, and those of a value before. `logins` are
    groups of them, by name, of which one that is complete is enough; the first is the usual one. Without `url`, the
    address that is the same for everybody, `providerUrl` is required. `options` are the names SMS_PROVIDER_OPTIONS may
    have.
    """

    secrets: tuple[SecretSpec, ...]
    logins: tuple[tuple[str, ...], ...] = ()
    url: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)

    @property
    def owned(self) -> tuple[SecretSpec, ...]:
        """The secrets whose values the owner gives."""
        return tuple(spec for spec in self.secrets if spec.origin is Origin.OWNER)

    def lacking(self, present: Collection[str]) -> frozenset[str]:
        """Return what is missing of the login that is nearest to complete, if none is."""
        rest = [frozenset(login).difference(present) for login in self.logins]
        return min(rest, key=len, default=frozenset())


def _overlapping(spec: SecretSpec, meaning: str, readers: tuple[str, ...]) -> tuple[SecretSpec, SecretSpec]:
    """Return a secret with the one of its value before, whose first value is random, so it matches nothing. It is there
    from the start because a rotation must not need a deployment: a secret that has no version can't be mounted."""
    previous = SecretSpec(f"{spec.name}-previous", meaning, origin=Origin.MADE, readers=readers, prefix=spec.prefix)
    return replace(spec, previous=previous.name), previous


USERNAME = SecretSpec("username", "user name of the provider's API", required=True)
PASSWORD = SecretSpec("password", "password of the provider's API", required=True, rotates=True)
API_KEY = SecretSpec("api-key", "key of the provider's API", required=True, rotates=True)

DEFAULT = "twilio"
PROVIDERS: Mapping[str, Provider] = {
    "twilio": Provider(
        secrets=(
            SecretSpec("account-sid", "the account, 'AC…'", required=True, prefix="AC"),
            *_overlapping(
                # Beside an API key too: callbacks are signed with it (https://www.twilio.com/docs/usage/security).
                SecretSpec("auth-token", "signs callbacks, and calls without an API key", required=True, rotates=True),
                "still accepted on callbacks while a rotation overlaps",
                CALLBACKS,
            ),
            SecretSpec("api-key-sid", "the API key that signs calls, 'SK…'", prefix="SK"),
            SecretSpec("api-key-secret", "secret of that API key", rotates=True),
            SecretSpec("signing-key", "secret of a webhook signing key, where the account uses one", readers=CALLBACKS),
        ),
        logins=(("auth-token",), ("api-key-sid", "api-key-secret")),
        url="https://api.twilio.com",
    ),
    "azure": Provider((SecretSpec("access-key", "access key of the resource", required=True, rotates=True),)),
    "infobip": Provider((API_KEY,)),
    "link-mobility": Provider((USERNAME, PASSWORD)),
    "telesign": Provider(
        (SecretSpec("customer-id", "the account", required=True), API_KEY),
        url="https://rest-api.telesign.com",
        options={"messageType": Option(("ARN", "OTP", "MKT")), "authentication": Option(("digest", "basic"))},
    ),
    "vibes": Provider((USERNAME, PASSWORD), url="https://messageapi.vibesapps.com"),
    "custom": Provider(
        (
            SecretSpec("api-key", "key that the channel is called with", rotates=True),
            SecretSpec("username", "user name that the channel is called with"),
            SecretSpec("password", "password that the channel is called with", rotates=True),
        )
    ),
}

# As Standard Webhooks writes a secret: receivers hand it to their library as it is.
# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
STANDARD_WEBHOOKS = "whsec_"

# Every connection's own, whatever its provider.
OWN_SECRETS = (
    *_overlapping(
        SecretSpec(
            "webhook-key",
            "keys the digests in callback URLs",
            required=True,
            origin=Origin.MADE,
            readers=(*SENDERS, "webhook"),
        ),
        "still accepted in callback URLs while a rotation overlaps",
        (*CALLBACKS, "webhook"),
    ),
    *_overlapping(
        SecretSpec(
            "callback-secret",
            "signs the results that are posted to callback URLs",
            required=True,
            origin=Origin.MADE,
            readers=CALLBACKS,
            prefix=STANDARD_WEBHOOKS,
        ),
        "signs beside it while receivers change over",
        CALLBACKS,
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
    owned = [spec for provider in PROVIDERS.values() for spec in provider.owned]
    return tuple({spec.key: spec for spec in (*owned, *PROXY_SECRETS)[::-1]}.values())[::-1]
