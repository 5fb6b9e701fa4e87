"""The `rotator` function: the only one that may add versions of secrets and disable them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sms_connector.api.dispatcher import serve as serve_routes
from sms_connector.api.handler import Handle
from sms_connector.api.resources.health import ROUTES as HEALTH
from sms_connector.api.resources.rotations import rotation_routes
from sms_connector.app.container import Node, make_services, start
from sms_connector.local.secrets import FolderVersions
from sms_connector.model.policy import Policy
from sms_connector.ports import SecretVersions
from sms_connector.rotation import RotationTiming, Rotator
from sms_connector.sending.idempotency import IdempotencyKeys
from sms_connector.store.node_lease import NodeLease


def serve(environ: Mapping[str, str]) -> Handle:
    """Build the HTTP function. Raises StartError listing every problem."""
    return build_rotator(start(environ))


def build_rotator(node: Node, timing: RotationTiming | None = None) -> Handle:
    # A lease of its own, which says nothing of secrets: it is not one of the nodes that it waits for.
    lease = NodeLease(node.ledger, clock=node.clock, policy=Policy())
    keys = IdempotencyKeys(node.ledger, lease, clock=node.clock, policy=Policy())
    rotator = Rotator(
        node.provider, open_versions(node), node.ledger, lease, keys, node.clock, timing or RotationTiming()
    )
    routes = rotation_routes(rotator, node.settings.connection, read_time)
    return serve_routes(make_services(node), (*HEALTH, *routes))


def open_versions(node: Node) -> SecretVersions:
    settings = node.settings
    if not settings.on_platform:
        return FolderVersions(settings.secrets_dir)
    from sms_connector.cloud.secrets import ManagedVersions

    return ManagedVersions.connect(settings.project or "", settings.connection)


def read_time(text: str) -> float:
    """Read Pub/Sub's publish time; now where there is none, so that a notice is never taken for an old one."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return datetime.now(UTC).timestamp()
