"""What infrastructure has to know of each provider: its secrets, its address, its options. A new provider is one entry
of `PROVIDERS`.

The functions know a secret by its file name (`auth-token`), the stack configuration by the same name in camel case
(`authToken`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from pydantic.alias_generators import to_camel

SENDERS = ("connector", "worker")
# The rotator calls the provider too, and starts with the secrets that calls take.
CALLERS = (*SENDERS, "rotator")
# Callbacks are checked, applied and posted where the queue `events` brings them: by the connector alone.
CALLBACKS = ("connector",)
# As Standard Webhooks writes a secret: receivers hand it to their library as it is.
# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
STANDARD_WEBHOOKS = "whsec_"


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
    readers: tuple[str, ...] = CALLERS
    previous: str = ""
    prefix: str = ""

    @property
    def key(self) -> str:
        return key_of(self.name)


@dataclass(frozen=True, slots=True)
class Option:
    """One name of a provider's options: `values` are the only ones, else `form` is a pattern that `described`
    explains."""

    values: tuple[str, ...] = ()
    form: str = "[!-~]{1,255}"
    described: str = "1 to 255 printable ASCII characters without spaces"
    required: bool = False

    @property
    def allowed(self) -> str:
        return f"one of {', '.join(self.values)}" if self.values else self.described

    def takes(self, value: str) -> bool:
        """Tell whether it is a right value. The functions take plain http from a simulator on this machine alone."""
        if self.values:
            return value in self.values
        return bool(re.fullmatch(self.form, value)) and not re.match(
            r"http://(?!localhost|127\.0\.0\.1|\[::1\])", value
        )


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider.

    `secrets` are all it has: those for calls, those that only callbacks need, and those of a value before. `logins` are
    groups of them, by name, of which one that is complete is enough; the first is the usual one. `pairs` are optional;
    one of a pair is of no use without the other. Without `url`, the address that is the same for everybody,
    `providerUrl` is required. `options` are the names SMS_PROVIDER_OPTIONS may have; `places` say where the callback
    addresses (`status`, `inbound`) are entered at the provider; `rotations` are the groups of secrets that the rotator
    changes without an operator.
    """

    secrets: tuple[SecretSpec, ...]
    logins: tuple[tuple[str, ...], ...] = ()
    pairs: tuple[tuple[str, ...], ...] = ()
    url: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    rotations: tuple[tuple[str, ...], ...] = ()

    @property
    def owned(self) -> tuple[SecretSpec, ...]:
        """The secrets whose values the owner gives."""
        return tuple(spec for spec in self.secrets if spec.origin is Origin.OWNER)

    @property
    def rotated(self) -> frozenset[str]:
        """The secrets that the rotator adds versions to."""
        return frozenset(name for group in self.rotations for name in group)

    @property
    def wholes(self) -> tuple[tuple[str, ...], ...]:
        """Groups of secrets of which each is of no use without the others: the functions start with all or none."""
        return (*self.logins[1:], *self.pairs)

    def find_problems(self, options: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield each option that is wrong or missing with its problem, as the functions find them at their start."""
        for name, value in options.items():
            if name not in self.options:
                yield name, f"unknown option; the provider has {', '.join(self.options) or 'none'}"
            elif not self.options[name].takes(value):
                yield name, f"{value!r} is not {self.options[name].allowed}"
        for name, option in self.options.items():
            if option.required and name not in options:
                yield name, "is missing; the provider needs it"

    def lacking(self, present: Collection[str]) -> frozenset[str]:
        """Return what is missing of the login that is nearest to complete, if none is, and of groups that are begun."""
        rest = [frozenset(login).difference(present) for login in self.logins]
        begun = [frozenset(group).difference(present) for group in self.wholes if not set(group).isdisjoint(present)]
        return min(rest, key=len, default=frozenset()).union(*begun)


def _overlapping(spec: SecretSpec, meaning: str, readers: tuple[str, ...]) -> tuple[SecretSpec, SecretSpec]:
    """Return a secret with the one of its value before, whose first value is random, so it matches nothing. It is there
    from the start because a rotation must not need a deployment: a secret that has no version can't be mounted."""
    previous = SecretSpec(f"{spec.name}-previous", meaning, origin=Origin.MADE, readers=readers, prefix=spec.prefix)
    return replace(spec, previous=previous.name), previous


def _webhook_login(readers: tuple[str, ...] = CALLBACKS) -> tuple[SecretSpec, ...]:
    """Return what callbacks come with where HTTP Basic is entered at the provider."""
    password = SecretSpec("webhook-password", "password that callbacks come with", rotates=True, readers=readers)
    name = SecretSpec("webhook-username", "user name that callbacks come with", readers=readers)
    return (name, *_overlapping(password, OVERLAP, CALLBACKS))


OVERLAP = "still accepted on callbacks while a rotation overlaps"
WEBHOOK_PAIR = ("webhook-username", "webhook-password")
USERNAME = SecretSpec("username", "user name of the provider's API")
PASSWORD = SecretSpec("password", "password of the provider's API", rotates=True)
API_KEY = SecretSpec("api-key", "key of the provider's API", rotates=True)
TRUTH = ("true", "false")

DEFAULT = "twilio"
PROVIDERS: Mapping[str, Provider] = {
    "twilio": Provider(
        secrets=(
            SecretSpec("account-sid", "the account, 'AC…'", required=True, prefix="AC"),
            *_overlapping(
                # Beside an API key too: callbacks are signed with it (https://www.twilio.com/docs/usage/security).
                SecretSpec("auth-token", "signs callbacks, and calls without an API key", required=True, rotates=True),
                OVERLAP,
                (*CALLBACKS, "rotator"),
            ),
            SecretSpec("api-key-sid", "the API key that signs calls, 'SK…'", prefix="SK"),
            SecretSpec("api-key-secret", "secret of that API key", rotates=True),
            SecretSpec("signing-key", "secret of a webhook signing key, where the account uses one", readers=CALLBACKS),
        ),
        logins=(("auth-token",), ("api-key-sid", "api-key-secret")),
        url="https://api.twilio.com",
        options={"messagingUrl": Option(form=r"https?://[!-~]{1,200}", described="the base URL of the messaging API")},
        rotations=(("auth-token", "auth-token-previous"), ("api-key-secret", "api-key-sid")),
        places={
            "status": "nowhere: each message names it",
            "inbound": "Twilio Console: the number (or the messaging service), A message comes in, Webhook, HTTP POST",
        },
    ),
    "azure": Provider(
        (SecretSpec("access-key", "access key of the resource", required=True, rotates=True),),
        places={
            "status": "Azure portal: the resource, Events, a Web Hook for SMS Delivery Report Received",
            "inbound": "Azure portal: the resource, Events, a Web Hook for SMS Received",
        },
    ),
    "infobip": Provider(
        # With a login a message names no address for its reports, so who sends has to know of it.
        (replace(API_KEY, required=True), *_webhook_login(SENDERS)),
        pairs=(WEBHOOK_PAIR,),
        rotations=(("api-key",),),
        options={"entityId": Option(), "applicationId": Option()},
        places={
            "status": "nowhere: each message names it; with HTTP Basic a subscription for Delivery does",
            "inbound": "Infobip portal: Channels and Numbers, the number, SMS, Forward to HTTP, MO_JSON_2, POST",
        },
    ),
    "link-mobility": Provider(
        (
            USERNAME,
            PASSWORD,
            SecretSpec("client-id", "client of OAuth 2, instead of a user"),
            SecretSpec("client-secret", "secret of that client", rotates=True),
            *_webhook_login(),
        ),
        logins=(("username", "password"), ("client-id", "client-secret")),
        pairs=(WEBHOOK_PAIR,),
        options={
            "platformId": Option(required=True),
            "platformPartnerId": Option(required=True),
            "gateId": Option(),
        },
        places={
            "status": "the destination of the gate that the option gateId names (gate API, or LINK's support)",
            "inbound": "the destination of the gate for inbound messages (gate API, or LINK's support)",
        },
    ),
    "telesign": Provider(
        (
            SecretSpec("customer-id", "the account", required=True),
            *_overlapping(replace(API_KEY, required=True), OVERLAP, CALLBACKS),
        ),
        url="https://rest-api.telesign.com",
        options={"messageType": Option(("ARN", "OTP", "MKT")), "authentication": Option(("digest", "basic"))},
        places={
            "status": "nowhere: each message names it; without that override, the account's callback URL",
            "inbound": "Telesign portal: SMS, Manage settings, SMS 2-Way Inbound, the webhook's address",
        },
    ),
    "vibes": Provider(
        (replace(USERNAME, required=True), replace(PASSWORD, required=True), *_webhook_login()),
        pairs=(WEBHOOK_PAIR,),
        url="https://messageapi.vibesapps.com",
        options={"carrierReceipts": Option(TRUTH)},
        places={
            "status": "nowhere: each message names it",
            "inbound": "Vibes' account manager enters it for the short code, with the Basic credentials",
        },
    ),
    "custom": Provider(
        (
            *_overlapping(
                SecretSpec(
                    "signing-secret",
                    "signs calls and callbacks, 'whsec_…'",
                    required=True,
                    rotates=True,
                    prefix=STANDARD_WEBHOOKS,
                ),
                "signs calls beside it, and is still accepted on callbacks, while a rotation overlaps",
                SENDERS,
            ),
            API_KEY,
        ),
        options={
            "statusUrl": Option(form=r"https?://[!-+.-~-]{1,500}", described="an absolute https:// address"),
            "recipientsPerCall": Option(form=r"[1-9][0-9]{0,2}|1000", described="a whole number from 1 to 1000"),
            "textLimit": Option(form=r"[1-9][0-9]{0,3}", described="a whole number from 1 to 9999"),
            "supportsStatus": Option(TRUTH),
            "supportsInbound": Option(TRUTH),
        },
        places={
            "status": "your own endpoint posts its reports there, signed",
            "inbound": "your own endpoint posts inbound messages there, signed",
        },
    ),
}

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


def configured_secrets() -> tuple[SecretSpec, ...]:
    """Return each secret that the configuration may give, over all providers; of equal keys the first provider's."""
    owned = [spec for provider in PROVIDERS.values() for spec in provider.owned]
    return tuple({spec.key: spec for spec in (*owned, *PROXY_SECRETS)[::-1]}.values())[::-1]
