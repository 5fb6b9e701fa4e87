"""What a route is, and what passes between the entry and the functions that answer.

A route is data: the router matches by it, the entry reads body and query by its types, and the OpenAPI document is
made of it. So what is documented and what is checked can't differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import msgspec
from werkzeug.datastructures import Headers

from sms_connector.campaigns.sources import NO_SOURCES
from sms_connector.model.phone_number import Sender
from sms_connector.ports import ObjectSource
from sms_connector.provider import Capabilities
from sms_connector.structured_log import StructuredLog

if TYPE_CHECKING:
    from sms_connector.engine import Engine
    from sms_connector.notifications.delivery import NotificationDispatcher

Method = Literal["GET", "POST", "PUT", "DELETE"]
SMALL_BODY = 64 * 1024


class ConnectionProfile(msgspec.Struct, frozen=True):
    """What the API tells of the connection, and the defaults it fills into requests. `proxy_url` holds no credentials.

    `on_platform` forbids plain http in callback addresses, which a local run allows to loopback.
    `callback_url` is where results are posted that a request names no address for.
    `callbacks` says whether the provider reaches us; without it, news comes by asking. `has_queue` says whether anything can be
    posted to a `callbackUrl`: that is the queue's work.
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
    sender: Sender | None = None
    default_country: str | None = None
    retry_interval_millis: int = 10_000
    retry_attempts: int = 6
    callbacks: bool = False
    callback_url: str | None = None
    has_queue: bool = True
    on_platform: bool = False


class Services(msgspec.Struct, frozen=True):
    """All that the functions behind the routes work with. `now` is epoch seconds."""

    engine: Engine
    profile: ConnectionProfile
    capabilities: Capabilities
    log: StructuredLog
    notifications: NotificationDispatcher
    now: Callable[[], float] = time.time
    objects: ObjectSource = NO_SOURCES


class ParsedRequest(msgspec.Struct, frozen=True):
    """One request, read and checked. `body` and `query` are of the route's types, `document` is the JSON as sent.

    `stream` is the body of a route that reads it itself.
    """

    request_id: str
    path: Mapping[str, str]
    query: Any
    body: Any
    document: Any
    headers: Headers
    log: StructuredLog
    stream: BinaryIO = msgspec.field(default_factory=BytesIO)


class Answer(msgspec.Struct, frozen=True):
    """What goes back: a payload, JSON that is encoded already, or pieces that are made as they are sent."""

    content: msgspec.Struct | bytes | Iterator[bytes]
    status: int = 200
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


class Route(msgspec.Struct, frozen=True, eq=False):
    """`path` is in werkzeug's form (`/v1/messages/<id:message_id>:cancel`). `body` None: the route takes none.

    `errors` are the statuses it can answer with besides those every route can (400, 405, 500, 503). `status` is that of success, and
    `also_answers` another success: its status, its type and when it comes. `streamed` are content types of bodies that the route
    reads itself, JSON among them, `files` those it takes beside JSON, whole, with its fields in the query; `also_as` those it can
    answer in.
    """

    method: Method
    path: str
    handler: Callable[[Services, ParsedRequest], Answer]
    summary: str
    answer: type[msgspec.Struct] | None
    body: type[msgspec.Struct] | None = None
    body_required: bool = True
    body_limit: int = SMALL_BODY
    query: type[msgspec.Struct] | None = None
    errors: tuple[int, ...] = ()
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    status: int = 200
    also_answers: tuple[int, type[msgspec.Struct], str] | None = None
    streamed: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    also_as: tuple[str, ...] = ()
