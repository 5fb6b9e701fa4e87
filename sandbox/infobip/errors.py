"""Answers of 4xx and 5xx: the ApiError of Infobip's newer endpoints, in the words of its description of the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandbox.wire import Reply, json_reply, retry_after_header

# Description and action.
TEXTS: Mapping[int, tuple[str, str]] = {
    400: ("Request cannot be processed.", "Check the syntax, violations and adjust the request."),
    401: (
        "The request lacks valid authentication credentials for the requested resource.",
        "Check the resources and adjust authentication credentials.",
    ),
    403: (
        "Insufficient permissions to access the requested resource.",
        "Repeat the request with new or different credentials.",
    ),
    404: ("Requested resource not found.", "Check the request path."),  # UNVERIFIED words
    405: ("Request method is not supported.", "Use a supported method."),  # UNVERIFIED words
    429: (
        "Too many requests sent.",
        "Check request rate limit specified in the API endpoint documentation resource.",
    ),
    500: ("Something went wrong.", "Contact the support."),
}


class InfobipError(Exception):
    """A request that is answered with an error. `violations`: (property, violation)."""

    def __init__(
        self, status: int, violations: Sequence[tuple[str, str]] = (), *, retry_after: float | None = None
    ) -> None:
        super().__init__(status)
        self.status = status
        self.violations = violations
        self.retry_after = retry_after

    def reply(self) -> Reply:
        description, action = TEXTS.get(self.status, TEXTS[500])
        # Whole seconds as in HTTP, rounded up so that waiting them is enough.
        headers = retry_after_header(self.retry_after)
        body = {
            "errorCode": f"E{self.status}",
            "description": description,
            "action": action,
            "violations": [{"property": name, "violation": violation} for name, violation in self.violations],
            "resources": [],
        }
        return json_reply(self.status, body, headers)
