"""Settings, read once from the environment (docs/settings.md): frozen and typed, with all problems reported at once.

`load` raises `errors.StartError` with every problem: which variable, what is wrong with it, what is allowed. A variable
that is set to nothing counts as absent. A name with our prefix that we don't know is a problem too: a misspelled
setting is never left out in silence. Values that may hold a credential (addresses) are not repeated in messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from sms_connector import registry
from sms_connector import settings_values as values
from sms_connector.errors import StartError
from sms_connector.model.phone_number import Sender, parse_country, parse_sender
from sms_connector.transport.settings import ProxyAuth, ProxySettings, ProxySsl

LEDGER_FORMS: Final = "sqlite:<path> or firestore:<project>/<database>"
QUEUE_FORMS: Final = "sqlite:<path> or cloud-tasks:<project>/<location>"
PREFIX: Final = "SMS_"
# Names of the command line and the sandbox, which often share a shell with a local connector.
FOREIGN_PREFIXES: Final = ("SMS_CLI_", "SMS_SANDBOX_")
# A message is kept for 30 days: a day is left in which its end can be read.
EXPIRE_AFTER_HOURS_MOST: Final = 29 * 24

T = TypeVar("T")
D = TypeVar("D")
Level = Literal["error", "info", "debug"]


class LedgerAddress(msgspec.Struct, frozen=True):
    """Where the ledger is: `path` with `sqlite`, `project` and `database` with `firestore`."""

    kind: Literal["sqlite", "firestore"]
    path: Path | None = None
    project: str = ""
    database: str = ""


class QueueAddress(msgspec.Struct, frozen=True):
    """The queue of durable work: `path` with `sqlite`, all else with `cloud-tasks` (who is called, and as whom)."""

    kind: Literal["sqlite", "cloud-tasks"]
    path: Path | None = None
    project: str = ""
    location: str = ""
    worker_url: str = ""
    connector_url: str = ""
    account: str = ""


class TrackingSettings(msgspec.Struct, frozen=True):
    """Defaults of tracking, and the hours without a final status after which a message is `expired`."""

    retry_interval_millis: int = 10_000
    retry_attempts: int = 6
    expire_after_hours: int = 72


class ConnectionSettings(msgspec.Struct, frozen=True):
    """The connection's name, place and size. `suspended`: it was deployed so."""

    name: str = "local"
    description: str = ""
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    region: str | None = None
    nodes_min: int | None = None
    nodes_max: int | None = None
    suspended: bool = False


class Settings(msgspec.Struct, frozen=True):
    """All settings. `project` is the Google Cloud project, for the links of traces; None elsewhere."""

    ledger: LedgerAddress
    connection: ConnectionSettings = msgspec.field(default_factory=ConnectionSettings)
    provider: str = registry.DEFAULT
    provider_url: str | None = None
    sender: Sender | None = None
    default_country: str | None = None
    tracking: TrackingSettings = msgspec.field(default_factory=TrackingSettings)
    node_rate: int = 25
    connection_rate: int | None = None
    workers_max: int = 1
    secrets_dir: Path = Path("/secrets")
    queue: QueueAddress | None = None
    webhook_url: str | None = None
    proxy: ProxySettings | None = None
    ca_file: Path | None = None
    log_level: Level = "info"
    campaign_sources: tuple[str, ...] = ()
    stop_words: tuple[str, ...] = ()
    help_reply: str | None = None
    callback_url: str | None = None
    callback_private_hosts: tuple[str, ...] = ()
    on_platform: bool = False
    project: str | None = None


