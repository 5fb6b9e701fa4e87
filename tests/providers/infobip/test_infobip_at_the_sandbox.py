"""The package against a simulator it shares no code with, over the real transport: what one writes the other reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from sandbox import AdminClient, Sandbox
from sandbox.infobip.account import API_KEY, PASSWORD, SENDING_KEY, USERNAME
from sms_connector.errors import ErrorKind, NotSent, OutcomeUnknown
from sms_connector.model.connection_status import ConnectionState
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.provider import Provider, RawCallback, SendOutcome, SendReceipt
from tests.contract.providers.doubles import CannedSecrets
from tests.fixtures.providers import live_transport, make_provider
from tests.sandbox.infobip.conftest import InfobipApi
from tests.sandbox.support import Receiver

ONE = OutboundMessage("msg_0123456789abcdef0123450000", "+447700900123", "+15551234567", "Olá – ça va? 👍 <b> & 50%+")


def several(count: int) -> list[OutboundMessage]:
    return [
        replace(ONE, id=f"{ONE.id[:-4]}{number:04x}", to=f"+44770090{number:04}", text=f"number {number}")
        for number in range(count)
    ]


@dataclass
class Live:
    """The provider, the simulator's other side, and the secrets between them."""

    provider: Provider
    admin: AdminClient
    secrets: CannedSecrets

    def send(self, *messages: OutboundMessage) -> Sequence[SendOutcome]:
        return self.provider.send(messages or [ONE])

    def report(self, message: OutboundMessage = ONE) -> DeliveryReport:
        (report,) = self.provider.fetch_reports([message.id])
        return report

    def requests(self, path: str) -> int:
        return len(self.admin.journal(path=path))


Connect = Callable[[int], Live]


@pytest.fixture
def connect(sandbox: Sandbox) -> Iterator[Connect]:
    """Builds a connection whose transport makes at most so many attempts of a call."""
    sandbox.admin.reset()
    with ExitStack() as opened:

        def build(attempts: int) -> Live:
            secrets = CannedSecrets({"api-key": API_KEY})
            transport = opened.enter_context(live_transport(secrets, attempts=attempts))
            return Live(make_provider("infobip", secrets, transport, sandbox.url), sandbox.admin, secrets)

        yield build


@pytest.fixture
def live(connect: Connect) -> Live:
    return connect(1)


def test_sent_and_delivered(live: Live) -> None:
    assert live.send() == [SendReceipt(ONE.id, MessageStatus.QUEUED, "PENDING_ACCEPTED", 1)]
    statuses = []
    for seconds in (0, 25, 25, 50):
        live.admin.advance(seconds)
        statuses.append(live.report().status)
    assert statuses == [MessageStatus.QUEUED, MessageStatus.SENDING, MessageStatus.SENT, MessageStatus.DELIVERED]
    (kept,) = live.admin.messages()
    assert (kept["sid"], kept["to"], kept["from"], kept["body"]) == (ONE.id, ONE.to, ONE.sender, ONE.text)


def test_a_thousand_in_four_calls_and_one_query(live: Live) -> None:
    messages = several(1000)
    outcomes = [outcome for start in range(0, 1000, 250) for outcome in live.send(*messages[start : start + 250])]
    assert [each.provider_message_id for each in outcomes if isinstance(each, SendReceipt)] == [
        message.id for message in messages
    ]
    live.admin.advance(200)
    reports = live.provider.fetch_reports([message.id for message in messages])
    assert {report.status for report in reports} == {MessageStatus.DELIVERED}
    assert len(reports) == 1000
    assert (live.requests("/sms/3/messages"), live.requests("/sms/3/logs")) == (4, 1)
    assert [kept["body"] for kept in live.admin.messages()] == [message.text for message in messages]


@pytest.mark.parametrize(
    ("to", "kind", "code"),
    [
        ("+15005550001", ErrorKind.INVALID_RECIPIENT, 52),
        ("+15005550002", ErrorKind.NOT_PERMITTED, 19),
        ("+15005550004", ErrorKind.OPTED_OUT, 14),
        ("+15005550005", ErrorKind.ACCOUNT, 12),
        ("+15005550007", ErrorKind.BLOCKED, 20),
    ],
)
def test_one_refused_stops_no_other(live: Live, to: str, kind: ErrorKind, code: int) -> None:
    first, second, third = several(3)
    outcomes = live.send(first, replace(second, to=to), third)
    assert [type(outcome) for outcome in outcomes] == [SendReceipt, FailureReason, SendReceipt]
    refused = outcomes[1]
    assert isinstance(refused, FailureReason)
    assert (refused.source, refused.kind, refused.code) == ("provider", kind, code)
    assert [kept["sid"] for kept in live.admin.messages()] == [first.id, third.id]


