"""Routes as data, with the requests and answers of their functions.

The router matches by a route, the dispatcher reads body and query by its types, and the OpenAPI document is made of it:
what is documented and what is checked can't differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import Any, BinaryIO, Literal

import msgspec
from werkzeug.datastructures import Headers

from sms_connector.api.schemas.base import EmptyBody
from sms_connector.api.services import Services
from sms_connector.structured_log import StructuredLog

Method = Literal["GET", "POST", "PUT", "DELETE"]
SMALL_BODY = 64 * 1024


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
    """An answer: a payload, encoded JSON, or pieces that are made while they are sent."""

    content: msgspec.Struct | bytes | Iterator[bytes]
    status: int = 200
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


class Route(msgspec.Struct, frozen=True, eq=False):
    """`path` is in werkzeug's form (`/v1/messages/<id:message_id>:cancel`). `body` None: the route takes none.

    `errors` are the statuses it can answer with besides those every route can (400, 405, 500, 503). `status` is that of
    success, and `also_answers` another success: its status, its type and when it comes. `streamed` are content types of
    bodies that the route reads itself, JSON among them, `files` those it takes beside JSON, whole, with its fields in
    the query; `also_as` those it can answer in.
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


def command(
    path: str,
    handler: Callable[[Services, ParsedRequest], Answer],
    summary: str,
    answer: type[msgspec.Struct],
    *,
    body: type[msgspec.Struct] = EmptyBody,
    status: int = 200,
    errors: tuple[int, ...] = (),
) -> Route:
    """Return the route of a custom verb, whose body may be left out."""
    return Route("POST", path, handler, summary, answer, body=body, body_required=False, status=status, errors=errors)