def load(environ: Mapping[str, str], *, needs_ledger: bool = True) -> Settings:
    """Load the settings. Raises StartError listing every problem."""
    reader = _Reader(environ)
    on_platform = bool(environ.get("K_SERVICE"))
    ledger = reader.read("SMS_LEDGER", _parse_ledger, None)
    if needs_ledger and ledger is None and not environ.get("SMS_LEDGER", "").strip():
        reader.problems.append(f"SMS_LEDGER is missing: looked in the environment; set it to {LEDGER_FORMS}")
    settings = Settings(
        ledger=ledger or LedgerAddress("sqlite"),
        connection=_read_connection(reader),
        provider=reader.read("SMS_PROVIDER", values.one_of(*registry.PROVIDERS), registry.DEFAULT),
        provider_url=reader.read("SMS_PROVIDER_URL", values.base_url, None),
        sender=reader.read("SMS_SENDER", parse_sender, None),
        default_country=reader.read("SMS_DEFAULT_COUNTRY", parse_country, None),
        tracking=TrackingSettings(
            reader.read("SMS_RETRY_INTERVAL_MILLIS", values.whole_number(100, 3_600_000), 10_000),
            reader.read("SMS_RETRY_ATTEMPTS", values.whole_number(0, 100), 6),
            reader.read("SMS_EXPIRE_AFTER_HOURS", values.whole_number(1, EXPIRE_AFTER_HOURS_MOST), 72),
        ),
        node_rate=reader.read("SMS_NODE_RATE", values.whole_number(1, 25), 25),
        connection_rate=reader.read("SMS_CONNECTION_RATE", values.whole_number(1, 100_000), None),
        workers_max=reader.read("SMS_WORKERS_MAX", values.whole_number(1, 1000), 1),
        secrets_dir=reader.read("SMS_SECRETS_DIR", Path, Path("/secrets")),
        queue=_read_queue(reader),
        webhook_url=reader.read("SMS_WEBHOOK_URL", values.base_url, None),
        proxy=_read_proxy(reader),
        ca_file=reader.read("SMS_CA_FILE", values.existing_file, None),
        log_level=reader.read("SMS_LOG_LEVEL", values.one_of("error", "info", "debug"), "info"),
        campaign_sources=reader.read("SMS_CAMPAIGN_SOURCES", values.list_of(values.campaign_source), ()),
        stop_words=reader.read("SMS_STOP_WORDS", values.list_of(values.keyword), ()),
        help_reply=reader.read("SMS_HELP_REPLY", values.text(1600), None),
        callback_url=reader.read("SMS_CALLBACK_URL", values.callback_url, None),
        callback_private_hosts=reader.read("SMS_CALLBACK_PRIVATE_HOSTS", values.list_of(values.host), ()),
        on_platform=on_platform,
        project=environ.get("GOOGLE_CLOUD_PROJECT") or (ledger.project if ledger else "") or None,
    )
    if settings.callback_url and settings.queue is None and not environ.get("SMS_QUEUE", "").strip():
        reader.problems.append(f"SMS_QUEUE is missing: SMS_CALLBACK_URL needs it; set it to {QUEUE_FORMS}")
    services = _refuse_local_services(settings) if on_platform else _find_unusable_files(settings)
    problems = [*reader.problems, *services, *_find_unknown_settings(environ, reader.known)]
    if problems:
        raise StartError(problems)
    return settings


