"""The custom channel of Customer Insights - Journeys: its documents in and out, and its plug-in's double run sends nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import flask
import pytest

from sms_connector.api.dispatcher import serve
from sms_connector.api.resources.custom_channel import routes
from sms_connector.api.schemas.custom_channel import JourneysForm
from sms_connector.api.services import Services
from sms_connector.errors import ErrorKind, KeyInProgress
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.message import text_digest
from sms_connector.model.status import MessageStatus
from sms_connector.store.message_record import MessageRecord, Phase
from sms_connector.structured_log import StructuredLog
from tests.api.conftest import CAPABILITIES, PROFILE, Api
from tests.fixtures.engine_double import EngineDouble

PATH = "/v1/customChannel:send"
# As Microsoft's sample plug-in gets it.
OUTBOUND = {
    "ChannelDefinitionId": "5c1f1c1c-0000-4000-8000-000000000001",
    "RequestId": "b7a3c5f0-0000-4000-8000-000000000002",
    "IdempotencyId": "idem-1",
    "From": "+15551234567",
    "To": "+15558675310",
    "Message": {"text": "Your order ships <today>"},
    "MarketingAppContext": {
        "CustomerJourneyId": "j1",
        "UserId": "u1",
        "UserEntityType": "contact",
        "IsTestSend": False,
    },
}


def outbound(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**OUTBOUND, **changes}.items() if value is not None}


def test_a_message_is_sent_and_answered_in_their_words(api: Api) -> None:
    answer = api.post(PATH, OUTBOUND)
    assert answer.status_code == 200
    [request] = api.double.requests
    assert [(draft.to, draft.text) for draft in request.drafts] == [("+15558675310", "Your order ships <today>")]
    assert answer.get_json() == {
        "ChannelDefinitionId": OUTBOUND["ChannelDefinitionId"],
        "RequestId": OUTBOUND["RequestId"],
        "MessageId": next(iter(api.double.records)),
        "Status": "Sent",
    }


@pytest.mark.parametrize("changes", [{}, {"RequestId": "another run"[:7]}], ids=["as it was", "another request id"])
def test_a_second_run_sends_nothing_and_gets_the_first_outcome(api: Api, changes: dict[str, str]) -> None:
    first = api.post(PATH, OUTBOUND).get_json()
    second = api.post(PATH, outbound(**changes))
    assert second.get_json() == {**first, "RequestId": changes.get("RequestId", OUTBOUND["RequestId"])}
    assert len(api.double.requests) == 1


def test_an_older_plug_in_has_the_request_id_for_a_key(api: Api) -> None:
    for _ in range(2):
        api.post(PATH, outbound(IdempotencyId=None))
    api.post(PATH, outbound(IdempotencyId=None, RequestId="other"))
    assert len(api.double.requests) == 2


def test_a_key_stands_for_the_message_and_not_for_the_run(api: Api) -> None:
    digests = []
    for changes in ({}, {"RequestId": "other"}, {"To": "+15558675311"}, {"Message": {"text": "Other"}}):
        api.post(PATH, outbound(**changes))
        digests.append(api.double.keys.digests["journeys idem-1"])
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


NOT_SENT = [
    pytest.param({"To": "12"}, "InvalidRecipient", id="no number"),
    pytest.param({"From": "a sender that is none!"}, "InvalidSender", id="no sender"),
    pytest.param({"Message": {"text": " "}}, "MissingValue", id="an empty text"),
    pytest.param({"Message": {"text": "x" * 1601}}, "InvalidMessage", id="too long"),
]


@pytest.mark.parametrize(("changes", "reason"), NOT_SENT)
def test_what_is_wrong_with_a_message_is_its_reason(api: Api, changes: dict[str, Any], reason: str) -> None:
    answer = api.post(PATH, outbound(**changes))
    assert answer.status_code == 200, answer.get_json()
    told = answer.get_json()
    assert (told["Status"], told["Details"]["Reason"], told["MessageId"]) == ("NotSent", reason, None)
    assert told["Details"]["Message"]
    assert api.double.requests == []


def test_a_refusal_has_the_providers_words(api: Api) -> None:
    def refuse(record: MessageRecord) -> None:
        record.status = MessageStatus.ERROR
        record.failure = FailureReason(
            "provider", ErrorKind.OPTED_OUT, "Attempt to send to unsubscribed recipient", 21610
        )

    api.double.settle = refuse
    told = api.post(PATH, OUTBOUND).get_json()
    assert told["Status"] == "NotSent"
    assert told["Details"] == {"Reason": "OptedOut", "Message": "Attempt to send to unsubscribed recipient"}


def test_an_open_outcome_is_asked_for_again(api: Api) -> None:
    def lose(record: MessageRecord) -> None:
        record.status, record.phase = MessageStatus.UNKNOWN, Phase.UNKNOWN

    api.double.settle = lose
    assert api.post(PATH, OUTBOUND).status_code == 504
    api.double.settle = lambda record: None
    assert api.post(PATH, OUTBOUND).get_json()["Status"] == "Sent"


def test_the_same_key_at_work_is_to_come_again(api: Api) -> None:
    api.double.fail_with["begin"] = KeyInProgress("the same request is being carried out", retry_after=2.0)
    answer = api.post(PATH, OUTBOUND)
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "2")


@pytest.mark.parametrize(
    "changes",
    [
        {"RequestId": None},
        {"To": None},
        {"Message": None},
        {"Message": {}},
        {"Message": {"text": 3}},
        {"RequestId": "ü"},
    ],
    ids=repr,
)
def test_what_is_no_such_document_is_a_bad_request(api: Api, changes: dict[str, Any]) -> None:
    answer = api.post(PATH, outbound(**changes))
    assert answer.status_code == 400
    assert api.double.requests == []


def test_what_later_versions_add_is_left_alone(api: Api) -> None:
    document = outbound(Added={"a": 1}, Message={"text": "Hello", "image": "x"})
    assert api.post(PATH, document).get_json()["Status"] == "Sent"


@pytest.fixture
def slow() -> Iterator[tuple[Any, threading.Event, EngineDouble]]:
    """The channel with a limit of a twentieth of a second, and a provider that answers when the event is set."""
    double, answered = EngineDouble(), threading.Event()
    double.settle = lambda record: answered.wait(10.0) and None
    services = Services(double.engine, PROFILE, CAPABILITIES, StructuredLog("sms"), double.notifications)
    handle, app = serve(services, routes(0.05)), flask.Flask("connector")

    def post(document: object) -> flask.Response:
        with app.test_request_context(PATH, method="POST", json=document):
            return handle(flask.request)

    yield post, answered, double
    answered.set()


def test_what_takes_longer_than_their_limit_goes_on_and_the_next_run_gets_the_outcome(slow: Any) -> None:
    post, answered, double = slow
    late = post(OUTBOUND)
    assert (late.status_code, late.get_json()["error"]["status"]) == (504, "DEADLINE_EXCEEDED")
    answered.set()
    while not double.keys.stored:
        threading.Event().wait(0.001)
    assert post(OUTBOUND).get_json()["Status"] == "Sent"
    assert len(double.requests) == 1


# --- documents to the connection's callback URL -----------------------------------------------------------------------


def record(status: MessageStatus, **values: Any) -> MessageRecord:
    fields: dict[str, Any] = {"id": "msg_1", "to": "+15558675310", "sender": "+15551234567", "created_at": 1.0}
    return MessageRecord(**fields, text_digest=text_digest("x"), updated_at=2.0, status=status, **values)


FORM = JourneysForm("sms", "org-1")


def test_a_delivery_is_told_as_they_name_it() -> None:
    document = FORM.of_message(record(MessageStatus.DELIVERED, channel="channel-1", reference="request-1"))
    assert document == (
        b'{"ChannelDefinitionId":"channel-1","RequestId":"request-1","MessageId":"msg_1","From":"+15551234567",'
        b'"OrganizationId":"org-1","Status":"Delivered"}'
    )


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (MessageStatus.READ, b'"Delivered"'),
        (MessageStatus.UNDELIVERED, b'"NotDelivered"'),
        (MessageStatus.FAILED, b'"NotDelivered"'),
        (MessageStatus.EXPIRED, b'"NotDelivered"'),
        (MessageStatus.CANCELED, b'"NotDelivered"'),
    ],
)
def test_there_are_two_words_for_a_final_status(status: MessageStatus, told: bytes) -> None:
    assert b'"Status":' + told in FORM.of_message(record(status))


def test_a_message_of_another_way_has_our_names() -> None:
    document = FORM.of_message(record(MessageStatus.DELIVERED, reference="order-7"))
    assert b'"ChannelDefinitionId":"sms","RequestId":"msg_1"' in document


def test_a_reply_is_told_as_they_name_it() -> None:
    inbound = {
        "providerMessageId": "SM1",
        "to": "+15551234567",
        "from": "+15558675310",
        "text": "Yes",
        "createdAt": 1.0,
    }
    assert FORM.of_inbound(inbound) == (
        b'{"ChannelDefinitionId":"sms","MessageId":"SM1","To":"+15551234567","From":"+15558675310",'
        b'"OrganizationId":"org-1","Message":{"text":"Yes"}}'
    )
