"""The `connector` function: the private API, and the events that the queue brings."""

from __future__ import annotations

from collections.abc import Mapping

from sms_connector.api.dispatcher import build_api
from sms_connector.api.handler import Handle
from sms_connector.api.resources.tasks import TaskTable, event_tasks, task_routes
from sms_connector.api.routing import ConnectionProfile, Services
from sms_connector.app.adapters import make_log, open_sources
from sms_connector.app.node import Node, start
from sms_connector.settings import Settings


def serve(environ: Mapping[str, str]) -> Handle:
    return build_connector(start(environ))


def build_connector(node: Node) -> Handle:
    return build_api(make_services(node), own_routes=task_routes(make_event_tasks(node)))


def make_services(node: Node) -> Services:
    return Services(
        node.engine,
        make_profile(node.settings),
        node.provider.capabilities,
        make_log(node.settings),
        node.notifications,
        objects=open_sources(node.settings),
    )


def make_event_tasks(node: Node) -> TaskTable:
    return event_tasks(node.events, node.notifications, node.engine.maintenance)


def make_profile(settings: Settings) -> ConnectionProfile:
    connection, proxy = settings.connection, settings.proxy
    return ConnectionProfile(
        name=connection.name,
        provider=settings.provider,
        description=connection.description,
        labels=connection.labels,
        region=connection.region,
        nodes_min=connection.nodes_min,
        nodes_max=connection.nodes_max,
        proxy_url=proxy.url if proxy else None,
        proxy_auth=proxy.auth if proxy else "none",
        proxy_ssl=proxy.ssl if proxy else "auto",
        sender=settings.sender,
        default_country=settings.default_country,
        retry_interval_millis=settings.tracking.retry_interval_millis,
        retry_attempts=settings.tracking.retry_attempts,
        callbacks=settings.webhook_url is not None,
        callback_url=settings.callback_url,
        has_queue=settings.queue is not None,
        on_platform=settings.on_platform,
    )
