"""Configurations that the rules are held against: name → (plain keys, secret keys, secrets that have a version already)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import providers
from tests.infra import harness

SECRET_VALUES = {
    "accountSid": "AC0123456789abcdef0123456789abcdef",
    "authToken": "secret-auth-token-9f8e7d",
    "apiKeySid": "SK0123456789abcdef0123456789abcdef",
    "apiKeySecret": "secret-api-key-secret-1a2b",
    "signingKey": "secret-signing-key-3c4d",
    "proxyUsername": "secret-proxy-user-5e6f",
    "proxyPassword": "secret-proxy-password-7a8b",
}
TWILIO_VERSIONS = frozenset({"sms-account-sid", "sms-auth-token"})
STATUS_URL = "https://sms.example.com/status"
LONGEST = "a" + "b" * 61 + "c"
CERTIFICATES = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
NETWORK = {
    "vpc": "company-vpc",
    "range": "10.8.0.0/23",
    "egress": "all",
    "tags": ["sms"],
    "staticAddress": True,
    "serviceAttachment": "projects/partner/regions/us-central1/serviceAttachments/proxy",
    "serviceHost": "proxy.example.com",
    "ca": CERTIFICATES,
}
EVERYTHING = {
    "connection": "orders",
    "description": "Order updates of the shop",
    "labels": {"cost-center": "4711"},
    "provider": "twilio",
    "providerUrl": "https://api.example.com",
    "senders": [
        # `pulumi config set --path` makes a whole number of a number.
        {"address": 15551234567, "name": "Orders", "businessUnit": "Retail", "countries": ["US", "CA"]},
        {"address": "ACME", "kind": "alphanumeric", "default": True},
    ],
    "businessUnit": "Head office",
    "defaultCountry": "DE",
    "nodes": {"min": 1, "max": 20},
    "workers": {"max": 30},
    "rate": {"node": 20, "connection": 100},
    "tracking": {"retryIntervalMillis": 5000, "retryAttempts": 3, "expireAfterHours": 48},
    "proxy": {"url": "http://proxy.example.com:3128", "auth": "digest", "ssl": "tunnel"},
    "network": NETWORK,
    "campaigns": {"buckets": ["my-campaigns"]},
    "callbacks": {
        "url": "https://crm.example.com/sms?tenant=7",
        "privateHosts": ["*.internal", "10.1.0.0/16"],
        "format": "journeys",
        "journeysOrganizationId": "4c1f0a52-an-organization",
    },
    "consent": {"stopWords": ["STOPP", "NO MORE"], "helpReply": "Help: support@example.com, or 555"},
    "entities": {"writes": ["IncomingPhoneNumbers.CREATE", "Keys.DELETE"], "tools": ["list_messages"]},
    "callers": ["user:ann@example.com", "serviceAccount:app@demo-project.iam.gserviceaccount.com"],
    "alerts": {
        "emails": ["ops@example.com"],
        "channels": ["projects/demo-project/notificationChannels/1234"],
        "uptime": True,
    },
    "rotation": {"days": 30},
    "protect": True,
    "logLevel": "debug",
    "suspended": True,
    "requireActive": False,
}


def texts(values: Mapping[str, object]) -> dict[str, str]:
    """As Pulumi hands them over: scalars as text, structures as JSON text."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


@dataclass(frozen=True)
class Configuration:
    """A stack's configuration, and which secrets have a version already."""

    plain: Mapping[str, str] = field(default_factory=dict)
    secret: Mapping[str, str] = field(default_factory=dict)
    versions: frozenset[str] = frozenset()


def of_provider(name: str) -> Configuration:
    """With what it can't do without."""
    provider = providers.PROVIDERS[name]
    plain: dict[str, object] = {"connection": name, "provider": name}
    if not provider.url:
        plain["providerUrl"] = "https://sms.example.com"
    if options := [option for option, allowed in provider.options.items() if allowed.required]:
        plain["providerOptions"] = dict.fromkeys(options, "an-id")
    login = next(iter(provider.logins), ())
    given = [spec for spec in provider.owned if spec.required or spec.name in login]
    values = {s.key: SECRET_VALUES.get(s.key, f"{s.prefix}secret-{s.key.lower()}-of-{name}") for s in given}
    return Configuration(texts(plain), values)


CONFIGURATIONS: dict[str, Configuration] = {
    "minimal": Configuration(),
    "smallest that sends": Configuration(versions=TWILIO_VERSIONS),
    "two keys": Configuration({"sender": "+15551234567"}, {"accountSid": SECRET_VALUES["accountSid"]}),
    "everything": Configuration(texts(EVERYTHING), SECRET_VALUES),
    "unprotected": Configuration({"protect": "false"}, versions=TWILIO_VERSIONS),
    "several": Configuration(
        {},
        {
            "connections": json.dumps(
                {
                    "retail": {
                        "provider": "twilio",
                        "accountSid": "AC0000000000000000000000000000retail",
                        "authToken": "secret-retail-token-1234",
                        "callers": ["user:a@b.co"],
                    },
                    "alarms": {
                        "provider": "telesign",
                        "customerId": "an-account",
                        "apiKey": "secret-alarms-key-5678",
                        "protect": False,
                    },
                }
            )
        },
    ),
    "existing subnetwork": Configuration(
        texts({"network": {"vpc": "company-vpc", "subnet": "run-egress"}}), versions=TWILIO_VERSIONS
    ),
    "vpc connector": Configuration(
        texts({"network": {"connector": "egress", "egress": "all"}}), versions=TWILIO_VERSIONS
    ),
    "longest name": Configuration({"connection": LONGEST}, {k: SECRET_VALUES[k] for k in ("accountSid", "authToken")}),
    "options": Configuration(
        texts(
            {
                "connection": "custom",
                "provider": "custom",
                "providerUrl": "https://sms.example.com",
                "providerOptions": {"recipientsPerCall": 20, "supportsStatus": False, "statusUrl": STATUS_URL},
            }
        ),
        {"signingSecret": "whsec_secret-signingsecret-of-custom"},
    ),
    **{f"provider {name}": of_provider(name) for name in providers.PROVIDERS},
}


@functools.cache
def stack(name: str) -> harness.Stack:
    """The named configuration's run, made once."""
    wanted = CONFIGURATIONS[name]
    return harness.run(wanted.plain, secrets=wanted.secret, cloud=harness.Cloud(versions=wanted.versions))


def secret_values(name: str) -> list[str]:
    """Every secret value in a configuration."""
    values = [v for k, v in CONFIGURATIONS[name].secret.items() if k != "connections"]
    for connection in json.loads(CONFIGURATIONS[name].secret.get("connections", "{}")).values():
        values += [v for v in connection.values() if isinstance(v, str) and v.startswith("secret-")]
    return values
