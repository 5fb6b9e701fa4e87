"""Write an error as its document (docs/http-api.md, Errors)."""

from __future__ import annotations

import math

from msgspec import UNSET

from sms_connector.api.routing import Answer
from sms_connector.api.schemas.base import Problem, ProblemDetail, ProblemDocument, payload_of
from sms_connector.errors import (
    BackendUnavailable,
    CallError,
    ConnectorError,
    ErrorKind,
    FieldProblem,
    ProviderRefused,
    RequestError,
    RetrySafety,
)

MAX_DETAILS = 100


class MethodNotAllowed(RequestError):  # named as errors.py names its kin
    """405. The path is right, the method is not. google.rpc calls that unimplemented."""

    http_status, rpc_status = 405, "UNIMPLEMENTED"

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__(f"this path takes {', '.join(allowed)}", kind=ErrorKind.UNSUPPORTED)
        self.allowed = allowed


def write_problem(error: ConnectorError) -> Answer:
    """Return the answer to a request that failed with `error`."""
    status, rpc_status = error.http_status, error.rpc_status
    if isinstance(error, CallError) and error.kind is ErrorKind.TIMEOUT:
        status, rpc_status = 504, "DEADLINE_EXCEEDED"
    problem = Problem(code=status, status=rpc_status, message=str(error), details=_write_details(error))
    return Answer(ProblemDocument(error=problem), status, headers_of(error))


def write_internal_error(request_id: str) -> Answer:
    """Return the answer to an unexpected error, which the log has under the same id."""
    message = f"internal error; the log has it under request id {request_id}"
    return Answer(ProblemDocument(error=Problem(code=500, status="INTERNAL", message=message, details=[])), 500)


def headers_of(error: ConnectorError) -> dict[str, str]:
    """Return Retry-After and Allow, where an error has them."""
    headers = {}
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(error.allowed)
    return headers


def _write_details(error: ConnectorError) -> list[ProblemDetail]:
    if isinstance(error, RequestError) and error.problems:
        return _write_field_problems(error.problems)
    if isinstance(error, ProviderRefused):
        return [payload_of(ProblemDetail, error, more_info=error.more_info or UNSET)]
    if isinstance(error, RequestError | CallError | BackendUnavailable):
        millis = None if error.retry_after is None else math.ceil(error.retry_after * 1000)
        retry = None if error.retry is RetrySafety.NEVER else error.retry
        return [payload_of(ProblemDetail, kind=error.kind, retry=retry, retry_after_millis=millis)]
    return []


def _write_field_problems(problems: tuple[FieldProblem, ...]) -> list[ProblemDetail]:
    """Write each problem; a single one's text is the message already."""
    if len(problems) == 1:
        return [payload_of(ProblemDetail, problems[0], message=UNSET)]
    details = [payload_of(ProblemDetail, problem) for problem in problems[:MAX_DETAILS]]
    left = len(problems) - MAX_DETAILS
    if left > 0:
        details.append(ProblemDetail(kind=ErrorKind.INVALID_REQUEST, message=f"and {left} more"))
    return details
