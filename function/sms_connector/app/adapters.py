"""From a setting to what it names: ledgers, queues, sources, the way out. Cloud libraries are imported when they are
named."""

from __future__ import annotations

from msgspec.structs import replace

from sms_connector.callbacks.callback_address import CallbackAddress
from sms_connector.campaigns.sources import BUCKETS, AllowedSources
from sms_connector.local.objects import FileObjects
from sms_connector.ports import Clock, Ledger, SecretSource, TaskQueue
from sms_connector.settings import Address, Settings
from sms_connector.structured_log import StructuredLog
from sms_connector.transport.settings import TransportSettings


def make_log(settings: Settings) -> StructuredLog:
    return StructuredLog(level=settings.log_level, connection=settings.connection, project=settings.project)


def make_transport_settings(settings: Settings, timing: TransportSettings | None = None) -> TransportSettings:
    ca_file = str(settings.ca_file) if settings.ca_file else None
    return replace(timing or TransportSettings(), proxy=settings.proxy, ca_file=ca_file)


def build_callbacks(settings: Settings, secrets: SecretSource) -> CallbackAddress | None:
    if settings.webhook_url is None:
        return None
    return CallbackAddress(
        settings.webhook_url, provider=settings.provider, connection=settings.connection, secrets=secrets
    )


def open_queue(settings: Settings, clock: Clock) -> TaskQueue | None:
    address = settings.queue
    if address is None:
        return None
    if address.path is not None:
        from sms_connector.local.queue import SqliteQueue

        return SqliteQueue(address.path, clock=clock)
    from sms_connector.cloud.queue import CloudTasksQueue, Target

    names = (address.project, address.place, settings.connection)
    functions = (settings.worker_url, settings.connector_url, settings.tasks_account)
    return CloudTasksQueue.connect(Target(*names, *functions))


def open_sources(settings: Settings) -> AllowedSources:
    buckets = [source for source in settings.campaign_sources if source.startswith(BUCKETS)]
    paths = [source for source in settings.campaign_sources if not source.startswith(BUCKETS)]
    folders = FileObjects(*paths) if paths else None
    if not buckets:
        return AllowedSources(folders=folders)
    from sms_connector.cloud.objects import BucketObjects

    return AllowedSources(buckets, buckets=BucketObjects.connect(settings.project or ""), folders=folders)


def open_ledger(address: Address, clock: Clock) -> Ledger:
    if address.path is not None:
        from sms_connector.local.ledger import SqliteLedger

        return SqliteLedger(address.path, clock=clock)
    from sms_connector.cloud.ledger import FirestoreLedger

    return FirestoreLedger.connect(address.project, address.place, clock=clock)
