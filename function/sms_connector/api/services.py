"""The services of the routes' functions: the engine and the connection's profile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from sms_connector.campaigns.sources import NO_SOURCES
from sms_connector.model.senders import Senders
from sms_connector.ports import ObjectSource
from sms_connector.provider import Capabilities
from sms_connector.structured_log import StructuredLog

if TYPE_CHECKING:
    from sms_connector.callbacks.callback_address import CallbackAddress
    from sms_connector.engine import Engine
    from sms_connector.entities.service import Entities
    from sms_connector.notifications.delivery import NotificationDispatcher


class ConnectionProfile(msgspec.Struct, frozen=True):
    """The connection as the API shows it, and the defaults for requests. `proxy_url` holds no credentials.

    `on_platform` forbids plain http in callback addresses, which a local run allows to loopback. `callback_url` is the
    default address that results are posted to. `callbacks`: the provider can reach us; without it, statuses are polled.
    `has_queue`: results can be posted to a `callbackUrl`.
    """

    name: str
    provider: str
    description: str = ""
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    region: str | None = None
    nodes_min: int | None = None
    nodes_max: int | None = None
    proxy_url: str | None = None
    proxy_auth: str = "none"
    proxy_ssl: str = "auto"
    senders: Senders = Senders()
    business_unit: str | None = None
    default_country: str | None = None
    retry_interval_millis: int = 10_000
    retry_attempts: int = 6
    callbacks: bool = False
    callback_url: str | None = None
    has_queue: bool = True
    on_platform: bool = False


class Services(msgspec.Struct, frozen=True):
    """The services of the routes' functions. `now` is epoch seconds. `make_entities` is called by the first request for
    the provider's data. `mcp_tools`: tools that `/mcp` lists beside the general ones."""

    engine: Engine
    profile: ConnectionProfile
    capabilities: Capabilities
    log: StructuredLog
    notifications: NotificationDispatcher
    now: Callable[[], float] = time.time
    objects: ObjectSource = NO_SOURCES
    callbacks: CallbackAddress | None = None
    callback_places: Mapping[str, str] = msgspec.field(default_factory=dict)
    make_entities: Callable[[], Entities] | None = None
    mcp_tools: tuple[str, ...] = ()