class _Reader:
    """Reads variables by name, keeps what is wrong, and remembers which names there are."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []
        self.known: list[str] = []

    def read(self, name: str, parse: Callable[[str], T], default: D) -> T | D:
        """Return the value, or `default` where the variable is absent or wrong; keep the problem."""
        self.known.append(name)
        raw = self._environ.get(name, "").strip()
        if not raw:
            return default
        try:
            return parse(raw)
        except ValueError as problem_text:
            self.problems.append(f"{name} (environment): {problem_text}")
            return default


def _read_connection(reader: _Reader) -> ConnectionSettings:
    connection = ConnectionSettings(
        name=reader.read("SMS_CONNECTION", values.connection_name, "local"),
        description=reader.read("SMS_DESCRIPTION", values.text(1024), ""),
        labels=reader.read("SMS_LABELS", values.labels, {}),
        region=reader.read("SMS_REGION", values.region, None),
        nodes_min=reader.read("SMS_NODES_MIN", values.whole_number(0, 1000), None),
        nodes_max=reader.read("SMS_NODES_MAX", values.whole_number(1, 1000), None),
        suspended=reader.read("SMS_SUSPENDED", values.truth, False),
    )
    if (connection.nodes_min or 0) > (connection.nodes_max or 1000):
        reader.problems.append("SMS_NODES_MIN is more than SMS_NODES_MAX: lower it, or raise the other")
    return connection


def _read_queue(reader: _Reader) -> QueueAddress | None:
    address = reader.read("SMS_QUEUE", _parse_queue, None)
    called = {
        "SMS_WORKER_URL": reader.read("SMS_WORKER_URL", values.base_url, ""),
        "SMS_CONNECTOR_URL": reader.read("SMS_CONNECTOR_URL", values.base_url, ""),
        "SMS_TASKS_ACCOUNT": reader.read("SMS_TASKS_ACCOUNT", values.service_account, ""),
    }
    if address is None or address.kind == "sqlite":
        return address
    wrong = {problem.partition(" ")[0] for problem in reader.problems}
    reader.problems.extend(
        f"{name} is missing: looked in the environment; SMS_QUEUE=cloud-tasks:… needs it"
        for name, value in called.items()
        if not value and name not in wrong
    )
    worker_url, connector_url, account = called.values()
    return QueueAddress("cloud-tasks", None, address.project, address.location, worker_url, connector_url, account)


def _read_proxy(reader: _Reader) -> ProxySettings | None:
    address = reader.read("SMS_PROXY_URL", values.proxy_address, None)
    auth = ProxyAuth(reader.read("SMS_PROXY_AUTH", values.one_of(*ProxyAuth), ProxyAuth.NONE))
    ssl = ProxySsl(reader.read("SMS_PROXY_SSL", values.one_of(*ProxySsl), ProxySsl.AUTO))
    if address is not None:
        return ProxySettings(*address, auth, ssl)
    idle = [
        name
        for name, value, default in (("SMS_PROXY_AUTH", auth, ProxyAuth.NONE), ("SMS_PROXY_SSL", ssl, ProxySsl.AUTO))
        if value != default
    ]
    if idle and not any(problem.startswith("SMS_PROXY_URL ") for problem in reader.problems):
        reader.problems.append(
            f"SMS_PROXY_URL is missing: looked in the environment; {' and '.join(idle)} can't work without it"
        )
    return None


def _parse_ledger(raw: str) -> LedgerAddress:
    kind, _, rest = raw.partition(":")
    if kind == "sqlite" and rest:
        return LedgerAddress("sqlite", path=Path(rest))
    if kind == "firestore":
        project, database = values.two_parts(rest, LEDGER_FORMS)
        return LedgerAddress("firestore", project=project, database=database)
    raise ValueError(f"it has to be {LEDGER_FORMS}")


def _parse_queue(raw: str) -> QueueAddress:
    kind, _, rest = raw.partition(":")
    if kind == "sqlite" and rest:
        return QueueAddress("sqlite", path=Path(rest))
    if kind == "cloud-tasks":
        project, location = values.two_parts(rest, QUEUE_FORMS)
        return QueueAddress("cloud-tasks", project=project, location=location)
    raise ValueError(f"it has to be {QUEUE_FORMS}")


def _refuse_local_services(settings: Settings) -> list[str]:
    """On the platform a file is gone with its instance, and plain http goes through someone else's network."""
    local = [
        ("SMS_LEDGER", settings.ledger.path is not None, "firestore:<project>/<database>"),
        (
            "SMS_QUEUE",
            settings.queue is not None and settings.queue.path is not None,
            "cloud-tasks:<project>/<location>",
        ),
        ("SMS_CAMPAIGN_SOURCES", any(not s.startswith("gs://") for s in settings.campaign_sources), "gs://<bucket>"),
        *(
            (name, bool(url) and not str(url).startswith("https://"), "an https:// address")
            for name, url in _urls(settings)
        ),
    ]
    return [
        f"{name} (environment) is for a local run, but K_SERVICE is set, so this is the platform: set it to {wanted}"
        for name, is_local, wanted in local
        if is_local
    ]


def _find_unusable_files(settings: Settings) -> list[str]:
    """Check files now: they are opened at their first use, where a wrong path would fail requests."""
    files = (("SMS_LEDGER", settings.ledger.path), ("SMS_QUEUE", settings.queue.path if settings.queue else None))
    found = ((name, values.database_problem(path)) for name, path in files if path is not None)
    return [f"{name} (environment): {problem_text}" for name, problem_text in found if problem_text is not None]


def _urls(settings: Settings) -> list[tuple[str, str | None]]:
    queue = settings.queue
    return [
        ("SMS_PROVIDER_URL", settings.provider_url),
        ("SMS_WEBHOOK_URL", settings.webhook_url),
        ("SMS_CALLBACK_URL", settings.callback_url),
        ("SMS_WORKER_URL", queue.worker_url if queue else None),
        ("SMS_CONNECTOR_URL", queue.connector_url if queue else None),
    ]


def _find_unknown_settings(environ: Mapping[str, str], known: list[str]) -> list[str]:
    unknown_settings = sorted(
        name
        for name in environ
        if name.startswith(PREFIX) and name not in known and not name.startswith(FOREIGN_PREFIXES)
    )
    return [f"{name} (environment) is not a setting; {_suggest(name, known)}" for name in unknown_settings]


def _suggest(name: str, known: list[str]) -> str:
    from difflib import get_close_matches  # only a start that fails pays for it

    nearest = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {nearest[0]}?" if nearest else "docs/settings.md lists them all"
