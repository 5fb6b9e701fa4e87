"""The package against a simulator it shares no code with, over the real transport."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from sandbox import AdminClient, Sandbox
from sms_connector.errors import ErrorKind, InvalidRequest, NotSent, OutcomeUnknown
from sms_connector.model.connection_status import ConnectionState
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.inbound_message import Keyword
from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.provider import Provider, RawCallback, SendReceipt
from tests.contract.providers.doubles import CannedSecrets
from tests.fixtures.providers import live_transport
from tests.providers.telesign import telesign_wire as wire
from tests.sandbox.support import Received, Receiver

MESSAGE = OutboundMessage("msg_1", "+15558675310", "+15551234567", "Olá – ça va? 👍 <b> & 50%+")
PATH = "/v1/messaging"


@dataclass
class Live:
    """The provider, the simulator's other side, and the secrets between them."""

    provider: Provider
    basic: Provider
    admin: AdminClient
    secrets: CannedSecrets

    def send(self, message: OutboundMessage = MESSAGE) -> str:
        (outcome,) = self.provider.send([message])
        assert isinstance(outcome, SendReceipt), outcome
        return outcome.provider_message_id

    def report(self, reference_id: str) -> DeliveryReport:
        (report,) = self.provider.fetch_reports([reference_id])
        return report


@pytest.fixture
def live(sandbox: Sandbox) -> Iterator[Live]:
    sandbox.admin.reset()
    secrets = CannedSecrets(dict(wire.SECRETS))
    with live_transport(secrets) as transport:
        made = [wire.make(secrets, transport, base_url=sandbox.url, authentication=way) for way in ("digest", "basic")]
        yield Live(made[0], made[1], sandbox.admin, secrets)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(answer=lambda _: (200, "")) as opened:
        yield opened


def arrived(request: Received, url: str) -> RawCallback:
    return RawCallback(request.method, url, request.headers, request.body, datetime.now(UTC))


def test_sent_and_followed_to_its_end(live: Live) -> None:
    reference_id = live.send()
    seen = []
    for _ in range(5):
        seen.append(live.report(reference_id).status)
        live.admin.advance(26)
    assert seen == [
        MessageStatus.SENDING,
        MessageStatus.QUEUED,
        MessageStatus.SENT,
        MessageStatus.SENT,
        MessageStatus.DELIVERED,
    ]
    (message,) = live.admin.messages()
    assert (message["reference"], message["to"], message["body"]) == ("msg_1", MESSAGE.to, MESSAGE.text)


def test_by_basic_authentication(live: Live) -> None:
    (outcome,) = live.basic.send([MESSAGE])
    assert isinstance(outcome, SendReceipt)
    assert live.basic.check_connection().state is ConnectionState.ACTIVE


def test_a_repetition_has_a_digest_of_its_own(live: Live) -> None:
    live.admin.fault("429", count=2, seconds=0, path=PATH)
    live.send()
    assert [entry["status"] for entry in live.admin.journal(path=PATH)] == [429, 429, 200]
    assert len(live.admin.messages()) == 1


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"to": "+15005550001"}, ErrorKind.INVALID_RECIPIENT, 11000),
        ({"to": "+15005550002"}, ErrorKind.INVALID_RECIPIENT, 11001),
        ({"to": "+15005550033"}, ErrorKind.NOT_PERMITTED, 10033),
        ({"sender": "+15005550007"}, ErrorKind.INVALID_SENDER, 11013),
        ({"text": "x" * 1601}, ErrorKind.INVALID_MESSAGE, 11009),
    ],
)
def test_refused_in_the_providers_words(live: Live, changes: dict[str, str], kind: ErrorKind, code: int) -> None:
    (outcome,) = live.provider.send([replace(MESSAGE, **changes)])  # type: ignore[arg-type]  # a table of any field
    assert isinstance(outcome, FailureReason)
    assert (outcome.kind, outcome.code, outcome.source) == (kind, code, "provider")
    assert outcome.message


@pytest.mark.parametrize(
    ("to", "status", "kind"),
    [
        ("+15005550004", MessageStatus.UNDELIVERED, ErrorKind.OPTED_OUT),
        ("+15005530007", MessageStatus.UNDELIVERED, ErrorKind.UNREACHABLE),
        ("+15005530515", MessageStatus.FAILED, ErrorKind.BLOCKED),
        ("+15005510031", MessageStatus.FAILED, ErrorKind.OPTED_OUT),
        ("+15005510030", MessageStatus.FAILED, ErrorKind.ACCOUNT),
        ("+15005530251", MessageStatus.SENT, None),
    ],
)
def test_what_fails_later(live: Live, to: str, status: MessageStatus, kind: ErrorKind | None) -> None:
    reference_id = live.send(replace(MESSAGE, to=to))
    live.admin.advance(200)
    report = live.report(reference_id)
    assert (report.status, report.failure and report.failure.kind) == (status, kind)


