"""The connection as it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from sms_connector.api.schemas.base import Payload, Time, payload_of, write_time
from sms_connector.model.connection_status import ConnectionState
from sms_connector.provider import Capabilities

if TYPE_CHECKING:
    from sms_connector.api.services import ConnectionProfile
    from sms_connector.connection_control import Limits, Suspension


class Nodes(Payload):
    """Instances of `connector`, least and most."""

    min: int | None
    max: int | None


class Proxy(Payload):
    """The proxy on the way to the provider, without its credentials."""

    url: str
    auth: str
    ssl: str


class SenderInfo(Payload):
    """A sender of the connection."""

    address: str
    kind: str
    default: bool


class ScheduleInfo(Payload):
    """The earliest and the latest `sendAt`."""

    earliest_seconds: int
    latest_seconds: int
    needs_pool: Annotated[bool, Meta(description="`sender` has to be a messaging service.")]


class CapabilitiesInfo(Payload):
    """The provider's capabilities. Other operations are refused with kind UNSUPPORTED before any call."""

    text_limit: int
    recipients_per_call: int
    status_by_polling: bool
    status_by_callback: bool
    inbound: bool
    cancel: bool
    redact: bool
    idempotent_send: bool
    max_validity_seconds: int
    media_limit: int
    schedule: ScheduleInfo | None
    sender_kinds: list[str]
    channels: list[str]


class CallbackAddressInfo(Payload):
    """An address that the provider calls. Keep it to yourselves: its token is the proof that a caller knows it."""

    kind: Literal["status", "inbound"]
    url: str
    enter_at: Annotated[str, Meta(description="Where it is entered at the provider.")]


class CallbackAddresses(Payload):
    """The addresses; none where the connection has no webhook."""

    addresses: list[CallbackAddressInfo]


class ConnectionInfo(Payload):
    """`state` is what we do (ACTIVE: messages are sent); what the provider says is `connection:test`."""

    name: str
    description: str
    labels: dict[str, str]
    provider: str
    region: str | None
    nodes: Nodes
    proxy: Proxy | None
    senders: list[SenderInfo]
    capabilities: CapabilitiesInfo
    callbacks: Annotated[bool, Meta(description="false: the provider can't reach us; statuses are polled.")]
    state: Literal["ACTIVE", "SUSPENDED"]
    reason: str | None
    since: Annotated[Time | None, Meta(description="Of a suspension by request; null for one by configuration.")]


class TestAnswer(Payload):
    """The provider's answer to a test."""

    state: ConnectionState
    description: str
    latency_millis: int


class NodeLimits(Payload):
    """The throttle of the node that answered."""

    rate_per_second: int
    started_last_second: int
    available_now: int
    queued: int
    wait_millis: Annotated[
        int, Meta(description="How long a request of several records would wait; one of a single record goes first.")
    ]
    queue_limit_millis: Annotated[int, Meta(description="A call that would wait longer is refused with 429.")]


class ConnectionLimits(Payload):
    """The rate of the whole connection, and this node's present share of it."""

    rate_per_second: int
    share: int | None


class LimitsAnswer(Payload):
    """The rates and what is left of them, in transactions: each call to the provider is one."""

    node: NodeLimits
    connection: ConnectionLimits | None


def write_connection(
    profile: ConnectionProfile, capabilities: Capabilities, suspension: Suspension | None
) -> ConnectionInfo:
    url, sender = profile.proxy_url, profile.sender
    return payload_of(
        ConnectionInfo,
        profile,
        labels=dict(profile.labels),
        nodes=Nodes(profile.nodes_min, profile.nodes_max),
        proxy=Proxy(url, profile.proxy_auth, profile.proxy_ssl) if url else None,
        senders=[payload_of(SenderInfo, sender, default=True)] if sender else [],
        capabilities=write_capabilities(capabilities),
        state="SUSPENDED" if suspension else "ACTIVE",
        reason=suspension.reason if suspension else None,
        since=write_time(suspension.since) if suspension and suspension.since else None,
    )


def write_capabilities(capabilities: Capabilities) -> CapabilitiesInfo:
    window = capabilities.schedule_window
    return payload_of(
        CapabilitiesInfo,
        capabilities,
        status_by_polling=bool(capabilities.reports_by_id or capabilities.reports_per_page),
        status_by_callback=capabilities.status_callbacks,
        schedule=ScheduleInfo(*window, capabilities.schedule_needs_pool) if window else None,
        sender_kinds=sorted(capabilities.sender_kinds),
        channels=sorted(capabilities.channels),
    )


def write_limits(limits: Limits) -> LimitsAnswer:
    node, rate = limits.node, limits.connection_rate
    return LimitsAnswer(
        node=payload_of(
            NodeLimits,
            node,
            rate_per_second=node.rate,
            wait_millis=round(node.wait_seconds * 1000),
            queue_limit_millis=round(node.queue_limit_seconds * 1000),
        ),
        connection=ConnectionLimits(rate, limits.share) if rate else None,
    )
