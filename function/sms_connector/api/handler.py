"""Handle one request: log it, and answer it whatever happens.

The connector's one broad `except` is here. It catches faults of ours: the caller gets a request id, the log the
traceback.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import flask
import msgspec

from sms_connector.api.problems import write_internal_error, write_problem
from sms_connector.api.routing import Answer
from sms_connector.errors import ConnectorError, ErrorKind, LedgerUnavailable, StoreMisconfigured
from sms_connector.structured_log import StructuredLog

REQUEST_ID_HEADER = "X-Request-Id"
HEALTH = "/health"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_JSON = "application/json"

Handle = Callable[[flask.Request], flask.Response]


class RequestContext(msgspec.Struct):
    """A request and its log. The log names the `route` and not the path, which may hold a number or a token.
    `write_problem` writes an error in the route's form."""

    request: flask.Request
    request_id: str
    log: StructuredLog
    route: str | None = None
    write_problem: Callable[[ConnectorError], Answer] = write_problem


class RequestHandler(msgspec.Struct, frozen=True):
    """Answers each request by `respond`, and logs its outcome."""

    log: StructuredLog
    respond: Callable[[RequestContext], Answer]

    def handle(self, request: flask.Request) -> flask.Response:
        begun = time.perf_counter()
        request_id = _read_request_id(request)
        log = self.log.bind_request(request.headers, request_id=request_id)
        context = RequestContext(request, request_id, log)
        kind: ErrorKind | None = None
        try:
            answer = self.respond(context)
        except ConnectorError as error:
            ours = error.http_status == 500
            answer = write_internal_error(request_id) if ours else context.write_problem(error)
            kind = getattr(error, "kind", None)
            if answer.status >= 500:
                log_failure(log, "request failed", error, kind=kind)
        except Exception as error:  # noqa: BLE001  # an entry: the caller gets an answer and the log the traceback
            answer = write_internal_error(request_id)
            log.error("unexpected failure", exception=error)
        taken = round((time.perf_counter() - begun) * 1000, 1)
        _log_request(context, status=answer.status, durationMillis=taken, kind=kind)
        return _write_response(answer, request_id)


def log_failure(log: StructuredLog, message: str, error: BaseException, **fields: Any) -> None:
    """Log a failure of ours with its traceback; of an unavailable ledger one line without it.

    Only of a misconfigured ledger is the message logged, as the fix: other messages may quote what a caller wrote."""
    if isinstance(error, LedgerUnavailable):
        log.warning("ledger_unavailable", cause=type(error.__cause__).__name__, **fields)
    elif isinstance(error, StoreMisconfigured):
        log.error("store_misconfigured", exception=error, fix=str(error), **fields)
    else:
        log.error(message, exception=error, **fields)


def _read_request_id(request: flask.Request) -> str:
    """Return the caller's id if it is fit for a header and a log, else a new one."""
    given = request.headers.get(REQUEST_ID_HEADER, "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _log_request(context: RequestContext, **how: Any) -> None:
    """Log one line a request; probes only at debug."""
    write = context.log.debug if context.route == HEALTH else context.log.info
    known = {name: value for name, value in how.items() if value is not None}
    write("request", method=context.request.method, route=context.route, **known)


def _write_response(answer: Answer, request_id: str) -> flask.Response:
    content = answer.encoded() if isinstance(answer.content, msgspec.Struct | dict) else answer.content
    headers = {REQUEST_ID_HEADER: request_id, "Cache-Control": "no-store", **answer.headers}
    return flask.Response(content, answer.status, headers, content_type=answer.headers.get("Content-Type", _JSON))
