"""Settings, read once from the environment (docs/settings.md): frozen and typed, with all problems reported at once.

`load` raises `errors.StartError` with every problem: which variable, what is wrong with it, what is allowed. A variable
that is set to nothing counts as absent. A name with our prefix that we don't know is a problem too: a misspelled
setting is never left out in silence. Values that may hold a credential (addresses) are not repeated in messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from sms_connector import registry
from sms_connector import settings_values as values
from sms_connector.errors import StartError
from sms_connector.model.invalid_value import InvalidValueError
from sms_connector.model.phone_number import Sender, parse_country, parse_sender
from sms_connector.model.senders import Senders
from sms_connector.sender_settings import read_senders
from sms_connector.transport.settings import ProxyAuth, ProxySettings, ProxySsl

LEDGER_FORMS: Final = "sqlite:<path> or firestore:<project>/<database>"
QUEUE_FORMS: Final = "sqlite:<path> or cloud-tasks:<project>/<location>"
PREFIX: Final = "SMS_"
# Names of the command line and the sandbox, which often share a shell with a local connector.
FOREIGN_PREFIXES: Final = ("SMS_CLI_", "SMS_SANDBOX_")
# A message is kept for 30 days: a day is left in which its end can be read.
EXPIRE_AFTER_HOURS_MOST: Final = 29 * 24

Level = Literal["error", "info", "debug"]


class Address(msgspec.Struct, frozen=True):
    """Where the ledger or the queue is: `path` of a file; else `project` and `place`, which is a Firestore database or
    the location of Cloud Tasks."""

    path: Path | None = None
    project: str = ""
    place: str = ""


class Settings(msgspec.Struct, frozen=True):
    """All settings, each named as its variable without the prefix.

    `connection` is its name; `suspended`: it was deployed so. `proxy_url` is the proxy's host and port. With
    `cloud-tasks` `worker_url`, `connector_url` and `tasks_account` say who is called, and as whom. `project` is the
    Google Cloud project, for the links of traces; None elsewhere.
    """

    ledger: Address = Address()
    connection: str = "local"
    description: str = ""
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    region: str | None = None
    nodes_min: int | None = None
    nodes_max: int | None = None
    suspended: bool = False
    provider: str = registry.DEFAULT
    provider_url: str | None = None
    provider_options: Mapping[str, str] = msgspec.field(default_factory=dict)
    sender: Sender | None = None
    senders: tuple[Sender, ...] = ()
    business_unit: str | None = None
    default_country: str | None = None
    retry_interval_millis: int = 10_000
    retry_attempts: int = 6
    expire_after_hours: int = 72
    node_rate: int = 25
    connection_rate: int | None = None
    workers_max: int = 1
    secrets_dir: Path = Path("/secrets")
    queue: Address | None = None
    worker_url: str = ""
    connector_url: str = ""
    tasks_account: str = ""
    webhook_url: str | None = None
    proxy_url: tuple[str, int] | None = None
    proxy_auth: ProxyAuth = ProxyAuth.NONE
    proxy_ssl: ProxySsl = ProxySsl.AUTO
    ca_file: Path | None = None
    log_level: Level = "info"
    campaign_sources: tuple[str, ...] = ()
    stop_words: tuple[str, ...] = ()
    help_reply: str | None = None
    callback_url: str | None = None
    callback_private_hosts: tuple[str, ...] = ()
    callback_format: Literal["standard", "journeys"] = "standard"
    journeys_organization_id: str | None = None
    entity_writes: tuple[str, ...] = ()
    mcp_tools: tuple[str, ...] = ()
    on_platform: bool = False
    project: str | None = None

    @property
    def all_senders(self) -> Senders:
        """The senders, whichever setting lists them."""
        if self.sender is not None:
            return Senders((replace(self.sender, default=True),))
        return Senders(self.senders, complete=bool(self.senders))

    @property
    def proxy(self) -> ProxySettings | None:
        return ProxySettings(*self.proxy_url, self.proxy_auth, self.proxy_ssl) if self.proxy_url else None


def _address(forms: str) -> Callable[[str], Address]:
    remote = forms.partition(" or ")[2].partition(":")[0]

    def parse(raw: str) -> Address:
        kind, _, rest = raw.partition(":")
        if kind == "sqlite" and rest:
            return Address(Path(rest))
        parts = values.TWO_PARTS.fullmatch(rest)
        if kind != remote or not parts:
            raise ValueError(f"it has to be {forms}")
        return Address(None, parts[1], parts[2])

    return parse


# How each variable is read. What is absent has the default of `Settings`.
READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "SMS_LEDGER": _address(LEDGER_FORMS),
    "SMS_CONNECTION": values.connection_name,
    "SMS_DESCRIPTION": values.text(1024),
    "SMS_LABELS": values.labels,
    "SMS_REGION": values.region,
    "SMS_NODES_MIN": values.whole_number(0, 1000),
    "SMS_NODES_MAX": values.whole_number(1, 1000),
    "SMS_SUSPENDED": values.truth,
    "SMS_PROVIDER": values.one_of(*registry.PROVIDERS),
    "SMS_PROVIDER_URL": values.base_url,
    "SMS_PROVIDER_OPTIONS": values.named_values,
    "SMS_SENDER": parse_sender,
    "SMS_SENDERS": read_senders,
    "SMS_BUSINESS_UNIT": values.text(100),
    "SMS_DEFAULT_COUNTRY": parse_country,
    "SMS_RETRY_INTERVAL_MILLIS": values.whole_number(100, 3_600_000),
    "SMS_RETRY_ATTEMPTS": values.whole_number(0, 100),
    "SMS_EXPIRE_AFTER_HOURS": values.whole_number(1, EXPIRE_AFTER_HOURS_MOST),
    "SMS_NODE_RATE": values.whole_number(1, 25),
    "SMS_CONNECTION_RATE": values.whole_number(1, 100_000),
    "SMS_WORKERS_MAX": values.whole_number(1, 1000),
    "SMS_SECRETS_DIR": Path,
    "SMS_QUEUE": _address(QUEUE_FORMS),
    "SMS_WORKER_URL": values.base_url,
    "SMS_CONNECTOR_URL": values.base_url,
    "SMS_TASKS_ACCOUNT": values.service_account,
    "SMS_WEBHOOK_URL": values.base_url,
    "SMS_PROXY_URL": values.proxy_address,
    "SMS_PROXY_AUTH": values.one_of(*ProxyAuth),
    "SMS_PROXY_SSL": values.one_of(*ProxySsl),
    "SMS_CA_FILE": values.existing_file,
    "SMS_LOG_LEVEL": values.one_of("error", "info", "debug"),
    "SMS_CAMPAIGN_SOURCES": values.list_of(values.campaign_source),
    "SMS_STOP_WORDS": values.list_of(values.keyword),
    "SMS_HELP_REPLY": values.text(1600),
    "SMS_CALLBACK_URL": values.callback_url,
    "SMS_CALLBACK_PRIVATE_HOSTS": values.list_of(values.host),
    "SMS_CALLBACK_FORMAT": values.one_of("standard", "journeys"),
    "SMS_JOURNEYS_ORGANIZATION_ID": values.text(100),
    "SMS_ENTITY_WRITES": values.list_of(values.entity_write),
    "SMS_MCP_TOOLS": values.list_of(values.tool_name),
}


def load(environ: Mapping[str, str], *, needs_ledger: bool = True) -> Settings:
    """Load the settings. Raises StartError listing every problem."""
    said = {name: raw for name in READERS if (raw := environ.get(name, "").strip())}
    read: dict[str, Any] = {}
    problems: list[str] = []
    if needs_ledger and "SMS_LEDGER" not in said:
        problems.append(f"SMS_LEDGER is missing: looked in the environment; set it to {LEDGER_FORMS}")
    for name, raw in said.items():
        try:
            read[name.removeprefix(PREFIX).lower()] = READERS[name](raw)
        except InvalidValueError as error:
            problems += [f"{name}{each.field} (environment): {each.message}" for each in error.problems]
        except ValueError as problem_text:
            problems.append(f"{name} (environment): {problem_text}")
    settings = Settings(**read, on_platform=bool(environ.get("K_SERVICE")))
    project = environ.get("GOOGLE_CLOUD_PROJECT") or settings.ledger.project or None
    services = _refuse_local_services(settings) if settings.on_platform else _find_unusable_files(settings)
    problems += [*_find_contradictions(settings, said), *services, *_find_unknown_settings(environ)]
    if problems:
        raise StartError(problems)
    return replace(settings, project=project)


def _find_contradictions(settings: Settings, said: Mapping[str, str]) -> Iterator[str]:
    """Compare settings with each other. One that is wrong by itself is a problem already."""
    if (settings.nodes_min or 0) > (settings.nodes_max or 1000):
        yield "SMS_NODES_MIN is more than SMS_NODES_MAX: lower it, or raise the other"
    if "SMS_SENDER" in said and "SMS_SENDERS" in said:
        yield 'SMS_SENDER and SMS_SENDERS are both set: keep one; SMS_SENDER=x is [{"address": "x", "default": true}]'
    if _uses_cloud_tasks(settings):
        for name in ("SMS_WORKER_URL", "SMS_CONNECTOR_URL", "SMS_TASKS_ACCOUNT"):
            if name not in said:
                yield f"{name} is missing: looked in the environment; SMS_QUEUE=cloud-tasks:… needs it"
    idle = ["SMS_PROXY_AUTH"] if settings.proxy_auth is not ProxyAuth.NONE else []
    idle += ["SMS_PROXY_SSL"] if settings.proxy_ssl is not ProxySsl.AUTO else []
    if idle and "SMS_PROXY_URL" not in said:
        yield f"SMS_PROXY_URL is missing: looked in the environment; {' and '.join(idle)} can't work without it"
    if settings.callback_format == "journeys":
        for name in ("SMS_CALLBACK_URL", "SMS_JOURNEYS_ORGANIZATION_ID"):
            if name not in said:
                yield f"{name} is missing: looked in the environment; SMS_CALLBACK_FORMAT=journeys needs it"
    if settings.callback_url and "SMS_QUEUE" not in said:
        yield f"SMS_QUEUE is missing: SMS_CALLBACK_URL needs it; set it to {QUEUE_FORMS}"


def _uses_cloud_tasks(settings: Settings) -> bool:
    return settings.queue is not None and settings.queue.path is None


def _refuse_local_services(settings: Settings) -> Iterator[str]:
    """On the platform a file is gone with its instance, and plain http goes through someone else's network."""
    urls = {
        "SMS_PROVIDER_URL": settings.provider_url,
        "SMS_WEBHOOK_URL": settings.webhook_url,
        "SMS_CALLBACK_URL": settings.callback_url,
    }
    if _uses_cloud_tasks(settings):
        urls |= {"SMS_WORKER_URL": settings.worker_url, "SMS_CONNECTOR_URL": settings.connector_url}
    local = {
        "SMS_LEDGER": (settings.ledger.path is not None, "firestore:<project>/<database>"),
        "SMS_QUEUE": (
            settings.queue is not None and settings.queue.path is not None,
            "cloud-tasks:<project>/<location>",
        ),
        "SMS_CAMPAIGN_SOURCES": (any(not s.startswith("gs://") for s in settings.campaign_sources), "gs://<bucket>"),
        **{name: (bool(url and not url.startswith("https://")), "an https:// address") for name, url in urls.items()},
    }
    for name, (is_local, wanted) in local.items():
        if is_local:
            yield (
                f"{name} (environment) is for a local run, but K_SERVICE is set, so this is the platform: set it to "
                f"{wanted}"
            )


def _find_unusable_files(settings: Settings) -> Iterator[str]:
    """Check files now: they are opened at their first use, where a wrong path would fail requests."""
    for name, address in (("SMS_LEDGER", settings.ledger), ("SMS_QUEUE", settings.queue)):
        if address and address.path and (problem_text := values.database_problem(address.path)):
            yield f"{name} (environment): {problem_text}"


def _find_unknown_settings(environ: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in READERS and not name.startswith(FOREIGN_PREFIXES):
            from difflib import get_close_matches  # only a start that fails pays for it

            nearest = get_close_matches(name, READERS, n=1, cutoff=0.6)
            hint = f"did you mean {nearest[0]}?" if nearest else "docs/settings.md lists them all"
            yield f"{name} (environment) is not a setting; {hint}"
