from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.errors import ErrorKind, NotSent, OutcomeUnknown, ProviderRefused, RetrySafety, Throttled
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.provider import SendReceipt
from tests.contract.providers.doubles import Answer
from tests.providers.infobip import infobip_wire as wire
from tests.providers.infobip.conftest import InfobipWith

URL = "https://sms.example.com/webhooks/infobip/status/0123456789abcdef?m=msg_1&d=0123"
ONE = OutboundMessage("msg_0123456789abcdef0123450000", "+41793026727", "+15551234567", "Grüße 👍")
TWO = replace(ONE, id="msg_0123456789abcdef0123450001", to="+447700900123", text="another")
THREE = replace(ONE, id="msg_0123456789abcdef0123450002")


def test_the_request(infobip: InfobipWith) -> None:
    on = infobip(wire.all_sent)
    on.provider.send([replace(ONE, callback_url=URL), replace(TWO, sender="InfoSMS", validity_seconds=90)])
    assert (on.last.method, on.last.url) == ("POST", f"{wire.BASE_URL}/sms/3/messages")
    assert on.last.authorization == f"App {wire.KEY}"
    assert json.loads(on.last.body or b"") == {
        "messages": [
            {
                "sender": "15551234567",
                "destinations": [{"to": "41793026727", "messageId": ONE.id}],
                "content": {"text": "Grüße 👍"},
                "options": {},
                # Without the query: reports to the same address come together.
                "webhooks": {"delivery": {"intermediateReport": True, "url": URL.partition("?")[0]}},
            },
            {
                "sender": "InfoSMS",
                "destinations": [{"to": "447700900123", "messageId": TWO.id}],
                "content": {"text": "another"},
                "options": {"validityPeriod": {"amount": 90, "timeUnit": "SECONDS"}},
                "webhooks": {"delivery": {"intermediateReport": True}},
            },
        ],
        "options": {"schedule": {"bulkId": "msg_0123456789abcdef012345"}, "includeSmsCountInResponse": True},
    }


def sent_document(infobip: InfobipWith, message: OutboundMessage, **with_: Any) -> Any:
    on = infobip(wire.all_sent, **with_)
    on.provider.send([message])
    return json.loads(on.last.body or b"")


def test_a_message_for_later_has_its_time_in_utc(infobip: InfobipWith) -> None:
    later = datetime(2026, 7, 6, 14, 30, 1, 250_000, tzinfo=UTC)
    document = sent_document(infobip, replace(ONE, send_at=later))
    assert document["options"]["schedule"]["sendAt"] == "2026-07-06T14:30:01.250+0000"


def test_entity_and_application_of_the_options(infobip: InfobipWith) -> None:
    document = sent_document(infobip, ONE, entityId="promotion", applicationId="shop")
    assert document["messages"][0]["options"]["platform"] == {"entityId": "promotion", "applicationId": "shop"}


def test_a_campaigns_chunk_is_one_bulk(infobip: InfobipWith) -> None:
    document = sent_document(infobip, replace(ONE, id="msg_c0123456789abcdef0123-17-249"))
    assert document["options"]["schedule"]["bulkId"] == "msg_c0123456789abcdef0123-17"


def test_with_basic_reports_go_by_the_subscription(infobip: InfobipWith) -> None:
    """An address that a message names would go before it, and has no credentials."""
    secrets = {"webhook-username": "u", "webhook-password": "p"}
    document = sent_document(infobip, replace(ONE, callback_url=URL), secrets=secrets)
    assert document["messages"][0]["webhooks"] == {"delivery": {"intermediateReport": True}}


def test_each_message_has_its_own_outcome(infobip: InfobipWith) -> None:
    answer = wire.sent((THREE.id, "DELIVERED_TO_HANDSET"), (ONE.id, "PENDING_ACCEPTED"))
    taken, missing, delivered = infobip(answer, wire.logs()).provider.send([ONE, TWO, THREE])
    assert taken == SendReceipt(ONE.id, MessageStatus.QUEUED, "PENDING_ACCEPTED", 1)
    assert isinstance(missing, OutcomeUnknown)
    assert delivered == SendReceipt(THREE.id, MessageStatus.DELIVERED, "DELIVERED_TO_HANDSET", 1)


