"""The package against a simulator it shares no code with, over the real transport."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from sandbox import AdminClient, Sandbox
from sandbox.custom.service import SEND_PATH, STATUS_PATH
from sms_connector.errors import ErrorKind, InvalidRequest, NotSent, OutcomeUnknown
from sms_connector.model.connection_status import ConnectionState
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.provider import Provider, RawCallback, SendReceipt
from tests.contract.providers.doubles import CannedSecrets
from tests.fixtures.providers import live_transport
from tests.providers.custom import custom_wire as wire
from tests.sandbox.support import Received, Receiver

MESSAGES = [OutboundMessage(f"msg_{n}", f"+155586753{n:02}", "+15551234567", "Olá – 👍 <b> & 50%") for n in range(5)]
MESSAGE = MESSAGES[0]


@dataclass
class Live:
    """The provider, one message a call or many, the simulator's other side, and the secrets between them."""

    provider: Provider
    many: Provider
    admin: AdminClient
    secrets: CannedSecrets

    def report(self, message_id: str) -> DeliveryReport:
        (report,) = self.provider.fetch_reports([message_id])
        return report


@pytest.fixture
def live(sandbox: Sandbox) -> Iterator[Live]:
    sandbox.admin.reset()
    secrets = CannedSecrets(dict(wire.SECRETS))
    url, status_url = sandbox.url + SEND_PATH, sandbox.url + STATUS_PATH
    with live_transport(secrets) as transport:
        yield Live(
            wire.make(secrets, transport, url=url, statusUrl=status_url),
            wire.make(secrets, transport, url=url, statusUrl=status_url, recipientsPerCall="5"),
            sandbox.admin,
            secrets,
        )


@pytest.fixture
def receiver(live: Live) -> Iterator[Receiver]:
    with Receiver() as opened:
        live.admin.post("custom/channel", {"statusUrl": opened.url, "inboundUrl": opened.url})
        yield opened


def arrived(request: Received, url: str) -> RawCallback:
    return RawCallback(request.method, url, request.headers, request.body, datetime.now(UTC))


def test_sent_and_followed_to_its_end(live: Live) -> None:
    (outcome,) = live.provider.send([MESSAGE])
    assert outcome == SendReceipt("msg_0", MessageStatus.SENT, "Sent")
    assert live.report("msg_0").status is MessageStatus.SENT
    live.admin.advance(200)
    assert live.report("msg_0").status is MessageStatus.DELIVERED
    (message,) = live.admin.messages()
    assert (message["reference"], message["to"], message["body"]) == ("msg_0", MESSAGE.to, MESSAGE.text)


def test_one_refused_of_many_stops_no_other(live: Live) -> None:
    messages = [*MESSAGES[:2], replace(MESSAGES[2], to="+15005550004"), *MESSAGES[3:]]
    outcomes = live.many.send(messages)
    assert [type(outcome) for outcome in outcomes] == [
        SendReceipt,
        SendReceipt,
        FailureReason,
        SendReceipt,
        SendReceipt,
    ]
    refused = outcomes[2]
    assert isinstance(refused, FailureReason)
    assert refused.is_opt_out
    assert [message["reference"] for message in live.admin.messages()] == ["msg_0", "msg_1", "msg_3", "msg_4"]


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"to": "+15005550001"}, ErrorKind.INVALID_RECIPIENT, "InvalidRecipient"),
        ({"to": "+15005550002"}, ErrorKind.UNREACHABLE, "NoRoute"),
        ({"to": "+15005550003"}, ErrorKind.NOT_PERMITTED, 403),
        ({"to": "+15005550004"}, ErrorKind.OPTED_OUT, "OptedOut"),
        ({"to": "+15005550009"}, ErrorKind.LANDLINE, "NotMobile"),
        ({"sender": "+15005550007"}, ErrorKind.INVALID_SENDER, "InvalidSender"),
    ],
)
def test_refused_in_the_channels_words(live: Live, changes: dict[str, str], kind: ErrorKind, code: object) -> None:
    (outcome,) = live.provider.send([replace(MESSAGE, **changes)])  # type: ignore[arg-type]  # a table of any field
    assert isinstance(outcome, FailureReason)
    assert (outcome.kind, outcome.code, outcome.source) == (kind, code, "provider")
    assert live.admin.messages() == []


@pytest.mark.parametrize(
    ("to", "status", "kind"),
    [
        ("+15005530007", MessageStatus.UNDELIVERED, ErrorKind.BLOCKED),
        ("+15005530008", MessageStatus.FAILED, ErrorKind.DELIVERY),
        ("+15005530010", MessageStatus.UNDELIVERED, ErrorKind.OPTED_OUT),
        ("+15005540001", MessageStatus.SENT, None),
    ],
)
def test_what_fails_later(live: Live, to: str, status: MessageStatus, kind: ErrorKind | None) -> None:
    live.provider.send([replace(MESSAGE, to=to)])
    live.admin.advance(200)
    report = live.report("msg_0")
    assert (report.status, report.failure and report.failure.kind) == (status, kind)


