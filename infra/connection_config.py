"""One connection's configuration: every key with its type, its default and its meaning.

`Pulumi.yaml` and the table in `docs/deploy.md` are generated from it: `python -m tests.infra.config_docs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, create_model

import config_types as types
import countries
import providers
import senders
from config_types import boolean, choice, integer, many, matching, text


def key(path: str, default: object, meaning: str, example: str = "", *, entry: str = "") -> Any:
    """Describe a key: `path` as it is set (`--path` where it has a dot), `default` without it (None, (): nothing).

    `example` is a right value, the default if there is none; of a list or a map, of its entry at `entry`.
    """
    right = example or ("" if default is None else str(default).lower() if isinstance(default, bool) else str(default))
    extra: dict[str, Any] = {"example": right, "entry": entry}
    return Field(default, alias=path, description=meaning, json_schema_extra=extra)


Flag = Annotated[bool, boolean()]
Instances = Annotated[int, integer(1, 1000)]
Resource = Annotated[str, matching(types.RESOURCE, "a network tag")]
Bucket = Annotated[str, matching(types.BUCKET, "a bucket's name")]
Host = Annotated[str, BeforeValidator(types.private_host)]
Word = Annotated[str, matching(types.WORD, "a word of at most 40 characters without a comma")]
Member = Annotated[str, BeforeValidator(types.member)]
Email = Annotated[str, matching(types.EMAIL, "an e-mail address")]
Channel = Annotated[str, matching(types.CHANNEL, "projects/…/notificationChannels/…")]


class ConnectionConfig(BaseModel):
    """A connection whose keys were read. Secret values are fields of `WITH_SECRETS`, which is what is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    name: Annotated[str, matching(types.NAME, types.NAME_RULE)] = key(
        "connection", "sms", "The connection's name.", "sms"
    )
    given_description: Annotated[str | None, text(256)] = key(
        "description", None, "Shown at the functions, the accounts and by the connector.", "'Order updates'"
    )
    labels: Annotated[Mapping[str, str], BeforeValidator(types.labels)] = key(
        "labels", {}, "Labels on everything that takes labels.", "retail", entry=".team"
    )
    provider: Annotated[str, choice(*providers.PROVIDERS)] = key(
        "provider", providers.DEFAULT, "The SMS provider.", providers.DEFAULT
    )
    provider_url: Annotated[str | None, BeforeValidator(types.provider_url)] = key(
        "providerUrl", None, "Base URL of the provider's API; without it the public one.", "https://api.example.com"
    )
    sender: Annotated[str | None, BeforeValidator(senders.sender)] = key(
        "sender", None, "Default sender: number, short code, alphanumeric id, messaging service.", "+15551234567"
    )
    default_country: Annotated[str | None, BeforeValidator(countries.country)] = key(
        "defaultCountry", None, "Country of recipients in national form (`0171 3920017`).", "DE"
    )
    nodes_min: Annotated[int, integer(0, 1000)] = key("nodes.min", 2, "Instances of `connector` that are kept warm.")
    nodes_max: Instances = key("nodes.max", 50, "Instances of `connector` at most.")
    workers_max: Instances = key("workers.max", 50, "Instances of `worker` at most; it scales to zero.")
    node_rate: Annotated[int, integer(1, 25)] = key("rate.node", 25, "Transactions per second of one instance.")
    connection_rate: Annotated[int | None, integer(1, 100_000)] = key(
        "rate.connection", None, "Transactions per second of the whole connection.", "100"
    )
    retry_interval_millis: Annotated[int, integer(100, 3_000_000)] = key(
        "tracking.retryIntervalMillis", 10_000, "Milliseconds between two status polls of a message."
    )
    retry_attempts: Annotated[int, integer(0, 100)] = key(
        "tracking.retryAttempts", 6, "Status polls of a message at most."
    )
    expire_after_hours: Annotated[int, integer(1, 29 * 24)] = key(
        "tracking.expireAfterHours", 72, "Hours without a final status after which a message is `expired`."
    )
    proxy_url: Annotated[str | None, BeforeValidator(types.proxy_url)] = key(
        "proxy.url", None, "Proxy to the provider.", "http://proxy.example.com:3128"
    )
    proxy_auth: Annotated[str, choice("none", "basic", "digest")] = key(
        "proxy.auth", "none", "How the proxy authenticates."
    )
    proxy_ssl: Annotated[str, choice("auto", "always", "never", "tunnel")] = key(
        "proxy.ssl", "auto", "TLS to and through the proxy."
    )
    vpc: Annotated[str | None, matching(types.NETWORK, "a VPC network's name")] = key(
        "network.vpc", None, "VPC that calls to the provider leave through.", "company-vpc"
    )
    subnet: Annotated[str | None, matching(types.SUBNETWORK, "a subnetwork's name")] = key(
        "network.subnet", None, "Existing subnetwork of that VPC.", "run-egress"
    )
    subnet_range: Annotated[str | None, BeforeValidator(types.address_range)] = key(
        "network.range", None, "Range of a subnetwork that is made in that VPC.", "10.8.0.0/24"
    )
    vpc_connector: Annotated[str | None, matching(types.CONNECTOR, "a connector's name")] = key(
        "network.connector", None, "Existing Serverless VPC Access connector.", "egress"
    )
    egress: Annotated[str, choice("private", "all")] = key(
        "network.egress", "private", "Traffic that leaves through the VPC: private ranges or all."
    )
    network_tags: Annotated[tuple[Resource, ...], many()] = key(
        "network.tags", (), "Network tags for firewall rules.", "sms", entry="[0]"
    )
    static_address: Flag = key("network.staticAddress", False, "A fixed public address to the provider (Cloud NAT).")
    service_attachment: Annotated[
        str | None, matching(types.ATTACHMENT, "projects/…/regions/…/serviceAttachments/…")
    ] = key(
        "network.serviceAttachment",
        None,
        "Private Service Connect: the attachment of the proxy or provider.",
        "projects/p/regions/us-central1/serviceAttachments/sms",
    )
    service_host: Annotated[str | None, matching(types.HOST, "a host name")] = key(
        "network.serviceHost", None, "Host name that resolves to that attachment.", "proxy.example.com"
    )
    ca_certificates: Annotated[str | None, BeforeValidator(types.certificates)] = key(
        "network.ca",
        None,
        "Certificate authorities (PEM) trusted beside the public ones.",
        '-- "$(cat ca.pem)"',  # or its first dashes are taken for a flag
    )
    buckets: Annotated[tuple[Bucket, ...], many()] = key(
        "campaigns.buckets", (), "Buckets whose objects campaigns may read.", "my-campaigns", entry="[0]"
    )
    callback_url: Annotated[str | None, BeforeValidator(types.callback_url)] = key(
        "callbacks.url",
        None,
        "Where final results are posted, for requests that name no `callbackUrl`.",
        "https://crm.example.com/sms-results",
    )
    callback_private_hosts: Annotated[tuple[Host, ...], many()] = key(
        "callbacks.privateHosts", (), "Private hosts that results may be posted to.", "crm.internal", entry="[0]"
    )
    stop_words: Annotated[tuple[Word, ...], many()] = key(
        "consent.stopWords", (), "Words that end consent, beside the provider's own.", "STOPP", entry="[0]"
    )
    help_reply: Annotated[str | None, text(1600)] = key(
        "consent.helpReply", None, "Reply to HELP.", "'Help: support@example.com'"
    )
    callers: Annotated[tuple[Member, ...], many(types.same_member)] = key(
        "callers", (), "IAM members who may call `connector`.", "user:ann@example.com", entry="[0]"
    )
    emails: Annotated[tuple[Email, ...], many(str.casefold)] = key(
        "alerts.emails", (), "Who receives alerts.", "ops@example.com", entry="[0]"
    )
    channels: Annotated[tuple[Channel, ...], many()] = key(
        "alerts.channels", (), "Existing notification channels.", "projects/p/notificationChannels/1234", entry="[0]"
    )
    uptime: Flag = key("alerts.uptime", True, "Check `webhook` from outside every five minutes.")
    request_logs: Flag = key(
        "logs.requests",
        False,
        "Keep the platform's log of requests. Its addresses hold phone numbers; the functions' own log never does.",
    )
    secret_reads: Flag = key("logs.secretReads", False, "Log every read of a secret in the project.")
    rotation_days: Annotated[int, integer(1, 3650)] = key("rotation.days", 90, "Days between two rotation notices.")
    webhook_public: Annotated[str, choice("check-disabled", "grant", "none")] = key(
        "webhook.public",
        "check-disabled",
        "Access to `webhook` for the provider: check-disabled, grant (to allUsers) or none (polling only).",
    )
    backup_days: Annotated[int, integer(0, 98)] = key(
        "backup.days", 14, "Days a daily backup of the database is kept; 0: no backups."
    )
    point_in_time: Flag = key("backup.pointInTime", False, "Keep every version of the last seven days, to the minute.")
    grant_seconds: Annotated[int, integer(0, 900)] = key(
        "grants.seconds",
        60,
        "Seconds until a new grant acts; functions, and secrets that rotate, are made that much later.",
    )
    protect: Flag = key("protect", True, "Keep the database and the secrets when the stack is destroyed.")
    log_level: Annotated[str, choice("error", "info", "debug")] = key(
        "logLevel", "info", "Log level: `error`, `info` or `debug`. Events that alerts count are logged at every level."
    )
    suspended: Flag = key("suspended", False, "Send nothing: campaigns wait, and sends are refused.")
    require_active: Flag = key("requireActive", False, "Fail the update when the connection check doesn't say ACTIVE.")

    @property
    def description(self) -> str:
        return self.given_description or f"SMS connection {self.name}"

    @property
    def uses_network(self) -> bool:
        """`vpc` with `subnet` or `subnet_range` is direct VPC egress, `vpc_connector` the older way."""
        return bool(self.vpc or self.vpc_connector)

    @property
    def secrets(self) -> Mapping[str, SecretStr]:
        """The secret values that were given, by file name (`auth-token`)."""
        given = {spec.name: getattr(self, spec.key, None) for spec in providers.configured_secrets()}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def secret_specs(self) -> tuple[providers.SecretSpec, ...]:
        """Every secret of this connection, given or not."""
        specs = [*providers.PROVIDERS[self.provider].secrets, *providers.OWN_SECRETS]
        specs += providers.PROXY_SECRETS if self.proxy_url and self.proxy_auth != "none" else ()
        specs += [providers.CA_CERTIFICATES] if self.ca_certificates else []
        return tuple(specs)


_SECRETS: dict[str, Any] = {
    spec.key: (
        Annotated[SecretStr | None, types.secret(spec.prefix)],
        key(spec.key, None, f"Secret value: {spec.meaning}.", ""),
    )
    for spec in providers.configured_secrets()
}
WITH_SECRETS = create_model("WithSecrets", __base__=ConnectionConfig, **_SECRETS)
KEYS = {str(field.alias): field for field in ConnectionConfig.model_fields.values()}
BY_PATH = {str(field.alias): field for field in WITH_SECRETS.model_fields.values()}
SECRET_PATHS = frozenset(BY_PATH) - frozenset(KEYS)
GROUPS = frozenset(path.partition(".")[0] for path in KEYS if "." in path)