@pytest.mark.parametrize(
    ("to", "status", "kind", "code"),
    [
        ("+15005530007", MessageStatus.UNDELIVERED, ErrorKind.UNREACHABLE, 7),
        ("+15005530603", MessageStatus.UNDELIVERED, ErrorKind.OPTED_OUT, 603),
        ("+15005532052", MessageStatus.FAILED, ErrorKind.OPTED_OUT, 2052),
        ("+15005534101", MessageStatus.UNDELIVERED, ErrorKind.EXPIRED, 4101),
        ("+15005540001", MessageStatus.SENT, None, None),
        ("+15005540004", MessageStatus.UNKNOWN, None, None),
        ("+15005540005", MessageStatus.SENT, None, None),
    ],
)
def test_what_becomes_of_it(
    live: Live, to: str, status: MessageStatus, kind: ErrorKind | None, code: int | None
) -> None:
    message = replace(ONE, to=to)
    live.send(message)
    live.admin.advance(200)
    report = live.report(message)
    failure = report.failure
    assert (report.status, failure and failure.kind, failure and failure.code) == (status, kind, code)


def test_a_recipient_on_the_blocklist_has_opted_out(live: Live) -> None:
    live.admin.post("infobip/account", {"blocklist": [ONE.to]})
    (outcome,) = live.send()
    assert isinstance(outcome, FailureReason)
    assert outcome.is_opt_out


def test_a_refused_request_names_why(live: Live) -> None:
    outcomes = live.send(*(replace(message, validity_seconds=200_000) for message in several(2)))
    for outcome in outcomes:
        assert isinstance(outcome, FailureReason)
        assert (outcome.code, outcome.kind) == ("E400", ErrorKind.INVALID_REQUEST)
        assert "validityPeriod.amount: must be within 48 hours" in outcome.message
    assert live.admin.messages() == []


def test_one_violation_stops_no_other(live: Live) -> None:
    first, second, third = several(3)
    outcomes = live.send(first, replace(second, validity_seconds=200_000), third)
    assert [type(outcome) for outcome in outcomes] == [SendReceipt, FailureReason, SendReceipt]
    assert [kept["sid"] for kept in live.admin.messages()] == [first.id, third.id]


# --- a lost answer ----------------------------------------------------------------------------------------------------

LOST = [
    ("reset_after_accept", {}),
    ("5xx_after_accept", {}),
    ("timeout_after_accept", {}),
    ("reset_before_accept", {}),
    ("500_before_accept", {}),
    ("429", {"seconds": 0}),
]


@pytest.mark.parametrize(("kind", "rule"), LOST, ids=[kind for kind, _ in LOST])
def test_a_lost_answer_is_settled_by_a_repetition(connect: Connect, kind: str, rule: dict[str, float]) -> None:
    live = connect(3)
    live.admin.fault(kind, count=1, path="/sms/3/messages", **rule)
    messages = [*several(3), replace(ONE, id="msg_fedcba98765432100123450003", to="+15005550004")]
    outcomes = live.send(*messages)
    assert [type(outcome) for outcome in outcomes] == [SendReceipt] * 3 + [FailureReason]
    assert [kept["sid"] for kept in live.admin.messages()] == [message.id for message in messages[:3]]
    refused = outcomes[-1]
    assert isinstance(refused, FailureReason)
    assert refused.is_opt_out


def test_where_the_logs_say_nothing_it_stays_unknown(connect: Connect) -> None:
    live = connect(3)
    live.admin.fault("reset_after_accept", count=1, path="/sms/3/messages")
    first, unlogged = several(2)
    taken, unknown = live.send(first, replace(unlogged, to="+15005540006"))
    assert isinstance(taken, SendReceipt)
    assert isinstance(unknown, OutcomeUnknown)
    assert len(live.admin.messages()) == 2


def test_given_up_it_is_unknown_and_found_by_our_id(live: Live) -> None:
    live.admin.fault("reset_after_accept", count=1)
    with pytest.raises(OutcomeUnknown):
        live.send()
    assert live.report().status is MessageStatus.QUEUED


@pytest.mark.parametrize("variant", ["truncated", "html", "empty", "short"])
def test_an_answer_that_cannot_be_read_is_unknown(live: Live, variant: str) -> None:
    live.admin.fault("unreadable_2xx", variant=variant, count=1)
    with pytest.raises(OutcomeUnknown):
        live.send(*several(2))
    assert len(live.admin.messages()) == 2


def test_not_taken_is_not_sent(live: Live) -> None:
    live.admin.fault("503_retry_after", count=1)
    with pytest.raises(NotSent):
        live.send()
    assert live.admin.messages() == []


# --- callbacks --------------------------------------------------------------------------------------------------------


