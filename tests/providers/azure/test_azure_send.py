"""One call's body, and what each form of an answer means for each recipient."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.errors import ErrorKind, NotSent, OutcomeUnknown
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.provider import SendReceipt
from sms_connector.providers.azure.wire import send_body
from sms_connector.transport.http import HttpResponse
from tests.providers.azure import azure_wire as wire
from tests.providers.azure.conftest import Canned

MESSAGE = OutboundMessage("msg_0", wire.RECIPIENT, wire.SENDER, "Olá 👍", intended_at=1_783_339_200.0)
TWIN = replace(MESSAGE, id="msg_1", to=wire.recipient(1))


def body_of(*messages: OutboundMessage, connection: str = "local") -> Any:
    return json.loads(send_body(messages, connection))


class TestBody:
    def test_of_one(self) -> None:
        document = body_of(MESSAGE)
        recipient = document["smsRecipients"][0]
        assert document == {
            "from": wire.SENDER,
            "smsRecipients": [
                {
                    "to": wire.RECIPIENT,
                    "repeatabilityRequestId": recipient["repeatabilityRequestId"],
                    "repeatabilityFirstSent": "Mon, 06 Jul 2026 12:00:00 GMT",
                }
            ],
            "message": "Olá 👍",
            "smsSendOptions": {"enableDeliveryReport": True, "tag": "msg_0"},
        }

    def test_the_tag_of_many_is_what_their_ids_begin_with(self) -> None:
        batch = "msg_0bd6cf24ae5a7d9c1e0a4b"
        both = (replace(MESSAGE, id=f"{batch}0000"), replace(TWIN, id=f"{batch}0001"))
        assert body_of(*both)["smsSendOptions"]["tag"] == f"{batch}*"

    def test_a_repetition_has_the_same_id_in_whatever_company(self) -> None:
        alone, together = body_of(TWIN), body_of(MESSAGE, TWIN)
        assert alone["smsRecipients"] == together["smsRecipients"][1:]

    def test_ids_are_apart_by_message_and_by_connection(self) -> None:
        rows = [*body_of(MESSAGE, TWIN)["smsRecipients"], *body_of(MESSAGE, connection="other")["smsRecipients"]]
        assert len({row["repeatabilityRequestId"] for row in rows}) == 3


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        pytest.param({}, (wire.message_id(0), MessageStatus.ACCEPTED), id="taken"),
        pytest.param({"successful": False}, (wire.message_id(0), MessageStatus.ACCEPTED), id="an id, yet no success"),
        pytest.param({"repeatabilityResult": None}, (wire.message_id(0), MessageStatus.ACCEPTED), id="not repeatable"),
    ],
)
def test_taken(canned: Canned, row: dict[str, Any], outcome: tuple[str, MessageStatus]) -> None:
    provider, _ = canned(wire.items(wire.item(0, **row)))
    (found,) = provider.send([MESSAGE])
    assert isinstance(found, SendReceipt)
    assert (found.provider_message_id, found.status) == outcome


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        pytest.param((400, "Invalid To phone number format."), ErrorKind.INVALID_RECIPIENT, id="a bad number"),
        pytest.param((400, "Sender blocked for given recipient."), ErrorKind.OPTED_OUT, id="opted out"),
        pytest.param((404, "Not found"), ErrorKind.NOT_FOUND, id="not found"),
    ],
)
def test_refused(canned: Canned, row: tuple[int, str], kind: ErrorKind) -> None:
    provider, _ = canned(wire.items(wire.refused(0, *row)))
    (found,) = provider.send([MESSAGE])
    assert isinstance(found, FailureReason)
    assert (found.kind, found.code, found.message, found.source) == (kind, *row, "provider")


@pytest.mark.parametrize(
    ("row", "expected", "kind"),
    [
        pytest.param(wire.refused(1, 503, "ServiceUnavailable"), NotSent, ErrorKind.UNAVAILABLE, id="unavailable"),
        pytest.param(wire.refused(1, 429, "slow down"), NotSent, ErrorKind.RATE_LIMITED, id="too many"),
        pytest.param(wire.refused(1, 500, "oops"), OutcomeUnknown, ErrorKind.UNKNOWN_OUTCOME, id="an error of its own"),
        pytest.param(wire.refused(1, 408, "late"), OutcomeUnknown, ErrorKind.UNKNOWN_OUTCOME, id="a time-out"),
        pytest.param(wire.refused(1, 409, "busy"), OutcomeUnknown, ErrorKind.UNKNOWN_OUTCOME, id="a conflict"),
        pytest.param(
            wire.refused(1, 400, "too long ago", repeatabilityResult="rejected"),
            OutcomeUnknown,
            ErrorKind.UNKNOWN_OUTCOME,
            id="a repetition that is rejected proves nothing",
        ),
        pytest.param(
            wire.item(1, httpStatusCode=None, messageId=None),
            OutcomeUnknown,
            ErrorKind.UNKNOWN_OUTCOME,
            id="neither an id nor a status",
        ),
        pytest.param(wire.item(7), OutcomeUnknown, ErrorKind.UNKNOWN_OUTCOME, id="of somebody else"),
    ],
)
def test_one_recipients_outcome_stops_no_other(
    canned: Canned, row: dict[str, Any], expected: type[Exception], kind: ErrorKind
) -> None:
    provider, _ = canned(wire.items(wire.item(0), row))
    taken, other = provider.send([MESSAGE, TWIN])
    assert isinstance(taken, SendReceipt)
    assert isinstance(other, NotSent | OutcomeUnknown)
    assert (type(other), other.kind) == (expected, kind)
    assert wire.recipient(1) not in str(other)


def test_items_are_found_by_number_and_twins_in_order(canned: Canned) -> None:
    rows = [wire.item(2, to=TWIN.to), wire.item(0), wire.item(3, to=TWIN.to)]
    provider, _ = canned(wire.items(*rows))
    outcomes = provider.send([MESSAGE, TWIN, replace(TWIN, id="msg_2")])
    ids = [outcome.provider_message_id for outcome in outcomes if isinstance(outcome, SendReceipt)]
    assert ids == [wire.message_id(0), wire.message_id(2), wire.message_id(3)]


@pytest.mark.parametrize(
    ("answer", "code", "kind", "message"),
    [
        pytest.param(
            wire.error(401, "Denied", "Denied by the resource provider."),
            "Denied",
            ErrorKind.AUTHENTICATION,
            "Denied by the resource provider.",
            id="a wrong key",
        ),
        pytest.param(
            wire.problem(400, "One or more validation errors occurred.", {"SmsRecipients": ["Too many.", "Really."]}),
            400,
            ErrorKind.INVALID_REQUEST,
            "One or more validation errors occurred. SmsRecipients: Too many. Really.",
            id="fields",
        ),
        pytest.param(
            wire.problem(400, "Bad Request", "x"), 400, ErrorKind.INVALID_REQUEST, "Bad Request", id="a title"
        ),
    ],
)
def test_a_refused_call_is_each_messages_refusal(
    canned: Canned, answer: HttpResponse, code: int | str, kind: ErrorKind, message: str
) -> None:
    provider, _ = canned(answer)
    outcomes = provider.send([MESSAGE, TWIN])
    told = [(each.code, each.kind, each.message) for each in outcomes if isinstance(each, FailureReason)]
    assert told == [(code, kind, message)] * 2


@pytest.mark.parametrize("status", [401, 404])
def test_an_empty_refusal_of_azures_is_about_the_sender(canned: Canned, status: int) -> None:
    provider, transport = canned(HttpResponse(status, wire.OURS, b""))
    (found,) = provider.send([MESSAGE])
    assert isinstance(found, FailureReason)
    assert (found.kind, found.code) == (ErrorKind.INVALID_SENDER, status)
    assert wire.SENDER not in found.message
    assert len(transport.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        HttpResponse(401, {}, b""),
        HttpResponse(404, {"server": "nginx"}, b""),
        HttpResponse(400, wire.JSON, b'{"error": {"code": 1}}'),
        wire.answer(400, {"title": "Bad Request", "status": 404}),
        wire.answer(400, ["x"]),
    ],
    ids=["an empty 401", "an empty 404", "half an error", "another status in it", "a list"],
)
def test_what_is_not_azures_is_no_refusal(canned: Canned, answer: HttpResponse) -> None:
    provider, _ = canned(answer)
    with pytest.raises(NotSent):
        provider.send([MESSAGE])
