"""The room against a simulator it shares no code with, over the real transport: what one writes the other has to read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from msgspec.structs import replace

from sandbox import AdminClient, Sandbox
from sandbox.twilio.accounts import KEY_SECRET, KEY_SID, SERVICE_SID
from sms_connector.errors import ErrorKind, OutcomeUnknown, ProviderRefused
from sms_connector.model.connection_status import ConnectionState
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.provider import Provider, RawCallback, ReportQuery, SendReceipt
from tests.contract.providers.doubles import CannedSecrets
from tests.fixtures.providers import live_transport, make_twilio
from tests.providers.twilio import twilio_wire as wire
from tests.sandbox.support import Received, Receiver

MESSAGE = OutboundMessage("msg_1", "+15558675310", "+15551234567", "Olá – ça va? 👍 <b> & 50%+")


@dataclass
class Live:
    """The provider, the simulator's other side, and the secrets between them."""

    provider: Provider
    admin: AdminClient
    secrets: CannedSecrets

    def send(self, message: OutboundMessage = MESSAGE) -> str:
        (outcome,) = self.provider.send([message])
        assert isinstance(outcome, SendReceipt), outcome
        return outcome.provider_message_id

    def report(self, sid: str) -> DeliveryReport:
        (report,) = self.provider.fetch_reports([sid])
        return report


@pytest.fixture
def live(sandbox: Sandbox) -> Iterator[Live]:
    """Every request the simulator saw is held against Twilio's document in the end."""
    sandbox.admin.reset()
    secrets = CannedSecrets(dict(wire.SECRETS))
    with live_transport(secrets, attempts=1) as transport:
        yield Live(make_twilio(sandbox.url, secrets, transport), sandbox.admin, secrets)
    assert [problem for entry in sandbox.admin.journal() for problem in wire.WITNESS.of_journal(entry)] == []


def arrived(request: Received, url: str) -> RawCallback:
    body = urlencode(request.form).encode()
    return RawCallback(request.method, url, request.headers, body, datetime.now(UTC))


def test_sent_delivered_and_found_in_the_list(live: Live) -> None:
    since = datetime.now(UTC)
    sid = live.send()
    assert live.report(sid).status in (MessageStatus.QUEUED, MessageStatus.SENDING, MessageStatus.SENT)
    live.admin.advance(200)
    assert live.report(sid).status is MessageStatus.DELIVERED
    page = live.provider.list_reports(ReportQuery(since, to=MESSAGE.to, sender=MESSAGE.sender))
    (listed,) = page.reports
    assert (listed.provider_message_id, listed.to, listed.sender) == (sid, MESSAGE.to, MESSAGE.sender)
    assert (listed.text_digest, listed.segments, page.next_page) == (MESSAGE.digest, live.report(sid).segments, None)


def test_a_message_whose_answer_was_lost_is_in_the_list(live: Live) -> None:
    since = datetime.now(UTC)
    live.admin.fault("unreadable_2xx", count=1)
    with pytest.raises(OutcomeUnknown):
        live.provider.send([MESSAGE])
    (listed,) = live.provider.list_reports(ReportQuery(since, to=MESSAGE.to)).reports
    assert listed.text_digest == MESSAGE.digest


def test_by_a_pool_scheduled_and_taken_back(live: Live) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    sid = live.send(replace(MESSAGE, sender=SERVICE_SID, send_at=later))
    assert live.report(sid).status is MessageStatus.SCHEDULED
    assert live.provider.cancel(sid).status is MessageStatus.CANCELED
    with pytest.raises(ProviderRefused):
        live.provider.cancel(sid)


def test_a_pools_messages_are_listed_under_the_pool(live: Live) -> None:
    since = datetime.now(UTC)
    live.send()
    sid = live.send(replace(MESSAGE, sender=SERVICE_SID))
    (listed,) = live.provider.list_reports(ReportQuery(since, sender=SERVICE_SID)).reports
    assert (listed.provider_message_id, listed.sender) == (sid, SERVICE_SID)


def test_redacted(live: Live) -> None:
    sid = live.send()
    live.admin.advance(200)
    assert live.provider.redact(sid).text_digest is None


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"to": "+15005550001"}, ErrorKind.INVALID_RECIPIENT),
        ({"sender": "+15005550001"}, ErrorKind.INVALID_SENDER),
        ({"text": "x" * 1601}, ErrorKind.INVALID_MESSAGE),
        ({"validity_seconds": 40_000}, ErrorKind.INVALID_REQUEST),
    ],
)
def test_refused_in_the_providers_words(live: Live, changes: dict[str, str], kind: ErrorKind) -> None:
    (outcome,) = live.provider.send([replace(MESSAGE, **changes)])  # type: ignore[arg-type] # a table of any field
    assert isinstance(outcome, FailureReason)
    assert (outcome.kind, outcome.source) == (kind, "provider")
    assert outcome.more_info == f"https://www.twilio.com/docs/errors/{outcome.code}"


def test_what_the_simulator_does_not_know_is_left_out(live: Live) -> None:
    assert live.provider.fetch_reports([wire.message_sid(404)]) == []


def test_the_connection(live: Live) -> None:
    assert live.provider.check_connection().state is ConnectionState.ACTIVE
    live.secrets.values.update({"api-key-sid": KEY_SID, "api-key-secret": KEY_SECRET})
    status = live.provider.check_connection()
    assert (status.state, "a standard key" in status.description) == (ConnectionState.ACTIVE, True)
    live.secrets.values["api-key-secret"] = "wrong"
    assert live.provider.check_connection().state is ConnectionState.AUTH_ERROR


def test_status_callbacks_are_signed_and_say_what_happened(live: Live) -> None:
    with Receiver() as receiver:
        url = f"{receiver.url}/webhooks/twilio/status/token?m=msg_1&d=0123"
        sid = live.send(replace(MESSAGE, callback_url=url))
        live.admin.advance(200)
        callbacks = [arrived(request, url) for request in receiver.wait_for(2)]
    assert all(live.provider.verify_callback(callback) for callback in callbacks)
    assert not any(
        live.provider.verify_callback(replace(callback, body=callback.body + b"0")) for callback in callbacks
    )
    reports = [report for callback in callbacks for report in live.provider.read_status_callback(callback)]
    assert {report.provider_message_id for report in reports} == {sid}
    assert MessageStatus.DELIVERED in {report.status for report in reports}


def test_inbound_is_signed_and_whole(live: Live) -> None:
    with Receiver() as receiver:
        url = f"{receiver.url}/webhooks/twilio/inbound/token"
        live.admin.post("numbers", {"number": MESSAGE.sender, "smsUrl": url})
        live.admin.inbound(to=MESSAGE.sender, from_=MESSAGE.to, body="Olá – ça va? 👍")
        (callback,) = [arrived(request, url) for request in receiver.wait_for(1)]
    assert live.provider.verify_callback(callback)
    (message,) = live.provider.read_inbound(callback)
    assert (message.sender, message.to, message.text) == (MESSAGE.to, MESSAGE.sender, "Olá – ça va? 👍")
