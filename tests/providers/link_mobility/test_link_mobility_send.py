"""What a request to LINK looks like, and what its answers mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.errors import ErrorKind, NotSent, OutcomeUnknown, ProviderRefused, RetrySafety
from sms_connector.model.connection_status import ConnectionState
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.provider import ProviderSettings, SendReceipt
from sms_connector.providers.link_mobility.provider import LinkMobilityProvider
from sms_connector.providers.link_mobility.statuses import FAILURES
from sms_connector.transport.http import HttpRequest, HttpResponse
from tests.contract.providers.doubles import Answer, CannedSecrets, CannedTransport
from tests.fixtures.clocks import FakeClock
from tests.providers.link_mobility import link_wire as wire

MESSAGE = OutboundMessage("msg_1", wire.RECIPIENT, wire.SENDER, "Olá – ça va?\r\n<b> & 50 %")
OAUTH = {"client-id": "our-client", "client-secret": "our-secret"}


class Link:
    """The provider with canned answers, and what it sent."""

    def __init__(
        self, *answers: Answer, secrets: dict[str, str] | None = None, options: dict[str, str] | None = None
    ) -> None:
        self.secrets = CannedSecrets(dict(wire.SECRETS if secrets is None else secrets))
        self.transport = CannedTransport(*answers)
        self.clock = FakeClock()
        settings = ProviderSettings(base_url=f"{wire.BASE}/", options=wire.OPTIONS if options is None else options)
        self.provider = LinkMobilityProvider(settings, secrets=self.secrets, transport=self.transport, clock=self.clock)

    @property
    def requests(self) -> list[HttpRequest]:
        return self.transport.requests

    @property
    def body(self) -> Any:
        return json.loads(self.requests[-1].body or b"null")


def test_one_message() -> None:
    on = Link(wire.queued(wire.message_id(1), smsCount=2))
    (outcome,) = on.provider.send([MESSAGE])
    assert outcome == SendReceipt(wire.message_id(1), MessageStatus.QUEUED, "1005", segments=2)
    assert (on.requests[0].method, on.requests[0].url) == ("POST", f"{wire.BASE}/sms/send")
    assert on.requests[0].authorization == wire.AUTHORIZATION
    assert on.body == {
        "platformId": "COMMON_API",
        "platformPartnerId": "10001",
        "useDeliveryReport": True,
        "deliveryReportGates": ["BVldZyQt"],
        "ignoreResponse": False,
        "customParameters": {"replySmsCount": "true"},
        "source": wire.SENDER,
        "sourceTON": "MSISDN",
        "destination": wire.RECIPIENT,
        "destinationTON": "MSISDN",
        "dcs": "TEXT",
        "userData": MESSAGE.text,
        "refId": "msg_1",
    }


def test_a_batch_has_each_message_and_their_options_once() -> None:
    later = datetime(2026, 7, 7, 10, 30, tzinfo=UTC)
    messages = [
        replace(MESSAGE, id=f"msg_{n}", text=f"Text {n}", validity_seconds=900, send_at=later) for n in range(3)
    ]
    on = Link(wire.taken([wire.message_id(n) for n in range(3)]))
    outcomes = on.provider.send(messages)
    assert [each.provider_message_id for each in outcomes if isinstance(each, SendReceipt)] == [
        wire.message_id(n) for n in range(3)
    ]
    assert on.requests[0].url == f"{wire.BASE}/sms/sendbatch"
    assert (on.body["relativeValidityTime"], on.body["customParameters"]["scheduledTime"]) == (
        900_000,
        "2026-07-07T10:30:00Z",
    )
    assert [(item["refId"], item["userData"]) for item in on.body["sendRequestMessages"]] == [
        (f"msg_{n}", f"Text {n}") for n in range(3)
    ]
    assert "source" not in on.body


@pytest.mark.parametrize(
    ("sender", "kind"),
    [("+15551234567", "MSISDN"), ("2333", "SHORTNUMBER"), ("ACME", "ALPHANUMERIC"), ("4ACME", "ALPHANUMERIC")],
)
def test_what_kind_the_sender_is(sender: str, kind: str) -> None:
    on = Link(wire.queued("x"))
    on.provider.send([replace(MESSAGE, sender=sender)])
    assert on.body["sourceTON"] == kind


def test_without_a_gate_no_reports_are_asked_for_and_none_are_promised() -> None:
    on = Link(wire.queued("x"), options={"platformId": "p", "platformPartnerId": "1"})
    on.provider.send([MESSAGE])
    assert on.body["useDeliveryReport"] is False
    assert "deliveryReportGates" not in on.body
    assert not on.provider.capabilities.status_callbacks
    assert Link().provider.capabilities.status_callbacks


def test_a_result_that_is_a_failure_without_an_id_is_a_refusal() -> None:
    (outcome,) = Link(wire.answer(200, {"messageId": None, "resultCode": 2000, "description": "Bad."})).provider.send(
        [MESSAGE]
    )
    assert outcome == FailureReason("provider", ErrorKind.INVALID_SENDER, "Bad.", 2000)


def test_a_result_that_is_a_failure_with_an_id_is_its_status() -> None:
    (outcome,) = Link(wire.answer(200, {"messageId": "x", "resultCode": 104})).provider.send([MESSAGE])
    assert isinstance(outcome, SendReceipt)
    assert (outcome.status, outcome.failure and outcome.failure.code) == (MessageStatus.FAILED, 104)


@pytest.mark.parametrize(
    "results",
    [
        pytest.param([], id="an empty list"),
        pytest.param([{"messageId": "x", "refId": "msg_0", "resultCode": 1005}], id="one of two"),
        pytest.param([{"messageId": "x", "refId": "msg_0", "resultCode": 1005}, {"messageId": "y"}], id="no reference"),
        pytest.param(
            [{"messageId": "x", "refId": "msg_0", "resultCode": 1005}, {"refId": "msg_1", "resultCode": 1005}],
            id="no id",
        ),
    ],
)
def test_a_batchs_answer_that_leaves_one_out_leaves_it_unknown(results: list[Any]) -> None:
    messages = [replace(MESSAGE, id=f"msg_{n}") for n in range(2)]
    outcomes = Link(wire.answer(200, results)).provider.send(messages)
    assert isinstance(outcomes[0], SendReceipt if results else OutcomeUnknown)
    assert isinstance(outcomes[1], OutcomeUnknown)


@pytest.mark.parametrize("answer", [HttpResponse(204, {}, b""), wire.queued("x"), HttpResponse(200, {}, b"[1]")])
def test_a_batchs_answer_that_cannot_be_read_is_unknown(answer: HttpResponse) -> None:
    with pytest.raises(OutcomeUnknown):
        Link(answer).provider.send([MESSAGE, replace(MESSAGE, id="msg_2")])


@pytest.mark.parametrize(
    ("document", "code", "kind"),
    [
        ({"status": 106200, "description": "x"}, 106200, ErrorKind.ACCOUNT),
        ({"code": 106101, "message": "x"}, 106101, ErrorKind.NOT_PERMITTED),
        ({"status": 2103, "description": "x"}, 2103, ErrorKind.NOT_PERMITTED),
        ({"status": 199999, "description": "x"}, 199999, ErrorKind.INVALID_REQUEST),
    ],
)
def test_error_responses_of_every_edition(document: dict[str, Any], code: int, kind: ErrorKind) -> None:
    (outcome,) = Link(wire.answer(400, document)).provider.send([MESSAGE])
    assert isinstance(outcome, FailureReason)
    assert (outcome.code, outcome.kind, outcome.message) == (code, kind, "x")


def test_a_server_error_is_no_refusal_whatever_it_says() -> None:
    with pytest.raises(OutcomeUnknown):
        Link(wire.error(500, 106000, "Unknown Error.")).provider.send([MESSAGE])


def test_what_may_have_arrived_is_never_called_safe() -> None:
    assert {code for code, meaning in FAILURES.items() if meaning.retry is RetrySafety.UNKNOWN_OUTCOME} == {4, 5, 1010}


# --- OAuth 2 ----------------------------------------------------------------------------------------------------------


def granted(token: str, **fields: Any) -> HttpResponse:
    return wire.answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600, **fields})


def test_a_token_is_fetched_once_and_renewed_before_its_end() -> None:
    on = Link(granted("t1"), wire.queued("x"), wire.queued("y"), granted("t2"), wire.queued("z"), secrets=OAUTH)
    for _ in range(2):
        on.provider.send([MESSAGE])
    on.clock.sleep(3541)
    on.provider.send([MESSAGE])
    assert [request.url.removeprefix(wire.BASE) for request in on.requests] == [
        "/auth/token",
        "/sms/send",
        "/sms/send",
        "/auth/token",
        "/sms/send",
    ]
    assert on.requests[0].body == b"grant_type=client_credentials&client_id=our-client&client_secret=our-secret"
    assert [request.authorization for request in on.requests] == [None, "Bearer t1", "Bearer t1", None, "Bearer t2"]
    assert [request.repeatable for request in on.requests] == [True, False, False, True, False]


def test_a_token_that_is_refused_is_fetched_anew_and_the_call_repeated_once() -> None:
    refused = wire.error(401, 106100, "Invalid authentication.")
    on = Link(granted("t1"), refused, granted("t2"), wire.queued("x"), secrets=OAUTH)
    (outcome,) = on.provider.send([MESSAGE])
    assert isinstance(outcome, SendReceipt)
    on = Link(granted("t1"), refused, granted("t2"), refused, secrets=OAUTH)
    (outcome,) = on.provider.send([MESSAGE])
    assert isinstance(outcome, FailureReason)
    assert (outcome.kind, len(on.requests)) == (ErrorKind.AUTHENTICATION, 4)


def test_a_rotated_client_gets_a_token_of_its_own() -> None:
    on = Link(granted("t1"), wire.queued("x"), granted("t2"), wire.queued("y"), secrets=OAUTH)
    on.provider.send([MESSAGE])
    on.secrets.values["client-secret"] = "new"
    on.provider.send([MESSAGE])
    assert [request.authorization for request in on.requests if request.authorization] == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_no_token_for_wrong_clients(status: int) -> None:
    on = Link(wire.answer(status, {"error": "invalid_client"}), secrets=OAUTH)
    with pytest.raises(ProviderRefused) as refused:
        on.provider.send([MESSAGE])
    assert refused.value.kind is ErrorKind.AUTHENTICATION
    assert on.provider.check_connection().state is ConnectionState.AUTH_ERROR


@pytest.mark.parametrize(
    "answer",
    [
        HttpResponse(200, {}, b""),
        wire.answer(200, {}),
        granted("two\nlines"),
        HttpResponse(502, {}, b"<html>"),
        HttpResponse(302, {"location": "https://login.example"}, b""),
    ],
    ids=["nothing", "no token", "a line end", "bad gateway", "a redirect"],
)
def test_no_token_at_all_is_not_sent(answer: HttpResponse) -> None:
    on = Link(answer, secrets=OAUTH)
    with pytest.raises(NotSent):
        on.provider.send([MESSAGE])
    assert len(on.requests) == 1


def test_a_token_without_an_end_is_held_for_minutes() -> None:
    on = Link(granted("t1", expires_in="soon"), wire.queued("x"), granted("t2"), wire.queued("y"), secrets=OAUTH)
    on.provider.send([MESSAGE])
    on.clock.sleep(241)
    on.provider.send([MESSAGE])
    assert on.requests[-1].authorization == "Bearer t2"


# --- secrets, options, connection test --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secrets", "told"),
    [
        pytest.param({}, ["'username'", "'password'", "'client-id'"], id="nothing"),
        pytest.param({"username": "u"}, ["'password'"], id="half of Basic"),
        pytest.param({"client-id": "c"}, ["'client-secret'"], id="half of OAuth"),
        pytest.param(OAUTH, [], id="OAuth"),
        pytest.param({**wire.SECRETS, "webhook-username": "u"}, ["'webhook-password'"], id="half of the callbacks'"),
        pytest.param({**wire.SECRETS, "webhook-password": "p"}, ["'webhook-username'"], id="the other half"),
    ],
)
def test_problems_of_secrets(secrets: dict[str, str], told: list[str]) -> None:
    problems = Link(secrets=secrets).provider.problems()
    assert len(problems) == len(told)
    assert all(name in line for name, line in zip(told, problems, strict=True))


def test_problems_of_settings() -> None:
    problems = "\n".join(LinkMobilityProvider.setting_problems(ProviderSettings(options={"gateID": "x"})))
    for part in ("SMS_PROVIDER_URL is missing", "'gateID' is no option", "missing platformId", "platformPartnerId"):
        assert part in problems


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (wire.answer(200, [{"id": "BVldZyQt"}]), ConnectionState.ACTIVE, "1 gates"),
        (wire.answer(200, [{"id": "other"}, {"id": 7}]), ConnectionState.ERROR, "none of the account's gates (other)"),
        (wire.answer(200, []), ConnectionState.ERROR, "(none)"),
        (wire.answer(200, {"id": "x"}), ConnectionState.ERROR, "no list of gates"),
        (wire.error(403, 103101, "ACCESS_DENIED"), ConnectionState.ERROR, "platformPartnerId"),
        (wire.error(401, 103100, "INVALID_AUTHENTICATION"), ConnectionState.AUTH_ERROR, "username, password"),
    ],
)
def test_the_connection_test(answer: HttpResponse, state: ConnectionState, words: str) -> None:
    on = Link(answer)
    status = on.provider.check_connection()
    assert (status.state, words in status.description) == (state, True), status.description
    assert on.requests[0].url == f"{wire.BASE}/gate/partnergate/platform/COMMON_API/partner/10001"
