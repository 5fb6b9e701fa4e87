"""Routes as data, with the requests and answers of their functions.

The router matches by a route, the dispatcher reads body and query by its types, and the OpenAPI document is made of it:
what is documented and what is checked can't differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import Any, BinaryIO, Literal

import msgspec
from werkzeug.datastructures import Headers

from sms_connector.api.schemas.base import EmptyBody, ProblemDocument
from sms_connector.api.services import Services
from sms_connector.errors import NotFound
from sms_connector.structured_log import StructuredLog

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
SMALL_BODY = 64 * 1024


class ParsedRequest(msgspec.Struct, frozen=True):
    """One request, read and checked. `body` and `query` are of the route's types, `document` is the JSON as
    sent, `given` the query's fields as sent.

    `stream` is the body of a route that reads it itself.
    """

    request_id: str
    path: Mapping[str, str]
    query: Any
    given: Mapping[str, Any]
    headers: Headers
    log: StructuredLog
    body: Any = None
    document: Any = None
    stream: BinaryIO = msgspec.field(default_factory=BytesIO)


class Answer(msgspec.Struct, frozen=True):
    """An answer: a payload or its fields, encoded JSON, or pieces that are made while they are sent."""

    content: msgspec.Struct | dict[str, Any] | bytes | Iterator[bytes]
    status: int = 200
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)

    def encoded(self) -> bytes:
        """Return the content of an answer that is not made in pieces."""
        return self.content if isinstance(self.content, bytes) else msgspec.json.encode(self.content)


class PathParameter(msgspec.Struct, frozen=True):
    """A part of a path. Of `what` an address that does not fit the pattern is not found, before the ledger is asked:
    stores restrict ids. `segment` is what the router lets through: the colon after one of our ids begins a verb."""

    pattern: str
    example: str
    what: str | None = None
    description: str | None = None
    segment: str = "[^/:]+"

    def check(self, value: str) -> None:
        """Raise NotFound for what can't be an id of ours."""
        if self.what and not re.fullmatch(self.pattern, value):
            rule = f"ids begin with {self.example.partition('_')[0]}_"
            raise NotFound(f"no {self.what} {value[:80]!r}; {rule}")


PARAMETERS = {
    "message_id": PathParameter("^msg_[A-Za-z0-9_-]{1,64}$", "msg_0bd6cf24ae5a7d9c1e0a4b7c33", "message"),
    "campaign_id": PathParameter("^cmp_c[0-9a-f]{20}$", "cmp_c3f2a91d0b7e64c85aa10", "campaign"),
    "callback_id": PathParameter("^cb_[0-9a-f]{26}$", f"cb_{0:026}"),
    "template": PathParameter("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", "order-shipped"),
    "number": PathParameter(
        "^[A-Za-z0-9+:._@-]{1,100}$",
        "+15558675310",
        description="A number in E.164 form, or a channel address.",
        segment="[^/]+",
    ),
    "project": PathParameter("^[^/]+$", "my-project", segment="[^/]+"),
    "location": PathParameter("^[^/]+$", "europe-west3"),
    "connection": PathParameter("^[^/]+$", "sms"),
    "entity_type": PathParameter("^[^/]+$", "Messages"),
    "entity_id": PathParameter("^[^/]+$", f"SM{0:032}", segment="[^/]+"),
    "action": PathParameter("^[^/]+$", "SendMessage"),
    "tool": PathParameter("^[^/]+$", "list_entities"),
    "operation": PathParameter("^[^/]+$", "entity-Messages"),
    "integration": PathParameter("^[^/]+$", "ExecuteConnection"),
    "resource": PathParameter("^.+$", "recordings/1", segment=".+"),
}
PARAMETER = re.compile(r"{(\w+)}")


class Route(msgspec.Struct, frozen=True, eq=False):
    """`path` has its parameters as OpenAPI has them (`/v1/messages/{message_id}:cancel`). `body` None: the route takes
    none. The handler's name is the operation's, and the first line of its docstring the summary.

    `errors` are the statuses it can answer with besides those every route can (400, 405, 500, 503). `status` is that of
    success, and `also_answers` another success: its status, its type (None: no content) and when it comes. `streamed`
    are content types of bodies that the route reads itself, JSON among them, `files` those it takes beside JSON, whole,
    with its fields in the query; `also_as` those it can answer in. `problem` is what it answers where it fails. A route
    that only refuses is not `documented`. `shared` are query parameters of all routes of its kind, with their
    descriptions.
    """

    method: Method
    path: str
    handler: Callable[[Services, ParsedRequest], Answer]
    answer: type[msgspec.Struct]
    body: type[msgspec.Struct] | None = None
    body_limit: int = SMALL_BODY
    query: type[msgspec.Struct] | None = None
    errors: tuple[int, ...] = ()
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    status: int = 200
    also_answers: tuple[int, type[msgspec.Struct] | None, str] | None = None
    streamed: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    also_as: tuple[str, ...] = ()
    problem: type[msgspec.Struct] = ProblemDocument
    documented: bool = True
    shared: Mapping[str, str] = msgspec.field(default_factory=dict)

    @property
    def operation(self) -> str:
        """Return a name such as `getCampaign`, as a generated client names its function."""
        verb, *nouns = self.handler.__name__.split("_")
        return verb + "".join(map(str.capitalize, nouns))

    @property
    def body_required(self) -> bool:
        """Return whether the body can't be left out. Google's clients leave one without content out."""
        if self.body is None or issubclass(self.body, EmptyBody):
            return False
        return not self.shared or any(field.required for field in msgspec.structs.fields(self.body))

    @property
    def summary(self) -> str:
        return (self.handler.__doc__ or "").partition("\n")[0].removesuffix(".")


def resource_of(path: str) -> str:
    """Return the name after the version: `messages` of `/v1/messages:send` and of `/v1/messages/<id>`."""
    return re.split("[/:]", path.removeprefix("/").removeprefix("v1/"), maxsplit=1)[0]
