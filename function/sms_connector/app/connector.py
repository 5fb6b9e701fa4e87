"""The `connector` function: the private API, and the events that the queue brings."""

from __future__ import annotations

from collections.abc import Mapping

from sms_connector.api.dispatcher import build_api
from sms_connector.api.handler import Handle
from sms_connector.api.resources.tasks import TaskTable, event_tasks, task_routes
from sms_connector.app.container import Node, make_services, start


def serve(environ: Mapping[str, str]) -> Handle:
    return build_connector(start(environ))


def build_connector(node: Node) -> Handle:
    return build_api(make_services(node), own_routes=task_routes(make_event_tasks(node)))


def make_event_tasks(node: Node) -> TaskTable:
    return event_tasks(node.events, node.notifications, node.engine.maintenance)