@pytest.mark.parametrize(
    "more",
    [
        {"details": None},
        {"details": {"messageCount": None, "unheardOf": "x"}},
        {"details": []},
        {"error": {"groupId": None, "id": None, "permanent": None}},
        {"status": {**wire.status("PENDING_ACCEPTED"), "description": None, "action": {"new": 1}}},
        {"destination": None, "unheardOf": [1]},
    ],
)
def test_nothing_but_the_id_and_the_status_is_needed(infobip: InfobipWith, more: dict[str, object]) -> None:
    document = {"messageId": ONE.id, "status": wire.status("PENDING_ACCEPTED")} | more
    (outcome,) = infobip(wire.answer(200, {"messages": [document]})).provider.send([ONE])
    assert isinstance(outcome, SendReceipt)


REJECTIONS: list[tuple[str, ErrorKind, RetrySafety, str]] = [
    ("REJECTED_NETWORK", ErrorKind.NOT_PERMITTED, RetrySafety.NEVER, "Rejected network (REJECTED_NETWORK)"),
    ("REJECTED_NOT_ENOUGH_CREDITS", ErrorKind.ACCOUNT, RetrySafety.SAFE, "REJECTED_NOT_ENOUGH_CREDITS"),
    ("REJECTED_DESTINATION_BLOCKLISTED", ErrorKind.OPTED_OUT, RetrySafety.NEVER, "REJECTED_DESTINATION_BLOCKLISTED"),
    ("REJECTED_FLOODING_FILTER", ErrorKind.BLOCKED, RetrySafety.SAFE, "REJECTED_FLOODING_FILTER"),
    ("REJECTED_DESTINATION", ErrorKind.INVALID_RECIPIENT, RetrySafety.NEVER, "REJECTED_DESTINATION"),
]


@pytest.mark.parametrize(("name", "kind", "retry", "words"), REJECTIONS, ids=[row[0] for row in REJECTIONS])
def test_a_rejected_message(infobip: InfobipWith, name: str, kind: ErrorKind, retry: RetrySafety, words: str) -> None:
    rejected, taken = infobip(wire.sent((ONE.id, name), (TWO.id, "PENDING_ACCEPTED"))).provider.send([ONE, TWO])
    assert isinstance(rejected, FailureReason)
    assert (rejected.source, rejected.kind, rejected.retry) == ("provider", kind, retry)
    assert rejected.code == wire.STATUSES[name][0]
    assert words in rejected.message
    assert isinstance(taken, SendReceipt)


# --- an id that was used before ---------------------------------------------------------------------------------------

DUPLICATE = "REJECTED_DUPLICATE_MESSAGE_ID"


def test_a_repeated_call_has_the_outcome_of_the_first(infobip: InfobipWith) -> None:
    """Newest first, the logs show the repetition before the message itself; that is about another call."""
    answer = wire.sent((ONE.id, DUPLICATE), (TWO.id, DUPLICATE), (THREE.id, "PENDING_ACCEPTED"))
    logs = wire.logs(
        wire.log(ONE.id, DUPLICATE),
        wire.log(TWO.id, DUPLICATE),
        wire.log(ONE.id, "PENDING_ENROUTE"),
        wire.log(TWO.id, "REJECTED_DESTINATION_BLOCKLISTED", wire.error(2052, "EC_BLACKLISTED_DESTINATIONADDRESS")),
    )
    on = infobip(answer, logs)
    taken, refused, new = on.provider.send([ONE, TWO, THREE])
    assert taken == SendReceipt(ONE.id, MessageStatus.SENDING, "PENDING_ENROUTE", 1)
    assert isinstance(refused, FailureReason)
    assert (refused.kind, refused.code) == (ErrorKind.OPTED_OUT, 2052)
    assert new == SendReceipt(THREE.id, MessageStatus.QUEUED, "PENDING_ACCEPTED", 1)
    assert (on.last.method, len(on.requests)) == ("GET", 2)
    assert f"messageId={ONE.id},{TWO.id}&" in on.last.url


def test_a_refusal_that_may_pass_has_used_the_id_for_good(infobip: InfobipWith) -> None:
    """Sent again under the same id after the account was topped up, it would be refused for ever."""
    logs = wire.logs(wire.log(ONE.id, "REJECTED_NOT_ENOUGH_CREDITS"))
    (outcome,) = infobip(wire.sent((ONE.id, DUPLICATE)), logs).provider.send([ONE])
    assert isinstance(outcome, SendReceipt)
    assert outcome.status is MessageStatus.FAILED
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.retry) == (ErrorKind.ACCOUNT, RetrySafety.SAFE)


