"""Every key of the stack configuration, as a table: how it is read, what holds without it, what it means.

`Pulumi.yaml` and `docs/deploy.md` show the same table, and a test keeps the three equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import config_values as read
import countries
import providers
import senders
from config_values import Reader

# A topic's name must not start with "goog": https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names
NAME = r"(?!goog)[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
NAME_RULE = "lower-case letters, digits and hyphens, starting with a letter but not with goog, not ending with a hyphen, at most 63"

RESOURCE = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
NETWORK = rf"(projects/[a-z0-9:.-]+/global/networks/)?{RESOURCE}"
SUBNETWORK = rf"(projects/[a-z0-9:.-]+/regions/[a-z0-9-]+/subnetworks/)?{RESOURCE}"
CONNECTOR = r"(projects/[a-z0-9:.-]+/locations/[a-z0-9-]+/connectors/)?[a-z][-a-z0-9]{0,23}[a-z0-9]"
ATTACHMENT = rf"projects/[a-z0-9:.-]+/regions/[a-z0-9-]+/serviceAttachments/{RESOURCE}"
HOST = r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
WORD = r"[^\s,]([^,\x00-\x1f]{0,38}[^\s,])?"
EMAIL = r"[^\s@]+@[^\s@]+\.[^\s@]+"

# The connector's own request limit is 60 minutes; waiting for tracking has to end before that.
TRACKING_LIMIT_MILLIS = 50 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Key:
    """`path` is the key as it is set (`--path` where it has a dot), `default` what holds where nothing is set (None: nothing).

    `example` is a right value; of a list or a map, of its entry at `entry`.
    """

    path: str
    read: Reader
    default: object
    meaning: str
    example: str
    entry: str = ""

    @property
    def group(self) -> str:
        return self.path.partition(".")[0]


KEYS: tuple[Key, ...] = (
    Key("connection", read.matching(NAME, NAME_RULE), "sms", "The connection's name.", "sms"),
    Key(
        "description",
        read.text(256),
        None,
        "Shown at the functions, the accounts and by the connector.",
        "'Order updates'",
    ),
    Key("labels", read.labels, None, "Labels on everything that takes labels.", "retail", entry=".team"),
    Key("provider", read.choice(tuple(providers.PROVIDERS)), "twilio", "The SMS provider.", "twilio"),
    Key(
        "providerUrl",
        read.provider_url,
        None,
        "Base URL of the provider's API; without it the public one.",
        "https://api.example.com",
    ),
    Key(
        "sender",
        senders.sender,
        None,
        "Default sender: number, short code, alphanumeric id, messaging service.",
        "+15551234567",
    ),
    Key(
        "defaultCountry",
        countries.country,
        None,
        "Country that recipients in national form (`0171 3920017`) are read by.",
        "DE",
    ),
    Key("nodes.min", read.integer(0, 1000), 2, "Instances of `connector` that are kept warm.", "2"),
    Key("nodes.max", read.integer(1, 1000), 50, "Instances of `connector` at most.", "50"),
    Key("workers.max", read.integer(1, 1000), 50, "Instances of `worker` at most; it scales to zero.", "50"),
    Key("rate.node", read.integer(1, 25), 25, "Transactions per second of one instance.", "25"),
    Key("rate.connection", read.integer(1, 100_000), None, "Transactions per second of the whole connection.", "100"),
    Key(
        "tracking.retryIntervalMillis",
        read.integer(100, 3_000_000),
        10_000,
        "How often a status is asked for.",
        "10000",
    ),
    Key("tracking.retryAttempts", read.integer(0, 100), 6, "How many times a status is asked for.", "6"),
    Key(
        "tracking.expireAfterHours",
        read.integer(1, 29 * 24),
        72,
        "After how many hours without a final status a message is `expired`.",
        "72",
    ),
    Key("proxy.url", read.proxy_url, None, "Proxy to the provider.", "http://proxy.example.com:3128"),
    Key("proxy.auth", read.choice(("none", "basic", "digest")), "none", "How the proxy authenticates.", "basic"),
    Key(
        "proxy.ssl", read.choice(("auto", "always", "never", "tunnel")), "auto", "TLS to and through the proxy.", "auto"
    ),
    Key(
        "network.vpc",
        read.matching(NETWORK, "a VPC network's name"),
        None,
        "VPC that calls to the provider leave through.",
        "company-vpc",
    ),
    Key(
        "network.subnet",
        read.matching(SUBNETWORK, "a subnetwork's name"),
        None,
        "Existing subnetwork of that VPC.",
        "run-egress",
    ),
    Key("network.range", read.address_range, None, "Range of a subnetwork that is made in that VPC.", "10.8.0.0/24"),
    Key(
        "network.connector",
        read.matching(CONNECTOR, "a connector's name"),
        None,
        "Existing Serverless VPC Access connector.",
        "egress",
    ),
    Key(
        "network.egress",
        read.choice(("private", "all")),
        "private",
        "What leaves through the VPC: private ranges or all.",
        "all",
    ),
    Key(
        "network.tags",
        read.many(read.matching(RESOURCE, "a network tag")),
        None,
        "Network tags for firewall rules.",
        "sms",
        entry="[0]",
    ),
    Key("network.staticAddress", read.boolean, False, "A fixed public address to the provider (Cloud NAT).", "true"),
    Key(
        "network.serviceAttachment",
        read.matching(ATTACHMENT, "projects/…/regions/…/serviceAttachments/…"),
        None,
        "Private Service Connect: the attachment of the proxy or provider.",
        "projects/p/regions/us-central1/serviceAttachments/sms",
    ),
    Key(
        "network.serviceHost",
        read.matching(HOST, "a host name"),
        None,
        "Host name that resolves to that attachment.",
        "proxy.example.com",
    ),
    Key(
        "network.ca",
        read.certificates,
        None,
        "Certificate authorities (PEM) trusted beside the public ones.",
        '-- "$(cat ca.pem)"',  # or its first dashes are taken for a flag
    ),
    Key(
        "campaigns.buckets",
        read.many(read.matching(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", "a bucket's name")),
        None,
        "Buckets whose objects campaigns may read.",
        "my-campaigns",
        entry="[0]",
    ),
    Key(
        "callbacks.url",
        read.callback_url,
        None,
        "Where final results are posted, for requests that name no `callbackUrl`.",
        "https://crm.example.com/sms-results",
    ),
    Key(
        "callbacks.privateHosts",
        read.many(read.private_host),
        None,
        "Private hosts that results may be posted to.",
        "crm.internal",
        entry="[0]",
    ),
    Key(
        "consent.stopWords",
        read.many(read.matching(WORD, "a word of at most 40 characters without a comma")),
        None,
        "Words that end consent, beside the provider's own.",
        "STOPP",
        entry="[0]",
    ),
    Key("consent.helpReply", read.text(1600), None, "What HELP is answered with.", "'Help: support@example.com'"),
    Key(
        "callers",
        read.many(read.member, same=read.same_member),
        None,
        "IAM members who may call `connector`.",
        "user:ann@example.com",
        entry="[0]",
    ),
    Key(
        "alerts.emails",
        read.many(read.matching(EMAIL, "an e-mail address"), same=str.casefold),
        None,
        "Who hears of alerts.",
        "ops@example.com",
        entry="[0]",
    ),
    Key(
        "alerts.channels",
        read.many(
            read.matching(r"projects/[a-z0-9:.-]+/notificationChannels/\d+", "projects/…/notificationChannels/…")
        ),
        None,
        "Existing notification channels.",
        "projects/p/notificationChannels/1234",
        entry="[0]",
    ),
    Key("alerts.uptime", read.boolean, True, "Look at `webhook` from outside every five minutes.", "true"),
    Key(
        "logs.requests",
        read.boolean,
        False,
        "Keep the platform's log of requests, whose addresses hold numbers; the functions' own log has no such thing.",
        "true",
    ),
    Key("logs.secretReads", read.boolean, False, "Log who reads a secret of the project, whosever it is.", "true"),
    Key("rotation.days", read.integer(1, 3650), 90, "How often a rotation notice is due.", "90"),
    Key(
        "webhook.public",
        read.choice(("check-disabled", "grant", "none")),
        "check-disabled",
        "How the provider reaches `webhook`: check-disabled, grant (to allUsers) or none (polling only).",
        "grant",
    ),
    Key(
        "backup.days", read.integer(0, 98), 14, "How long a daily backup of the database is kept; 0: no backups.", "14"
    ),
    Key("backup.pointInTime", read.boolean, False, "Keep every version of the last seven days, to the minute.", "true"),
    Key(
        "grants.seconds",
        read.integer(0, 900),
        60,
        "How long a new grant takes to act; functions, and secrets that rotate, are made that much later.",
        "120",
    ),
    Key("protect", read.boolean, True, "Keep the database and the secrets when the stack is destroyed.", "true"),
    Key(
        "logLevel",
        read.choice(("error", "info", "debug")),
        "info",
        "How much is logged: `error`, `info` or `debug`. What alerts count is logged at every level.",
        "info",
    ),
    Key("suspended", read.boolean, False, "Send nothing: campaigns stand still and sends are refused.", "false"),
    Key("requireActive", read.boolean, False, "Fail the update when the connection check doesn't say ACTIVE.", "false"),
)

PREFIXES = {"accountSid": "AC", "apiKeySid": "SK"}  # Twilio's; they tell a mixed-up pair of values
_MEANINGS = {spec.key: spec.meaning for p in providers.PROVIDERS.values() for spec in p.secrets}
_MEANINGS |= {spec.key: spec.meaning for spec in providers.PROXY_SECRETS}

SECRETS: tuple[Key, ...] = tuple(
    Key(key, read.secret(PREFIXES.get(key, "")), None, f"Secret value: {_MEANINGS[key]}.", "")
    for key in providers.secret_keys()
)

BY_PATH = {key.path: key for key in (*KEYS, *SECRETS)}
GROUPS = frozenset(key.group for key in KEYS if "." in key.path)
SECRET_PATHS = frozenset(key.path for key in SECRETS)