def posted(admin: AdminClient, url: str, **headers: str) -> list[RawCallback]:
    return [
        RawCallback("POST", url, headers, attempt["body"].encode(), datetime.now(UTC)) for attempt in admin.callbacks()
    ]


def test_reports_of_one_call_come_together(live: Live) -> None:
    live.admin.settings(callbacks={"beforeAnswer": 1})
    with Receiver() as receiver:
        url = f"{receiver.url}/webhooks/infobip/status/token?m=msg_1&d=0123"
        messages = [replace(message, callback_url=url) for message in several(150)]
        live.send(*messages)
        paths = {request.path for request in receiver.wait_for(6)}
    assert paths == {"/webhooks/infobip/status/token"}
    reports = [
        report
        for callback in posted(live.admin, url)
        if live.provider.verify_callback(callback)
        for report in live.provider.read_status_callback(callback)
    ]
    delivered = [report.message_id for report in reports if report.status is MessageStatus.DELIVERED]
    assert sorted(delivered, key=str) == [message.id for message in messages]
    assert {report.status for report in reports} == {
        MessageStatus.SENDING,
        MessageStatus.SENT,
        MessageStatus.DELIVERED,
    }


def test_the_report_of_a_repetition_moves_nothing(live: Live) -> None:
    live.admin.settings(callbacks={"beforeAnswer": 1, "statuses": ["REJECTED_DUPLICATE_MESSAGE_ID"]})
    with Receiver() as receiver:
        message = replace(ONE, callback_url=receiver.url)
        live.send(message)
        live.send(message)
        (callback,) = posted(live.admin, receiver.url)
    assert json.loads(callback.body)["results"][0]["messageId"] == ONE.id
    assert live.provider.read_status_callback(callback) == []


def test_basic_of_a_subscription(live: Live) -> None:
    live.admin.settings(callbacks={"beforeAnswer": 1})
    live.secrets.values.update({"webhook-username": "acme", "webhook-password": "secret"})
    with Receiver() as receiver:
        subscription = {"deliveryUrl": f"{receiver.url}/s", "username": "acme", "password": "secret"}
        live.admin.post("infobip/account", subscription)
        live.send(replace(ONE, callback_url=f"{receiver.url}/not-this-one"))
        requests = receiver.wait_for(3)
        (callback, *_) = posted(live.admin, "/s", authorization=requests[0].headers["Authorization"])
    assert {request.path for request in requests} == {"/s"}
    assert live.provider.verify_callback(callback)
    assert not live.provider.verify_callback(replace(callback, headers={}))


def test_an_inbound_message_is_whole(live: Live) -> None:
    with Receiver() as receiver:
        live.admin.post("infobip/account", {"inboundUrl": receiver.url})
        live.admin.inbound(provider="infobip", to=ONE.sender, from_=ONE.to, body="Olá – ça va? 👍")
        (callback,) = posted(live.admin, receiver.url)
    (message,) = live.provider.read_inbound(callback)
    assert (message.sender, message.to, message.text) == (ONE.to, ONE.sender, "Olá – ça va? 👍")
    assert abs(message.received_at - datetime.now(UTC)) < timedelta(seconds=60)


# --- the connection ---------------------------------------------------------------------------------------------------


def test_the_connection(live: Live) -> None:
    assert live.provider.check_connection().state is ConnectionState.ACTIVE
    live.secrets.values["api-key"] = SENDING_KEY
    status = live.provider.check_connection()
    assert (status.state, "sms:manage" in status.description) == (ConnectionState.AUTH_ERROR, True)
    live.secrets.values["api-key"] = "wrong"
    assert live.provider.check_connection().state is ConnectionState.AUTH_ERROR
    live.admin.fault("500_before_accept", count=1)
    assert live.provider.check_connection().state is ConnectionState.ERROR
    assert live.admin.messages() == []


def test_a_rotated_key_is_used_at_once(live: Live, sandbox: Sandbox) -> None:
    """Infobip makes the second key, and the first is revoked before the cache of ours has seen it."""
    owner = InfobipApi(sandbox.url)
    del owner.session.headers["Authorization"]
    owner.session.auth = (USERNAME, PASSWORD)
    second = owner.call("POST", "/settings/2/api-keys", json={"name": "second"}).json()
    first = API_KEY[:32].upper()
    owner.call("PUT", f"/settings/2/api-keys/{first}", json={"enabled": False})
    live.secrets.after_refresh = {"api-key": second["apiKeySecret"]}
    (outcome,) = live.send()
    assert isinstance(outcome, SendReceipt)
    assert live.secrets.refreshed == 1


def test_a_message_for_later(live: Live) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    live.send(replace(ONE, send_at=later))
    live.admin.advance(3500)
    assert live.report().status is MessageStatus.QUEUED
    live.admin.advance(300)
    assert live.report().status is MessageStatus.DELIVERED
