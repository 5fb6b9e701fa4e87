"""The connection as it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from msgspec import Meta

from sms_connector.api.schemas.base import Payload, Time, payload_of, write_time
from sms_connector.model.connection_status import ConnectionState
from sms_connector.model.phone_number import Sender, SenderKind
from sms_connector.model.senders import WITHOUT_ALPHANUMERIC, channel_of
from sms_connector.provider import Capabilities

if TYPE_CHECKING:
    from sms_connector.api.services import ConnectionProfile
    from sms_connector.connection_control import Limits, Suspension


S = TypeVar("S", bound="SenderInfo")


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
    name: Annotated[str | None, Meta(description="Requests may name it so.")]
    business_unit: Annotated[str | None, Meta(description="Its own, else the connection's.")]
    kind: SenderKind
    countries: Annotated[
        list[str], Meta(description="ISO 3166: recipients there get it, where the request names none.")
    ]
    default: Annotated[bool, Meta(description="Recipients of all other countries get it.")]


class SenderAbilities(Payload):
    """What the provider can do for a sender of this kind."""

    channels: Annotated[list[str], Meta(description="Of its recipients; `sms` is none in particular.")]
    inbound: Annotated[bool, Meta(description="Recipients can answer.")]
    schedule: Annotated[bool, Meta(description="It takes `sendAt`.")]
    segments_per_second: Annotated[float | None, Meta(description="null: the provider publishes no rate.")]
    queue_seconds: Annotated[
        int | None, Meta(description="How long its queue at the provider may grow; null: unknown.")
    ]
    refused_by: Annotated[list[str], Meta(description="Countries that take no sender of this kind.")]


class ListedSender(SenderInfo):
    """A sender, and what it can do."""

    can: SenderAbilities


class SenderList(Payload):
    """All senders of the connection, in the order in which they are chosen."""

    senders: list[ListedSender]


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
    business_unit: str | None
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
    url = profile.proxy_url
    return payload_of(
        ConnectionInfo,
        profile,
        labels=dict(profile.labels),
        nodes=Nodes(profile.nodes_min, profile.nodes_max),
        proxy=Proxy(url, profile.proxy_auth, profile.proxy_ssl) if url else None,
        senders=[_write_sender(SenderInfo, sender, profile) for sender in profile.senders.listed],
        capabilities=write_capabilities(capabilities),
        state="SUSPENDED" if suspension else "ACTIVE",
        reason=suspension.reason if suspension else None,
        since=write_time(suspension.since) if suspension and suspension.since else None,
    )


def write_senders(profile: ConnectionProfile, capabilities: Capabilities) -> SenderList:
    listed = profile.senders.listed
    abilities = [_write_abilities(sender, capabilities) for sender in listed]
    pairs = zip(listed, abilities, strict=True)
    return SenderList([_write_sender(ListedSender, sender, profile, can=can) for sender, can in pairs])


def _write_sender(kind: type[S], sender: Sender, profile: ConnectionProfile, **own: object) -> S:
    unit = sender.business_unit or profile.business_unit
    return payload_of(kind, sender, business_unit=unit, countries=list(sender.countries), **own)


def _write_abilities(sender: Sender, capabilities: Capabilities) -> SenderAbilities:
    kind, rate = sender.kind, capabilities.sender_rates.get(sender.kind)
    is_pool, is_alphanumeric = kind is SenderKind.POOL, kind is SenderKind.ALPHANUMERIC
    return SenderAbilities(
        channels=["sms", *sorted(capabilities.channels)] if is_pool else [channel_of(sender) or "sms"],
        inbound=capabilities.inbound and not is_alphanumeric,  # no phone can answer to letters
        schedule=capabilities.schedule_window is not None and (is_pool or not capabilities.schedule_needs_pool),
        segments_per_second=rate,
        queue_seconds=capabilities.sender_queue_seconds or None,
        refused_by=sorted(WITHOUT_ALPHANUMERIC) if is_alphanumeric else [],
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
