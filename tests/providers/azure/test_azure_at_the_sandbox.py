"""The package against a simulator it shares no code with, over the real transport."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from sandbox import Sandbox
from sms_connector import registry
from sms_connector.errors import ErrorKind, NotSent, OutcomeUnknown
from sms_connector.local.clock import SystemClock
from sms_connector.model.connection_status import ConnectionState
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.message import BeforeAttempt, OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.provider import ProviderSettings, SendReceipt
from sms_connector.transport.http import Lane
from sms_connector.transport.session import HttpTransport
from sms_connector.transport.settings import TransportSettings
from tests.fixtures.clocks import FakeClock
from tests.providers.azure import azure_wire as wire
from tests.providers.azure.conftest import Live

ANOTHER_KEY = "YW5vdGhlciBrZXk="


def message(number: int = 0, to: str | None = None, **changes: str) -> OutboundMessage:
    now = datetime.now(UTC).timestamp()
    made = OutboundMessage(
        f"msg_{number:026x}", to or wire.recipient(number), wire.SENDER, "Olá – ça va? 👍 <b> & 50%+", intended_at=now
    )
    return replace(made, **changes)


class TestSend:
    def test_sent_and_delivered(self, live: Live) -> None:
        sent = live.sent(message())
        assert live.provider.fetch_reports([sent]) == []
        live.admin.advance(200)
        report = live.report(sent)
        assert (report.status, report.message_id) == (MessageStatus.DELIVERED, message().id)
        (witness,) = live.admin.messages()
        assert (witness["sid"], witness["body"], witness["from"]) == (sent, message().text, wire.SENDER)

    def test_a_hundred_in_one_call(self, live: Live) -> None:
        outcomes = live.send(*(message(number) for number in range(100)))
        ids = [outcome.provider_message_id for outcome in outcomes if isinstance(outcome, SendReceipt)]
        assert ids == [witness["sid"] for witness in live.admin.messages()]
        assert len(live.admin.journal()) == 1

    def test_each_of_many_has_its_own_outcome(self, live: Live) -> None:
        numbers = ("+15005550001", "+15005550003", "+15005550004")
        first, invalid, later, opted_out, last = live.send(
            message(0), *(message(10 + place, to=to) for place, to in enumerate(numbers)), message(1)
        )
        assert isinstance(first, SendReceipt)
        assert isinstance(last, SendReceipt)
        assert isinstance(invalid, FailureReason)
        assert isinstance(opted_out, FailureReason)
        assert (invalid.kind, invalid.code, invalid.message) == (
            ErrorKind.INVALID_RECIPIENT,
            400,
            "Invalid To phone number format.",
        )
        assert (opted_out.kind, opted_out.is_opt_out) == (ErrorKind.OPTED_OUT, True)
        assert isinstance(later, NotSent)
        assert [witness["to"] for witness in live.admin.messages()] == [wire.recipient(0), wire.recipient(1)]

    def test_a_sender_of_somebody_else(self, live: Live) -> None:
        (outcome,) = live.send(message(sender="+14255550123"))
        assert isinstance(outcome, FailureReason)
        assert (outcome.kind, outcome.code) == (ErrorKind.INVALID_SENDER, 401)

    def test_a_text_that_is_too_long(self, live: Live) -> None:
        (outcome,) = live.send(message(text="x" * 2049))
        assert isinstance(outcome, FailureReason)
        assert (outcome.kind, outcome.code) == (ErrorKind.INVALID_REQUEST, 400)
        assert "at most 2048 characters" in outcome.message

    @pytest.mark.parametrize("sender", ["+18005551234", "12345", "Contoso"])
    def test_senders(self, live: Live, sender: str) -> None:
        live.sent(message(sender=sender))


class TestRepeats:
    @pytest.mark.parametrize("fault", ["reset_after_accept", "5xx_after_accept", "timeout_after_accept"])
    def test_a_lost_answer_is_asked_for_again_and_sends_nothing_twice(self, live: Live, fault: str) -> None:
        live.admin.fault(fault, count=1, **({"seconds": 1} if fault.startswith("timeout") else {}))
        outcomes = live.send(message(0), message(1))
        ids = [outcome.provider_message_id for outcome in outcomes if isinstance(outcome, SendReceipt)]
        assert ids == [witness["sid"] for witness in live.admin.messages()]
        assert len(live.admin.journal()) == 2

    def test_lost_for_good_is_unknown_and_the_same_call_settles_it_later(self, live: Live) -> None:
        both = message(0), message(1)
        live.admin.fault("reset_after_accept", count=2)
        with pytest.raises(OutcomeUnknown):
            live.send(*both)
        ids = [outcome.provider_message_id for outcome in live.send(*both) if isinstance(outcome, SendReceipt)]
        assert ids == [witness["sid"] for witness in live.admin.messages()]
        assert len(ids) == 2

    def test_a_repetition_that_azure_does_not_recognise_proves_nothing(self, live: Live) -> None:
        first = message()
        live.sent(first)
        with pytest.raises(OutcomeUnknown, match="rejected a repetition"):
            live.send(replace(first, intended_at=first.intended_at + 60))
        assert len(live.admin.messages()) == 1

    def test_a_later_call_in_other_company_has_the_first_outcome(self, live: Live) -> None:
        one, two = message(0), message(1)
        live.admin.fault("unreadable_2xx", count=1)
        with pytest.raises(OutcomeUnknown):
            live.send(one, two)
        assert live.sent(two) == live.admin.messages()[1]["sid"]
        assert live.sent(one) == live.admin.messages()[0]["sid"]
        assert len(live.admin.messages()) == 2

    @pytest.mark.parametrize("kind", ["429", "503_retry_after"])
    def test_told_to_come_later(self, live: Live, kind: str) -> None:
        live.admin.fault(kind, count=1, seconds=0)
        live.sent(message())
        assert [entry["status"] for entry in live.admin.journal()] == [int(kind[:3]), 202]

    def test_told_so_every_time_is_not_sent(self, live: Live) -> None:
        live.admin.fault("429", seconds=0)
        with pytest.raises(NotSent) as caught:
            live.send(message())
        assert caught.value.kind is ErrorKind.RATE_LIMITED
        assert live.admin.messages() == []


class TestCredentials:
    def test_the_connection(self, live: Live) -> None:
        assert live.provider.check_connection().state is ConnectionState.ACTIVE
        live.secrets.values["access-key"] = ANOTHER_KEY
        status = live.provider.check_connection()
        assert status.state is ConnectionState.AUTH_ERROR
        assert "Denied by the resource provider." in status.description
        assert "access-key" in status.description
        assert live.admin.messages() == []

    def test_nobody_there(self, live: Live) -> None:
        settings = TransportSettings(connect_timeout=0.2, read_timeout=0.2, attempts=1)
        transport = HttpTransport(settings, clock=SystemClock(), secrets=live.secrets)
        provider = registry.make_provider(
            "azure",
            ProviderSettings(base_url="http://127.0.0.1:9"),
            secrets=live.secrets,
            transport=transport,
            clock=SystemClock(),
        )
        assert provider.check_connection().state is ConnectionState.ERROR
        transport.close()

    def test_a_regenerated_key_is_read_again_and_no_message_fails(self, live: Live) -> None:
        live.sent(message(0))
        live.admin.post("azure/keys", {"primary": ANOTHER_KEY})
        live.secrets.after_refresh = {"access-key": ANOTHER_KEY}
        live.sent(message(1))
        live.sent(message(2))
        assert [entry["status"] for entry in live.admin.journal()] == [202, 401, 202, 202]

    def test_a_call_that_waited_is_signed_when_it_leaves(self, sandbox: Sandbox, live: Live) -> None:
        now = datetime.now(UTC).timestamp()
        clock = FakeClock(now - 3600)

        def gate(_lane: Lane, _before_attempt: BeforeAttempt | None) -> None:
            clock.now = now

        transport = HttpTransport(TransportSettings(attempts=1), clock=SystemClock(), secrets=live.secrets, gate=gate)
        provider = registry.make_provider(
            "azure", ProviderSettings(base_url=sandbox.url), secrets=live.secrets, transport=transport, clock=clock
        )
        assert isinstance(provider.send([message()])[0], SendReceipt)
        transport.close()

    def test_a_clock_that_is_wrong_is_told(self, sandbox: Sandbox, live: Live) -> None:
        transport = HttpTransport(TransportSettings(attempts=1), clock=SystemClock(), secrets=live.secrets)
        provider = registry.make_provider(
            "azure",
            ProviderSettings(base_url=sandbox.url),
            secrets=live.secrets,
            transport=transport,
            clock=FakeClock(datetime.now(UTC).timestamp() - 3600),
        )
        status = provider.check_connection()
        assert (status.state, "margin of 5 minutes" in status.description) == (ConnectionState.AUTH_ERROR, True)
        transport.close()


class TestReports:
    @pytest.mark.parametrize(
        ("to", "status", "kind"),
        [
            ("+15005530007", MessageStatus.UNDELIVERED, ErrorKind.UNREACHABLE),
            ("+15005534005", MessageStatus.FAILED, ErrorKind.BLOCKED),
            ("+15005534007", MessageStatus.FAILED, ErrorKind.OPTED_OUT),
            ("+15005535002", MessageStatus.UNKNOWN, ErrorKind.TIMEOUT),
        ],
    )
    def test_failures(self, live: Live, to: str, status: MessageStatus, kind: ErrorKind) -> None:
        sent = live.sent(message(to=to))
        live.admin.advance(200)
        report = live.report(sent)
        assert report.failure is not None
        assert (report.status, report.raw_status, report.failure.kind) == (status, "Failed", kind)
        assert live.admin.messages()[0]["status"] == str(status)

    def test_stop_is_seen_by_the_next_report(self, live: Live) -> None:
        live.admin.inbound(provider="azure", to=wire.SENDER, from_=wire.RECIPIENT, body="STOP")
        sent = live.sent(message())
        live.admin.advance(200)
        failure = live.report(sent).failure
        assert failure is not None
        assert (failure.is_opt_out, failure.code) == (True, 4007)

    def test_what_the_simulator_does_not_know_is_left_out(self, live: Live) -> None:
        assert live.provider.fetch_reports([wire.message_id(404)]) == []
        assert live.provider.fetch_reports(["Outgoing_/../x?y=z"]) == []
