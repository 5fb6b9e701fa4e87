"""One connection's configuration: every key with its type, its default and its meaning.

`Pulumi.yaml` and the table in `docs/deploy.md` are generated from it: `python -m tests.infra.config_docs`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, ip_network
from typing import Annotated, Any, Literal, LiteralString, TypeVar

from annotated_types import Predicate
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, create_model
from pydantic import StrictBool as Flag
from pydantic import StrictInt as Whole
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

import providers
from countries import COUNTRIES
from senders import FORMS, SENDER_RULE, channel_of, with_plus

SINGLE = ("provider", "business", "default", "log", "require")  # first words of keys that belong to no group


def decoded(value: object) -> object:
    """Parse JSON text; return anything else as it is."""
    try:
        return json.loads({"True": "true", "False": "false"}.get(value, value)) if isinstance(value, str) else value
    except ValueError:
        return value


def path_of(field: str) -> str:
    """Return the key of a field, as it is set (`--path` where it has a dot): `nodes.min` of `nodes_min`."""
    group, _, inner = field.partition("_")
    return to_camel(field) if not inner or group in SINGLE else f"{group}.{to_camel(inner)}"


def form(title: str, example: str, pattern: str = "(?s:.*)") -> Any:
    """Describe a text: what it is, a right one as a command sets it, and its form."""
    return Field(title=title, examples=[example], pattern=rf"^(?:{pattern})\Z")


def once(problem: LiteralString, mark: Callable[[Any], object]) -> AfterValidator:
    """Refuse an entry whose mark is the mark of an earlier one; an entry may have none."""

    def check(entries: tuple[Any, ...]) -> tuple[Any, ...]:
        marks = [mark(entry) for entry in entries]
        for place, found in enumerate(marks):
            if found and found in marks[:place]:
                raise PydanticCustomError("repeated", problem, {"value": str(entries[place]), "entry": place})
        return entries

    return AfterValidator(check)


def _is_line(text: str, limit: int) -> bool:
    shaped = text.strip() and text.isprintable() and not isinstance(decoded(text), (dict, list))
    return bool(shaped) and len(text.encode()) <= limit


STRICT = ConfigDict(
    frozen=True, extra="forbid", coerce_numbers_to_str=True, regex_engine="python-re", alias_generator=path_of
)
PRIVATE = [IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
RESOURCE, PROJECT, REGIONS = "[a-z]([-a-z0-9]{0,61}[a-z0-9])?", "projects/[a-z0-9:.-]+", "regions/[a-z0-9-]+"
CONNECTOR = rf"({PROJECT}/locations/[a-z0-9-]+/connectors/)?[a-z][-a-z0-9]{{0,23}}[a-z0-9]"
PORT = r":([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"
HOST = r"([^\s\x00-\x1f/?#@:\\\[\]]+|\[[0-9A-Fa-f:.]+\])"
# The functions take plain http from a simulator on this machine alone.
PROVIDER_URL = rf"((?i:https)://{HOST}|http://(localhost|127\.0\.0\.1|\[::1\]))({PORT})?(/[^\s\x00-\x1f?#\\]*)?"
CALLBACK_URL = rf"(?=[!-~]+\Z)(?i:https)://{HOST}({PORT})?(/[^?#\\]*)?(\?[^#\\]*)?"
# As the functions have it (settings_values.host): the last label of a name is not a number.
LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
HOST_NAME = rf"(?=.{{1,253}}$)(?:\*\.)?(?:{LABEL}\.)*(?!(?:[0-9]+|0x[0-9a-f]*)$){LABEL}"
PUBLIC_HOST = r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
PEM = r"(?s:(?!.*PRIVATE KEY).*-----BEGIN CERTIFICATE-----.*-----END CERTIFICATE-----.*)"
MEMBER = r"(user|serviceAccount|group):[^\s:@]+@[^\s:@]+\.[^\s:@]+|domain:[^\s:@]+\.[^\s:@]+|principal(Set)?://\S+"

# What a text is, where a line doesn't hold it beside the form.
NAME = "at most 63 lower-case letters, digits, hyphens, starting with a letter, not with goog, not ending with a hyphen"
LABEL_RULE = (  # Google's, narrowed to ASCII
    "a label of yours: a key is a lower-case letter, then at most 62 of a-z, 0-9, _ and -; a value is at most 63 of "
    "a-z, 0-9, _ and -; goog…, application, connection and managed-by are reserved"
)
PROVIDER_RULE = "an https:// address without user, query and fragment"
CALLBACK_RULE = "an https:// address in ASCII without user and fragment"
PROXY_RULE = "a proxy's address, http://host:port (TLS to it is proxy.ssl, its user proxyUsername and proxyPassword)"
RANGE_RULE = "an IPv4 range like 10.8.0.0/24 in a private one: 10/8, 172.16/12 or 192.168/16"
PEM_RULE = "a text of certificates in PEM form (-----BEGIN CERTIFICATE----- …), without a private key"
HOST_RULE = "a host (crm.internal), a domain (*.internal), an address, a network (10.1.0.0/16), without scheme or port"
MEMBER_RULE = "an IAM member (user:ann@example.com, serviceAccount:…); allUsers would make the private connector public"

T = TypeVar("T")
NO_SLASH = AfterValidator(lambda url: url.rstrip("/"))
# IAM and mail fold case: two grants of one are one, and go together.
FOLDED = re.compile("(?!principal).*[:@]").match
ONCE = once("{value} is there more than once", lambda entry: entry.casefold() if FOLDED(entry) else entry)
Many = Annotated[tuple[T, ...], ONCE]
# A topic's name must not start with "goog": https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names
Name = Annotated[str, form(NAME, "sms", r"(?!goog)[a-z]([a-z0-9-]{0,61}[a-z0-9])?")]
LabelKey = Annotated[str, form("", "", r"(?!goog|(application|connection|managed-by)\Z)[a-z][a-z0-9_-]{0,62}")]
LabelValue = Annotated[str, form("", "", "[a-z0-9_-]{0,63}")]
# A resource takes 64 labels, three of them are ours.
MOST_LABELS = Field(title=LABEL_RULE, max_length=64 - 3, examples=[{"team": "retail"}])
Labels = Annotated[Mapping[LabelKey, LabelValue], MOST_LABELS]
OPTION_RULE = "an option of the provider by its name, with a value without spaces and commas"
# Pulumi makes a truth value of `true` on its way.
OptionText = BeforeValidator(lambda value: json.dumps(value) if isinstance(value, bool) else value)
OptionValue = Annotated[str, form("", "", r"[^\s,]+"), OptionText]
Options = Annotated[Mapping[str, OptionValue], Field(title=OPTION_RULE, examples=[{"messageType": "OTP"}])]
LINE = "a line of text of 1 to {} bytes".format
Description = Annotated[str, form(LINE(256), "'Order updates'"), Predicate(lambda text: _is_line(text, 256))]
Reply = Annotated[str, form(LINE(1600), "'Help: support@example.com'"), Predicate(lambda text: _is_line(text, 1600))]
NAMES = f"known; allowed are {', '.join(providers.PROVIDERS)}"
Provider = Annotated[str, form(NAMES, providers.DEFAULT, "|".join(providers.PROVIDERS))]
ProviderUrl = Annotated[str, form(PROVIDER_RULE, "https://api.example.com", PROVIDER_URL), NO_SLASH]
CallbackUrl = Annotated[str, form(CALLBACK_RULE, "https://crm.example.com/sms-results", CALLBACK_URL)]
Organization = Annotated[str, form("an organization's id", "4c1f0a52-7d3e-4b86-9a1d-2f60c58e7b90", "[!-~]{1,100}")]
ProxyUrl = Annotated[str, form(PROXY_RULE, "http://proxy.example.com:3128", rf"http://{HOST}{PORT}/?"), NO_SLASH]
Sender = Annotated[str, form(SENDER_RULE, "+15551234567", FORMS), BeforeValidator(with_plus)]
COUNTRY_RULE = "a country in two letters of ISO 3166, such as DE; for UK write GB"
Country = Annotated[str, form(COUNTRY_RULE, "DE"), Predicate(COUNTRIES.__contains__)]
UnitName = Annotated[str, form(LINE(100), "Retail"), Predicate(lambda text: _is_line(text, 100))]
SenderName = Annotated[str, form(LINE(100), "Orders"), Predicate(lambda text: _is_line(text, 100))]


class ListedSender(BaseModel):
    """One of several senders (docs/senders.md), by the names that the functions read."""

    model_config = STRICT

    address: Sender
    name: SenderName | None = None
    business_unit: UnitName | None = None
    kind: Literal["long_code", "toll_free", "short_code", "alphanumeric", "pool", "channel"] | None = None
    countries: tuple[Country, ...] = ()
    default: Flag = False


ListedSenders = Annotated[
    tuple[ListedSender, ...],
    once("has the address of another one", lambda sender: sender.address),
    once("has the name of another one", lambda sender: sender.name and " ".join(sender.name.split()).casefold()),
    once("has a second default", lambda sender: sender.default and channel_of(sender.address) + ":"),
]
Network = Annotated[str, form("a VPC network's name", "company-vpc", rf"({PROJECT}/global/networks/)?{RESOURCE}")]
Subnet = Annotated[str, form("a subnetwork's name", "run-egress", rf"({PROJECT}/{REGIONS}/subnetworks/)?{RESOURCE}")]
IN_PRIVATE = Predicate(lambda net: any(map(IPv4Network(net).subnet_of, PRIVATE)))
Range = Annotated[str, form(RANGE_RULE, "10.8.0.0/24", r"[\d.]+/\d+"), IN_PRIVATE]
Connector = Annotated[str, form("a connector's name", "egress", CONNECTOR)]
Tag = Annotated[str, form("a network tag", "sms", RESOURCE)]
ATTACHMENT = f"{PROJECT}/{REGIONS}/serviceAttachments/{RESOURCE}"
SERVICE = "projects/p/regions/us-central1/serviceAttachments/sms"
Attachment = Annotated[str, form("projects/…/regions/…/serviceAttachments/…", SERVICE, ATTACHMENT)]
ServiceHost = Annotated[str, form("a host name", "proxy.example.com", PUBLIC_HOST)]
# Without the dashes in front, the first ones of the file are taken for a flag.
Certificates = Annotated[str, form(PEM_RULE, '-- "$(cat ca.pem)"', PEM), Field(json_schema_extra={"writeOnly": True})]
Bucket = Annotated[str, form("a bucket's name", "my-campaigns", "[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")]
# What the functions take (`SMS_CALLBACK_PRIVATE_HOSTS`). The network of all addresses is none.
NAMED = Predicate(lambda h: bool(re.fullmatch(HOST_NAME, h) or ("%" not in h and ip_network(h, False).prefixlen)))
PrivateHost = Annotated[str, form(HOST_RULE, "crm.internal"), NAMED]
WORD = r"[^\s,]([^,\x00-\x1f]{0,38}[^\s,])?"
Word = Annotated[str, form("a word of at most 40 characters without a comma", "STOPP", WORD)]
WRITE, WRITE_RULE = r"[A-Za-z][A-Za-z0-9]{0,62}\.(CREATE|UPDATE|DELETE)", "an entity type and CREATE, UPDATE or DELETE"
EntityWrite = Annotated[str, form(WRITE_RULE, "IncomingPhoneNumbers.CREATE", WRITE)]
Tool = Annotated[str, form("a tool's name, or all", "list_messages", r"[a-z][a-z0-9_]{0,62}")]
Member = Annotated[str, form(MEMBER_RULE, "user:ann@example.com", MEMBER)]
Email = Annotated[str, form("an e-mail address", "ops@example.com", r"[^\s@]+@[^\s@]+\.[^\s@]+")]
CHANNEL, CHANNEL_RULE = rf"{PROJECT}/notificationChannels/\d+", "projects/…/notificationChannels/…"
Channel = Annotated[str, form(CHANNEL_RULE, "projects/p/notificationChannels/1234", CHANNEL)]


def key(meaning: str, default: object = None, **more: Any) -> Any:
    return Field(default, description=meaning, **more)


class ConnectionConfig(BaseModel):
    """A connection whose keys were read. Secret values are fields of `WITH_SECRETS`, which is what is read."""

    model_config = STRICT

    name: Name = key("The connection's name.", "sms", alias="connection")
    summary: Description | None = key("Shown at the functions, the accounts and by the connector.", alias="description")
    labels: Labels = key("Labels on everything that takes labels.", {})
    provider: Provider = key("The SMS provider.", providers.DEFAULT)
    provider_options: Options = key("What only this provider knows (docs/providers).", {})
    provider_url: ProviderUrl | None = key("Base URL of the provider's API; without it the public one.")
    sender: Sender | None = key("Default sender: number, short code, alphanumeric id, messaging service.")
    senders: ListedSenders = key("Several senders instead of `sender`: list of address, name, countries, …", ())
    business_unit: UnitName | None = key("The connection's business unit; shown.")
    default_country: Country | None = key("Country of recipients in national form (`0171 3920017`).")
    nodes_min: Whole = key("Instances of `connector` that are kept warm.", 2, ge=0, le=1000)
    nodes_max: Whole = key("Instances of `connector` at most.", 50, ge=1, le=1000)
    workers_max: Whole = key("Instances of `worker` at most; it scales to zero.", 50, ge=1, le=1000)
    rate_node: Whole = key("Transactions per second of one instance.", 25, ge=1, le=25)
    rate_connection: Whole | None = key(
        "Transactions per second of the whole connection.", ge=1, le=100_000, examples=[100]
    )
    tracking_retry_interval_millis: Whole = key(
        "Milliseconds between two status polls of a message.", 10_000, ge=100, le=3_000_000
    )
    tracking_retry_attempts: Whole = key("Status polls of a message at most.", 6, ge=0, le=100)
    tracking_expire_after_hours: Whole = key(
        "Hours without a final status after which a message is `expired`.", 72, ge=1, le=29 * 24
    )
    proxy_url: ProxyUrl | None = key("Proxy to the provider.")
    proxy_auth: Literal["none", "basic", "digest"] = key("How the proxy authenticates.", "none", examples=["basic"])
    proxy_ssl: Literal["auto", "always", "never", "tunnel"] = key("TLS to and through the proxy.", "auto")
    network_vpc: Network | None = key("VPC that calls to the provider leave through.")
    network_subnet: Subnet | None = key("Existing subnetwork of that VPC.")
    network_range: Range | None = key("Range of a subnetwork that is made in that VPC.")
    network_connector: Connector | None = key("Existing Serverless VPC Access connector.")
    network_egress: Literal["private", "all"] = key(
        "Traffic that leaves through the VPC: private ranges or all.", "private"
    )
    network_tags: Many[Tag] = key("Network tags for firewall rules.", ())
    network_static_address: Flag = key("A fixed public address to the provider (Cloud NAT).", False)
    network_service_attachment: Attachment | None = key(
        "Private Service Connect: the attachment of the proxy or provider."
    )
    network_service_host: ServiceHost | None = key("Host name that resolves to that attachment.")
    network_ca: Certificates | None = key("Certificate authorities (PEM) trusted beside the public ones.")
    campaigns_buckets: Many[Bucket] = key("Buckets whose objects campaigns may read.", ())
    callbacks_url: CallbackUrl | None = key("Where final results are posted, for requests that name no `callbackUrl`.")
    callbacks_private_hosts: Many[PrivateHost] = key("Private hosts that results may be posted to.", ())
    callbacks_format: Literal["standard", "journeys"] = key(
        "Documents that are posted: standard, or Customer Insights - Journeys'.", "standard", examples=["journeys"]
    )
    callbacks_journeys_organization_id: Organization | None = key("The organization's id in those documents.")
    consent_stop_words: Many[Word] = key("Words that end consent, beside the provider's own.", ())
    consent_help_reply: Reply | None = key("Reply to HELP.")
    entities_writes: Many[EntityWrite] = key(
        "Risky operations on the provider's data that are switched on, such as `IncomingPhoneNumbers.CREATE`.", ()
    )
    entities_tools: Many[Tool] = key("Tools of single entity types that `/mcp` lists too, or `all`.", ())
    callers: Many[Member] = key("IAM members who may call `connector`.", ())
    alerts_emails: Many[Email] = key("Who receives alerts.", ())
    alerts_channels: Many[Channel] = key("Existing notification channels.", ())
    alerts_uptime: Flag = key("Check `webhook` from outside every five minutes.", True)
    logs_requests: Flag = key(
        "Keep the platform's log of requests. Its addresses hold phone numbers; the functions' own log never does.",
        False,
    )
    logs_secret_reads: Flag = key("Log every read of a secret in the project.", False)
    rotation_days: Whole = key("Days between two rotation notices.", 90, ge=1, le=3650)
    webhook_public: Literal["check-disabled", "grant", "none"] = key(
        "Access to `webhook` for the provider: check-disabled, grant (to allUsers) or none (polling only).",
        "check-disabled",
    )
    backup_days: Whole = key("Days a daily backup of the database is kept; 0: no backups.", 14, ge=0, le=98)
    backup_point_in_time: Flag = key("Keep every version of the last seven days, to the minute.", False)
    grants_seconds: Annotated[Whole, Field(ge=0, le=900)] = key(
        "Seconds until a new grant acts; functions, and secrets that rotate, are made that much later.", 60
    )
    protect: Flag = key("Keep the database and the secrets when the stack is destroyed.", True)
    log_level: Literal["error", "info", "debug"] = key(
        "Log level: `error`, `info` or `debug`. Events that alerts count are logged at every level.", "info"
    )
    suspended: Flag = key("Send nothing: campaigns wait, and sends are refused.", False)
    require_active: Flag = key("Fail the update when the connection check doesn't say ACTIVE.", False)

    @property
    def description(self) -> str:
        return self.summary or f"SMS connection {self.name}"

    @property
    def uses_network(self) -> bool:
        """`network.vpc` with a subnetwork or a range is direct VPC egress, `network.connector` the older way."""
        return bool(self.network_vpc or self.network_connector)

    @property
    def secrets(self) -> Mapping[str, SecretStr]:
        """The secret values that were given, by file name (`auth-token`)."""
        given = {spec.name: getattr(self, spec.key, None) for spec in providers.configured_secrets()}
        return {name: SecretStr(value.get_secret_value().rstrip()) for name, value in given.items() if value}

    @property
    def secret_specs(self) -> tuple[providers.SecretSpec, ...]:
        """Every secret of this connection, given or not."""
        proxy = providers.PROXY_SECRETS if self.proxy_url and self.proxy_auth != "none" else ()
        trusted = (providers.CA_CERTIFICATES,) if self.network_ca else ()
        return (*providers.PROVIDERS[self.provider].secrets, *providers.OWN_SECRETS, *proxy, *trusted)


def secret(prefix: str) -> Any:
    """Return the type of a secret value: one line, of which a trailing newline is not part."""
    begin = f" that begin with {prefix!r} (or is it the value of another key?)" if prefix else ""
    title = Field(title=f"one line of printable ASCII characters{begin}", examples=[""], strict=True)
    right = re.compile(rf"(?={prefix})[!-~]([ -~]*[!-~])?[\r\n]*").fullmatch
    return Annotated[SecretStr, title, Predicate(lambda value: bool(right(value.get_secret_value())))]


_SECRETS: dict[str, Any] = {
    spec.key: (secret(spec.prefix) | None, key(f"Secret value: {spec.meaning}.", alias=spec.key))
    for spec in providers.configured_secrets()
}
WITH_SECRETS = create_model("WithSecrets", __base__=ConnectionConfig, **_SECRETS)
_SCHEMA = WITH_SECRETS.model_json_schema()


def _plain(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema without references; of a value that may be missing, the schema of the value."""
    found = {**schema, **schema.get("anyOf", [{}])[0]}
    if "$ref" in found:
        found |= _SCHEMA["$defs"][found["$ref"].rpartition("/")[2]]
    if "items" in found:
        found["items"] = _plain(found["items"])
    return {**found, "properties": {name: _plain(inner) for name, inner in found.get("properties", {}).items()}}


# JSON schema by key.
SCHEMAS: Mapping[str, Mapping[str, Any]] = {key: _plain(schema) for key, schema in _SCHEMA["properties"].items()}
# Of these a text is taken as it is; of all others as JSON.
TEXTS = frozenset(key for key, schema in SCHEMAS.items() if schema["type"] == "string")
SECRET_KEYS = frozenset(_SECRETS)
GROUPS = frozenset(key.partition(".")[0] for key in SCHEMAS if "." in key)
