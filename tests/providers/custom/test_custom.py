"""What the custom channel alone has: its documents, its options, its reasons."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from sms_connector.errors import ErrorKind, InvalidRequest, OutcomeUnknown, RetrySafety, UnsupportedOperation
from sms_connector.model.connection_status import ConnectionState
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.provider import Provider, ProviderSettings, SendOutcome, SendReceipt
from sms_connector.providers.custom.provider import CustomProvider
from sms_connector.providers.custom.statuses import REASONS, STATUSES
from sms_connector.transport.http import HttpRequest, HttpResponse
from tests.contract.providers.doubles import Answer, CannedSecrets, CannedTransport
from tests.providers.custom import custom_wire as wire

MESSAGES = [OutboundMessage(f"msg_{n}", f"+1555867530{n}", "+15551234567", "Olá 👍") for n in range(3)]
HOOK = "https://hooks.example.com/webhooks/custom/status/token"


def provider_with(*answers: Answer, secrets: Mapping[str, str] | None = None, **options: str) -> Provider:
    return wire.make(CannedSecrets(dict(secrets or wire.SECRETS)), CannedTransport(*answers), **options)


def sent(answer: Answer, count: int = 1, **options: str) -> tuple[list[SendOutcome], HttpRequest]:
    transport = CannedTransport(answer)
    provider = wire.make(CannedSecrets(dict(wire.SECRETS)), transport, **options)
    outcomes = list(provider.send(MESSAGES[:count]))
    (request,) = transport.requests
    return outcomes, request


# --- out --------------------------------------------------------------------------------------------------------------


def document(number: int) -> dict[str, Any]:
    return {
        "ChannelDefinitionId": "acme",
        "RequestId": f"msg_{number}",
        "IdempotencyId": f"msg_{number}",
        "From": "+15551234567",
        "To": f"+1555867530{number}",
        "Message": {"text": "Olá 👍"},
    }


@pytest.mark.parametrize(
    ("count", "options", "body"),
    [
        (1, {}, document(0)),
        (1, {"recipientsPerCall": "2"}, [document(0)]),
        (2, {"recipientsPerCall": "2"}, [document(0), document(1)]),
    ],
)
def test_the_documents(count: int, options: dict[str, str], body: Any) -> None:
    outcomes, request = sent(wire.taken, count, **options)
    assert json.loads(request.body or b"") == body
    assert (request.method, request.url, request.repeatable) == ("POST", wire.URL, True)
    assert [outcome.provider_message_id for outcome in outcomes if isinstance(outcome, SendReceipt)] == [
        message.id for message in MESSAGES[:count]
    ]


def test_the_same_call_has_the_same_id_and_another_one_another() -> None:
    ids = [sent(wire.taken, count, recipientsPerCall="3")[1].headers["webhook-id"] for count in (1, 2, 2, 3)]
    assert ids[0] == "msg_0"
    assert ids[1] == ids[2]
    assert len(set(ids)) == 3


@pytest.mark.parametrize(("secret", "good"), [(wire.SECRET, True), ("any text", True), ("whsec_", False)])
def test_a_secret_that_is_empty_is_named(secret: str, good: bool) -> None:
    told = provider_with(wire.taken, secrets={"signing-secret": secret}).problems()
    assert told == [] if good else "secret 'signing-secret' is empty (looked at /secrets/" in told[0]


def test_a_request_is_signed_with_both_secrets_while_they_overlap() -> None:
    transport = CannedTransport(wire.taken)
    secrets = {"signing-secret": wire.NEW_SECRET, "signing-secret-previous": wire.SECRET}
    wire.make(CannedSecrets(secrets), transport).send(MESSAGES[:1])
    (request,) = transport.requests
    assert request.authorization is None
    for secret in (wire.NEW_SECRET, wire.SECRET):
        assert Webhook(secret).verify(request.body or b"", dict(request.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_b3RoZXI=").verify(request.body or b"", dict(request.headers))


def test_a_get_is_signed_over_an_empty_body() -> None:
    transport = CannedTransport(wire.answer(200, {}))
    wire.make(CannedSecrets(dict(wire.SECRETS)), transport).check_connection()
    (request,) = transport.requests
    assert (request.method, request.url, request.body) == ("GET", wire.URL, None)
    assert Webhook(wire.SECRET).verify(b"", dict(request.headers), json_parse=False) is None
    assert request.authorization == f"Bearer {wire.API_KEY}"


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind", "code", "text"),
    [
        (wire.answer(200, {"Status": "NotSent", **wire.details("OptedOut")}), "OPTED_OUT", "OptedOut", "said by"),
        (wire.answer(200, {"Status": "NotSent", **wire.details("Mood")}), "OTHER", "Mood", "said by"),
        (wire.answer(200, {"Status": "NotSent"}), "OTHER", "NotSent", "NotSent"),
        (wire.answer(200, {"Status": "NotSent", "Details": None}), "OTHER", "NotSent", "NotSent"),
        (wire.answer(200, {"Status": "NotSent", "Details": {"Reason": 7}}), "OTHER", "NotSent", "NotSent"),
        (wire.answer(422, wire.details("InvalidSender")), "INVALID_SENDER", "InvalidSender", "said by"),
        (wire.answer(403, {"error": "no"}), "NOT_PERMITTED", 403, '{"error": "no"}'),
        (wire.answer(409, wire.details("Blocked")), "BLOCKED", "Blocked", "said by"),
        (HttpResponse(400, {"content-type": "text/plain; charset=utf-8"}, b"a\nb"), "INVALID_REQUEST", 400, "a b"),
        (HttpResponse(413, {"content-type": "text/plain"}, b"x" * 9999), "INVALID_REQUEST", 413, "x" * 300),
        (HttpResponse(401, {"content-type": "text/plain"}, b""), "AUTHENTICATION", 401, "the channel answered 401"),
    ],
)
def test_a_refusal(answer: HttpResponse, kind: str, code: object, text: str) -> None:
    (outcome,), _ = sent(answer)
    assert isinstance(outcome, FailureReason)
    assert (outcome.kind, outcome.code, outcome.source) == (kind, code, "provider")
    assert outcome.message.startswith(text)


def test_wrong_credentials_may_be_tried_again_once_they_are_right() -> None:
    (outcome,), _ = sent(wire.answer(401, wire.details("Unauthorized")))
    assert isinstance(outcome, FailureReason)
    assert outcome.retry is RetrySafety.SAFE


def test_each_message_of_a_call_has_its_own_outcome() -> None:
    results = [{"Status": "Sent"}, {"Status": "Perhaps"}, {"Status": "NotSent", **wire.details("OptedOut")}]
    outcomes, _ = sent(wire.answer(200, results), 3, recipientsPerCall="3")
    assert [type(outcome) for outcome in outcomes] == [SendReceipt, OutcomeUnknown, FailureReason]


def test_an_answer_in_another_order_settles_nothing() -> None:
    results = [{"RequestId": f"msg_{n}", "Status": "Sent"} for n in (1, 0)]
    outcomes, _ = sent(wire.answer(200, results), 2, recipientsPerCall="2")
    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown, OutcomeUnknown]


@pytest.mark.parametrize(
    ("answer", "state", "told"),
    [
        (HttpResponse(204, {}, b""), ConnectionState.ACTIVE, "accepts"),
        (
            wire.answer(401, wire.details("Unauthorized")),
            ConnectionState.AUTH_ERROR,
            "check the secrets signing-secret, api-key",
        ),
        (HttpResponse(405, {"content-type": "text/plain"}, b"no GET here"), ConnectionState.ERROR, "no GET here"),
        (HttpResponse(200, {"content-type": "text/html"}, b"<html>"), ConnectionState.ERROR, "SMS_PROVIDER_URL"),
    ],
)
def test_the_connection_test(answer: HttpResponse, state: ConnectionState, told: str) -> None:
    status = provider_with(answer).check_connection()
    assert status.state is state
    assert told in status.description


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"recipients_per_call": 1, "reports_by_id": 0, "status_callbacks": True, "inbound": True}),
        ({"recipientsPerCall": "1000"}, {"recipients_per_call": 1000}),
        ({"statusUrl": wire.STATUS_URL}, {"reports_by_id": 1}),
        ({"textLimit": "1000"}, {"text_limit": 1000}),
        ({"supportsStatus": "false"}, {"status_callbacks": False}),
        ({"supportsInbound": "false"}, {"inbound": False}),
    ],
)
def test_what_it_can_is_what_the_options_say(options: dict[str, str], expected: dict[str, object]) -> None:
    can = provider_with(wire.taken, **options).capabilities
    assert {name: getattr(can, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("url", "options", "problem"),
    [
        (wire.URL, {"recipientsPerCall": "20", "statusUrl": wire.STATUS_URL, "supportsInbound": "false"}, None),
        (None, {}, "SMS_PROVIDER_URL is missing"),
        (wire.URL, {"recipientsPerCall": "1001"}, "'1001' is not a whole number from 1 to 1000"),
        (wire.URL, {"recipientsPerCall": "0"}, "'0' is not"),
        (wire.URL, {"textLimit": "long"}, "'long' is not"),
        (wire.URL, {"supportsStatus": "yes"}, "'yes' is not one of true, false"),
        (wire.URL, {"statusUrl": "channel.example.com"}, "is not an absolute https:// address"),
        (wire.URL, {"statusUrl": "http://channel.example.com"}, "statusUrl: write https://"),
        ("http://127.0.0.1:1/x", {"statusUrl": "http://127.0.0.1:1/s"}, None),
    ],
)
def test_the_options(url: str | None, options: dict[str, str], problem: str | None) -> None:
    told = "\n".join(CustomProvider.setting_problems(ProviderSettings("acme", url, options)))
    assert (problem or "") in told
    assert bool(told) == bool(problem)


def test_without_a_status_url_no_status_can_be_asked_for() -> None:
    with pytest.raises(UnsupportedOperation):
        provider_with(wire.taken).fetch_reports(["msg_0"])


def test_a_status_is_asked_for_by_our_id() -> None:
    transport = CannedTransport(wire.answer(200, wire.report("msg_0", "NotDelivered", **wire.details("Unreachable"))))
    provider = wire.make(CannedSecrets(dict(wire.SECRETS)), transport, statusUrl=f"{wire.STATUS_URL}/")
    (report,) = provider.fetch_reports(["msg_0"])
    assert transport.requests[0].url == f"{wire.STATUS_URL}/msg_0"
    assert (report.provider_message_id, report.message_id) == ("msg_0", "msg_0")
    assert report.failure
    assert (report.failure.kind, report.failure.code) == (ErrorKind.UNREACHABLE, "Unreachable")


# --- in ---------------------------------------------------------------------------------------------------------------


def test_an_array_of_reports_is_read_and_what_is_none_left_out() -> None:
    documents = [wire.report("msg_0", "Sent"), 7, {"Status": "Sent"}, {"RequestId": ""}, wire.report("x", "Failed")]
    reports = provider_with(wire.taken).read_status_callback(wire.callback(HOOK, documents))
    # Another sender of the same endpoint: its ids are none of ours.
    assert [(report.provider_message_id, report.message_id) for report in reports] == [("msg_0", "msg_0"), ("x", None)]


@pytest.mark.parametrize("body", [b"[]", b"[[]]", b'{"RequestId":"msg_0"}', b'{"RequestId":1,"Status":"Sent"}'])
def test_a_body_without_a_report_is_refused(body: bytes) -> None:
    callback = wire.callback(HOOK, {})
    with pytest.raises(InvalidRequest):
        provider_with(wire.taken).read_status_callback(type(callback)(**{**_fields(callback), "body": body}))


def _fields(callback: Any) -> dict[str, Any]:
    return {name: getattr(callback, name) for name in callback.__struct_fields__}


@pytest.mark.parametrize(
    ("given", "id_"), [({}, "cm-1"), ({"MessageId": None}, "event_7"), ({"MessageId": 7}, "event_7")]
)
def test_a_message_without_an_id_has_that_of_its_request(given: dict[str, Any], id_: str) -> None:
    callback = wire.callback(HOOK, wire.inbound("+15558675310", "Hi", **given), id_="event_7")
    (message,) = provider_with(wire.taken).read_inbound(callback)
    assert (message.provider_message_id, message.sender, message.to) == (id_, "+15558675310", "+15551234567")


def test_the_secret_before_is_accepted_while_a_rotation_overlaps() -> None:
    callback = wire.callback(HOOK, wire.report("msg_0", "Sent"))
    after = {"signing-secret": wire.NEW_SECRET}
    assert provider_with(wire.taken, secrets=after | {"signing-secret-previous": wire.SECRET}).verify_callback(callback)
    assert not provider_with(wire.taken, secrets=after).verify_callback(callback)


def test_the_clock_is_that_of_the_webhook() -> None:
    """However long a callback waits in the queue, it came in time."""
    late = wire.callback(HOOK, wire.report("msg_0", "Sent"), at=datetime(2026, 7, 6, 11, 54, tzinfo=UTC))
    assert not provider_with(wire.taken).verify_callback(late)
    early = wire.callback(HOOK, wire.report("msg_0", "Sent"), at=datetime(2026, 7, 6, 11, 56, tzinfo=UTC))
    assert provider_with(wire.taken).verify_callback(early)


# --- the page people read ---------------------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[3] / "docs" / "providers" / "custom.md").read_text()


@pytest.mark.parametrize("name", [*CustomProvider.secret_names, *CustomProvider.options, *REASONS])
def test_the_page_has_every_name(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_the_page_has_every_status() -> None:
    assert all(f"| `{word}` | `{status}` |" in PAGE for word, status in STATUSES.items())
    assert MessageStatus.UNDELIVERED in STATUSES.values()