@pytest.mark.parametrize(
    "fault", ["reset_after_accept", "5xx_after_accept", "500_before_accept", "reset_before_accept"]
)
def test_a_lost_answer_is_repeated_and_sends_once(live: Live, fault: str) -> None:
    live.admin.fault(fault, count=1, path=SEND_PATH)
    outcomes = live.many.send(MESSAGES)
    assert [type(outcome) for outcome in outcomes] == [SendReceipt] * 5
    assert [message["reference"] for message in live.admin.messages()] == [message.id for message in MESSAGES]
    assert len(live.admin.journal(path=SEND_PATH)) == 2


def test_one_that_stays_lost_is_unknown_and_settled_by_its_id(live: Live) -> None:
    live.admin.fault("5xx_after_accept", path=SEND_PATH)
    with pytest.raises(OutcomeUnknown):
        live.provider.send([MESSAGE])
    live.admin.clear_faults()
    assert live.report("msg_0").provider_message_id == "msg_0"
    (outcome,) = live.provider.send([MESSAGE])
    assert isinstance(outcome, SendReceipt)
    assert len(live.admin.messages()) == 1


def test_one_that_cannot_be_read_is_unknown(live: Live) -> None:
    live.admin.fault("unreadable_2xx", count=1, path=SEND_PATH)
    with pytest.raises(OutcomeUnknown):
        live.provider.send([MESSAGE])


def test_a_refusal_for_the_moment_was_not_sent(live: Live) -> None:
    live.admin.fault("429", seconds=0, path=SEND_PATH)
    with pytest.raises(NotSent) as refused:
        live.provider.send([MESSAGE])
    assert refused.value.kind is ErrorKind.RATE_LIMITED


def test_what_the_channel_does_not_know_is_left_out(live: Live) -> None:
    assert live.provider.fetch_reports(["msg_404"]) == []


def test_the_connection(live: Live) -> None:
    assert live.provider.check_connection().state is ConnectionState.ACTIVE
    live.secrets.values["signing-secret"] = wire.NEW_SECRET
    assert live.provider.check_connection().state is ConnectionState.AUTH_ERROR
    live.secrets.values.update(wire.SECRETS | {"api-key": "wrong"})
    assert live.provider.check_connection().state is ConnectionState.AUTH_ERROR


def test_the_secret_is_rotated_without_a_failed_send_or_a_rejected_callback(live: Live, receiver: Receiver) -> None:
    live.admin.settings(callbacks={"beforeAnswer": 1})
    live.secrets.values |= {"signing-secret": wire.NEW_SECRET, "signing-secret-previous": wire.SECRET}
    for message, secrets in zip(MESSAGES, ([wire.SECRET], [wire.NEW_SECRET]), strict=False):
        live.admin.post("custom/channel", {"secrets": secrets})
        (outcome,) = live.provider.send([message])
        assert isinstance(outcome, SendReceipt)
    callbacks = [arrived(request, receiver.url) for request in receiver.wait_for(2)]
    assert all(live.provider.verify_callback(callback) for callback in callbacks)


def test_reports_are_signed_and_say_what_happened(live: Live, receiver: Receiver) -> None:
    live.admin.settings(callbacks={"statuses": ["Sent", "Delivered"], "beforeAnswer": 1})
    live.many.send(MESSAGES)
    callbacks = [arrived(request, receiver.url) for request in receiver.wait_for(1)]
    assert all(live.provider.verify_callback(callback) for callback in callbacks)
    reports = [report for callback in callbacks for report in live.provider.read_status_callback(callback)]
    assert {report.message_id for report in reports} == {message.id for message in MESSAGES}
    assert {report.status for report in reports} == {MessageStatus.SENT, MessageStatus.DELIVERED}


def test_a_forged_report_is_not_accepted(live: Live, receiver: Receiver) -> None:
    live.admin.settings(callbacks={"beforeAnswer": 1})
    live.provider.send([MESSAGE])
    (callback,) = [arrived(request, receiver.url) for request in receiver.wait_for(1)]
    for body in (callback.body.replace(b"msg_0", b"msg_1"), callback.body + b"0", b"", b"[" * 60_000):
        assert not live.provider.verify_callback(replace(callback, body=body))
    # Signed or not, content that is none is refused by name.
    for body in (b"[" * 60_000, b'{"RequestId":' + b"9" * 5_000 + b"}", b'{"Status":{}}', b'"\xff"'):
        with pytest.raises(InvalidRequest):
            live.provider.read_status_callback(replace(callback, body=body))
        with pytest.raises(InvalidRequest):
            live.provider.read_inbound(replace(callback, body=body))


def test_inbound_is_signed_and_whole(live: Live, receiver: Receiver) -> None:
    live.admin.inbound(provider="custom", to=MESSAGE.sender, from_=MESSAGE.to, body="Olá – ça va? 👍")
    (callback,) = [arrived(request, receiver.url) for request in receiver.wait_for(1)]
    assert live.provider.verify_callback(callback)
    (message,) = live.provider.read_inbound(callback)
    assert (message.sender, message.to, message.text) == (MESSAGE.to, MESSAGE.sender, "Olá – ça va? 👍")