@pytest.mark.parametrize(
    "logs",
    [
        pytest.param(wire.logs(), id="no entry"),
        pytest.param(wire.logs(wire.log(ONE.id, DUPLICATE)), id="of the repetition alone"),
        pytest.param(wire.api_error(403, "Insufficient permissions"), id="not permitted"),
        pytest.param(wire.answer(200, []), id="unreadable"),
        pytest.param(NotSent("no answer"), id="no answer"),
        pytest.param(Throttled("full", retry_after=1.0), id="no turn"),
        pytest.param(ProviderRefused("no", kind=ErrorKind.OTHER), id="refused"),
    ],
)
def test_a_used_id_is_no_proof(infobip: InfobipWith, logs: Answer) -> None:
    answer = wire.sent((ONE.id, DUPLICATE), (TWO.id, "PENDING_ACCEPTED"))
    open_one, taken = infobip(answer, logs).provider.send([ONE, TWO])
    assert isinstance(open_one, OutcomeUnknown)
    assert isinstance(taken, SendReceipt)


# --- refusals of a whole call -----------------------------------------------------------------------------------------


def test_a_violation_of_one_message_stops_no_other(infobip: InfobipWith) -> None:
    refusal = wire.api_error(
        400, "Request cannot be processed.", ("messages[1].destinations[0].to", "size must be between 0 and 64")
    )
    on = infobip(refusal, wire.all_sent)
    first, refused, last = on.provider.send([ONE, TWO, THREE])
    assert isinstance(refused, FailureReason)
    assert (refused.code, refused.kind) == ("E400", ErrorKind.INVALID_REQUEST)
    assert "size must be between 0 and 64" in refused.message
    assert [outcome.provider_message_id for outcome in (first, last) if isinstance(outcome, SendReceipt)] == [
        ONE.id,
        THREE.id,
    ]
    assert wire.asked_ids(on.last) == [ONE.id, THREE.id]


def test_the_rest_may_fail_in_its_own_way(infobip: InfobipWith) -> None:
    refusal = wire.api_error(400, "No.", ("messages[0].content.text", "must not be null"))
    refused, unknown = infobip(refusal, OutcomeUnknown("lost")).provider.send([ONE, TWO])
    assert isinstance(refused, FailureReason)
    assert isinstance(unknown, OutcomeUnknown)


@pytest.mark.parametrize(
    ("violations", "why"),
    [
        ((("messages[0].x", "no"), ("options.schedule.bulkId", "no")), "of something that all share, too"),
        ((("messages[0].x", "no"), ("messages[1].x", "no"), ("messages[1].y", "no")), "of every message"),
        ((("messages", "must not be empty"),), "of the list"),
        ((), "none is named"),
    ],
)
def test_any_other_violation_refuses_all(
    infobip: InfobipWith, violations: tuple[tuple[str, str], ...], why: str
) -> None:
    on = infobip(wire.api_error(400, "No.", *violations))
    outcomes = on.provider.send([ONE, TWO])
    assert all(isinstance(outcome, FailureReason) and outcome.code == "E400" for outcome in outcomes), why
    assert len(on.requests) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "code", "message", "link"),
    [
        pytest.param(
            wire.api_error(403, "Insufficient permissions.", link="https://www.infobip.com/docs/scopes"),
            *(ErrorKind.AUTHENTICATION, "E403", "Insufficient permissions.", "https://www.infobip.com/docs/scopes"),
            id="no scope",
        ),
        pytest.param(
            wire.answer(
                401,
                {"requestError": {"serviceException": {"messageId": "UNAUTHORIZED", "text": "Invalid login details"}}},
            ),
            *(ErrorKind.AUTHENTICATION, "UNAUTHORIZED", "Invalid login details", None),
            id="the form of the older endpoints",
        ),
        pytest.param(
            wire.answer(400, {"errorCode": "E400", "description": None, "violations": None, "resources": ["x"]}),
            *(ErrorKind.INVALID_REQUEST, "E400", "E400", None),
            id="with next to nothing",
        ),
        pytest.param(
            wire.api_error(418, "Something new."),
            *(ErrorKind.OTHER, "E418", "Something new.", None),
            id="a status that is new",
        ),
    ],
)
def test_refused_in_infobips_words(
    infobip: InfobipWith, answer: Answer, kind: ErrorKind, code: str, message: str, link: str | None
) -> None:
    (outcome,) = infobip(answer).provider.send([ONE])
    assert isinstance(outcome, FailureReason)
    assert (outcome.kind, outcome.code, outcome.message, outcome.more_info) == (kind, code, message, link)