@pytest.mark.parametrize("fault", ["reset_after_accept", "5xx_after_accept", "unreadable_2xx", "500_before_accept"])
def test_a_lost_answer_is_unknown_and_never_repeated(live: Live, fault: str) -> None:
    live.admin.fault(fault, count=1, path=PATH)
    with pytest.raises(OutcomeUnknown):
        live.provider.send([MESSAGE])
    assert len(live.admin.journal(path=PATH)) == 1


def test_what_is_refused_before_it_is_read_was_not_sent(live: Live) -> None:
    live.admin.fault("503_retry_after", seconds=0, path=PATH)
    with pytest.raises(NotSent):
        live.provider.send([MESSAGE])
    assert live.admin.messages() == []


def test_a_rate_that_does_not_pass_ends_in_the_providers_words(live: Live) -> None:
    live.admin.fault("429", seconds=0, path=PATH)
    (outcome,) = live.provider.send([MESSAGE])
    assert isinstance(outcome, FailureReason)
    assert (outcome.code, outcome.kind) == (10019, ErrorKind.RATE_LIMITED)


def test_what_the_simulator_does_not_know_is_left_out(live: Live) -> None:
    assert live.provider.fetch_reports([wire.reference_id(404)]) == []


def test_the_connection(live: Live) -> None:
    assert live.provider.check_connection().state is ConnectionState.ACTIVE
    live.secrets.values["api-key"] = wire.NEW_KEY
    for provider in (live.provider, live.basic):
        status = provider.check_connection()
        assert status.state is ConnectionState.AUTH_ERROR
        assert "check the secrets customer-id, api-key" in status.description


def test_a_key_is_rotated_without_a_failed_send(live: Live) -> None:
    live.admin.post("telesign/account", {"apiKeys": [wire.NEW_KEY]})
    live.secrets.after_refresh = {"api-key": wire.NEW_KEY, "api-key-previous": wire.API_KEY}
    live.send()
    assert [entry["status"] for entry in live.admin.journal(path=PATH)] == [401, 200]


def test_reports_are_signed_and_say_what_happened(live: Live, receiver: Receiver) -> None:
    live.admin.settings(callbacks={"statuses": ["203", "200"], "beforeAnswer": 1})
    url = f"{receiver.url}/webhooks/telesign/status/token?m=msg_1&d=0123"
    reference_id = live.send(replace(MESSAGE, callback_url=url))
    callbacks = [arrived(request, url) for request in receiver.wait_for(2)]
    assert all(live.provider.verify_callback(callback) for callback in callbacks)
    reports = [report for callback in callbacks for report in live.provider.read_status_callback(callback)]
    assert {(report.provider_message_id, report.message_id) for report in reports} == {(reference_id, "msg_1")}
    assert {report.status for report in reports} == {MessageStatus.SENT, MessageStatus.DELIVERED}


def test_a_forged_report_is_not_accepted(live: Live, receiver: Receiver) -> None:
    live.admin.settings(callbacks={"beforeAnswer": 1})
    live.send(replace(MESSAGE, callback_url=receiver.url))
    (callback,) = [arrived(request, receiver.url) for request in receiver.wait_for(1)]
    for body in (callback.body.replace(b"msg_1", b"msg_2"), callback.body + b"0", b"", b"[" * 60_000):
        assert not live.provider.verify_callback(replace(callback, body=body))
    # Signed or not, content that is none is refused by name.
    for body in (b"[" * 60_000, b'{"status":{"code":' + b"9" * 5_000 + b"}}", b'{"status":null}', b'"\xff"'):
        with pytest.raises(InvalidRequest):
            live.provider.read_status_callback(replace(callback, body=body))
        with pytest.raises(InvalidRequest):
            live.provider.read_inbound(replace(callback, body=body))


@pytest.mark.parametrize(("handled", "keyword"), [(True, Keyword.STOP), (False, None)])
def test_inbound_is_signed_and_whole(live: Live, receiver: Receiver, handled: bool, keyword: Keyword | None) -> None:
    live.admin.post("telesign/account", {"inboundUrl": receiver.url, "keywordHandling": handled})
    live.admin.inbound(provider="telesign", to=MESSAGE.sender, from_=MESSAGE.to, body="Arrêt")
    (callback,) = [arrived(request, receiver.url) for request in receiver.wait_for(1)]
    assert live.provider.verify_callback(callback)
    (message,) = live.provider.read_inbound(callback)
    assert (message.sender, message.to, message.text) == (MESSAGE.to, MESSAGE.sender, "Arrêt")
    assert message.keyword is keyword
