"""The reckoning itself: each promise broken once, on paper, so that a soak which finds nothing means something."""

from __future__ import annotations

from typing import Any

import pytest

from .audit import judge
from .intents import Intent, Request, Style, plan
from .traffic import Report

DELIVERED = {"id": "msg_1", "status": "delivered", "final": True, "providerMessageId": "SM1", "error": None}
UNKNOWN = {
    "id": "msg_1",
    "status": "unknown",
    "final": True,
    "providerMessageId": None,
    "error": {"evidence": ["lost"]},
}
ERROR = {"id": "msg_1", "status": "error", "final": True, "providerMessageId": None, "error": {"kind": "UNAVAILABLE"}}
NOT_SENT = {**ERROR, "error": {"kind": "NOT_SENT", "retry": "safe"}}
AT_PROVIDER = {"sid": "SM1", "body": "hello", "statuses": ["delivered"]}
SECOND = {**AT_PROVIDER, "sid": "SM2"}

CASES: list[tuple[str, list[dict[str, Any]], list[dict[str, Any]], str | None]] = [
    ("delivered, and so says the provider", [DELIVERED], [AT_PROVIDER], None),
    ("unknown with evidence, not there", [UNKNOWN], [], "does not have it"),
    ("unknown with evidence, and there", [UNKNOWN], [AT_PROVIDER], None),
    ("an error, not there", [ERROR], [], None),
    ("not sent, not there", [NOT_SENT], [], None),
    ("not sent, and not safe", [{**NOT_SENT, "error": {"kind": "NOT_SENT", "retry": "never"}}], [], "not safe"),
    ("not sent, and there", [NOT_SENT], [AT_PROVIDER], "reported as an error"),
    ("nobody knows it", [], [], "lost"),
    ("there twice", [DELIVERED], [AT_PROVIDER, SECOND], "sent twice"),
    ("an error, and there", [ERROR], [AT_PROVIDER], "reported as an error"),
    ("delivered, and not there", [DELIVERED], [], "reported delivered"),
    ("failed under our own id, not there", [{**DELIVERED, "status": "failed", "providerMessageId": "msg_1"}], [], None),
    ("failed under an id of theirs, not there", [{**DELIVERED, "status": "failed"}], [], "reported failed"),
    ("delivered, and failed there", [DELIVERED], [{**AT_PROVIDER, "statuses": ["failed"]}], "reported delivered"),
    ("unknown without evidence", [{**UNKNOWN, "error": {}}], [], "without evidence"),
    ("never final", [{**DELIVERED, "status": "sent", "final": False}], [AT_PROVIDER], "left open"),
    ("there, and nobody's", [DELIVERED], [AT_PROVIDER, {**SECOND, "body": "who?"}], "invented"),
]


@pytest.mark.parametrize(("why", "messages", "witness", "broken"), CASES, ids=[case[0] for case in CASES])
def test_a_broken_promise_is_seen(
    why: str, messages: list[dict[str, Any]], witness: list[dict[str, Any]], broken: str | None
) -> None:
    intent = Intent("hello", "+15558000000", "key")
    request = Request("r", Style.SINGLE, (intent,), wait=False, resend=False)
    report = Report(intent, request, id=messages[0]["id"] if messages else None)
    verdict = judge([report], {message["id"]: message for message in messages}, witness)
    found = [what for what, _ in verdict.violations]
    assert bool(found) == bool(broken)
    assert broken is None or any(broken in what for what in found)


def test_unknown_is_no_end_where_the_caller_wants_it_sent() -> None:
    intent = Intent("hello", "+15558000000", "key")
    report = Report(intent, Request("r", Style.SINGLE, (intent,), wait=False, resend=True), id="msg_1")
    [(what, _)] = judge([report], {"msg_1": UNKNOWN}, [AT_PROVIDER]).violations
    assert "at least once" in what


def test_a_plan_is_the_same_for_the_same_seed() -> None:
    assert plan(100, seed=3) == plan(100, seed=3)
    assert sum(len(request.intents) for request in plan(100, seed=3)) == 100
