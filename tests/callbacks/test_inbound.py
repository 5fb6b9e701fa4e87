"""Inbound messages: kept once, tied to what they answer, and STOP and START counted in the order they were said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest

from sms_connector.callbacks.inbound import Inbox
from sms_connector.model.inbound_message import InboundMessage, Keyword
from sms_connector.model.status import MessageStatus
from sms_connector.store.campaign_record import MessageLocation
from tests.fixtures.event_stage import EventStage
from tests.providers.twilio import twilio_wire as wire

SENDER = wire.RECIPIENT


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[EventStage]:
    stage = EventStage(tmp_path)
    yield stage
    stage.ledger.close()


def message(text: str = "Hello", number: int = 1, *, after: float = 0.0, **fields: object) -> InboundMessage:
    values = {"sender": SENDER, "to": wire.SENDER, "text": text, "received_at": wire.NOW + timedelta(seconds=after)}
    return InboundMessage(wire.message_sid(number), **{**values, **fields})  # type: ignore[arg-type]


# --- kept -------------------------------------------------------------------------------------------------------------


def test_it_is_kept_once_and_listed(stage: EventStage) -> None:
    for _ in range(3):
        stage.receive("Olá – ça va? 👍", MediaUrl0="https://api.example/media/1")
    [kept], more = stage.inbound.list(limit=10)
    assert (kept.sender, kept.to, kept.text) == (SENDER, wire.SENDER, "Olá – ça va? 👍")
    assert (kept.media_urls, kept.received_at, kept.keyword) == (
        ("https://api.example/media/1",),
        wire.NOW.timestamp(),
        None,
    )
    assert more is None


def test_the_second_telling_says_so(stage: EventStage) -> None:
    assert [stage.inbox.accept(message()), stage.inbox.accept(message())] == [True, False]


def test_it_is_kept_for_thirty_days(stage: EventStage) -> None:
    stage.receive("Hello")
    stage.clock.now += 29 * 86_400
    assert len(stage.inbound.list(limit=10)[0]) == 1
    stage.clock.now += 2 * 86_400
    assert stage.inbound.list(limit=10)[0] == []


# --- consent ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "keyword", "opted_out"),
    [
        pytest.param("STOP", None, True, id="the word"),
        pytest.param(" stop\n", None, True, id="trimmed and in any case"),
        pytest.param("Unsubscribe", None, True, id="another word of the provider's"),
        pytest.param("basta", None, True, id="a word of the connection's own"),
        pytest.param("please stop", None, False, id="a sentence"),
        pytest.param("ARRET", Keyword.STOP, True, id="the provider has read it so"),
        pytest.param("HELP", None, False, id="help is no consent"),
        pytest.param("Hello", None, False, id="a plain text"),
    ],
)
def test_stop_ends_consent(stage: EventStage, text: str, keyword: Keyword | None, opted_out: bool) -> None:
    stage.inbox.accept(message(text, keyword=keyword))
    assert bool(stage.opt_outs.among([SENDER])) is opted_out


@pytest.mark.parametrize("text", ["START", "unstop", "Yes"])
def test_start_gives_it_again(stage: EventStage, text: str) -> None:
    stage.inbox.accept(message("STOP", 1))
    stage.inbox.accept(message(text, 2, after=60.0))
    assert stage.opt_outs.among([SENDER]) == set()


WORDS = [("STOP", 0.0), ("START", 10.0), ("STOP", 20.0), ("START", 30.0)]


@pytest.mark.parametrize("last", [1, 2, 3, 4])
@pytest.mark.parametrize("reverse", [False, True], ids=["in order", "backwards"])
def test_the_last_word_counts_in_whatever_order_words_arrive(stage: EventStage, last: int, reverse: bool) -> None:
    said = [message(text, number, after=after) for number, (text, after) in enumerate(WORDS[:last], start=1)]
    for each in reversed(said) if reverse else said:
        stage.inbox.accept(each)
    assert bool(stage.opt_outs.among([SENDER])) is (WORDS[last - 1][0] == "STOP")


@pytest.mark.parametrize("order", list(permutations([0, 1, 2])), ids=str)
def test_and_however_often_they_are_told(stage: EventStage, order: Sequence[int]) -> None:
    said = [message(text, number, after=after) for number, (text, after) in enumerate(WORDS[:3], start=1)]
    for position in (*order, *order):
        stage.inbox.accept(said[position])
    assert stage.opt_outs.among([SENDER]) == {SENDER}


@pytest.mark.parametrize("reverse", [False, True], ids=["in order", "backwards"])
@pytest.mark.parametrize(("first", "last"), [("START", "STOP"), ("STOP", "START")])
@pytest.mark.parametrize("channels", list(permutations(["", "whatsapp:", "rcs:"], 2)), ids=" then ".join)
def test_the_last_word_counts_by_whichever_channel(
    stage: EventStage, channels: tuple[str, str], first: str, last: str, reverse: bool
) -> None:
    """Consent is a person's: a STOP by SMS that arrives after a younger START by WhatsApp ends nothing."""
    said = [
        message(word, number, after=number * 10.0, sender=f"{channel}{SENDER}")
        for number, (channel, word) in enumerate(zip(channels, (first, last), strict=True), start=1)
    ]
    for each in reversed(said) if reverse else said:
        stage.inbox.accept(each)
    assert bool(stage.opt_outs.among([SENDER])) is (last == "STOP")


def test_a_start_does_not_undo_an_opt_out_that_is_younger(stage: EventStage) -> None:
    """Somebody called in to be left alone; a START from before that comes late."""
    stage.clock.now += 100.0
    stage.opt_outs.put(SENDER, "api", "asked by phone")
    stage.inbox.accept(message("START", after=50.0))
    assert stage.opt_outs.among([SENDER]) == {SENDER}


def test_a_repeated_stop_does_not_undo_what_came_after_it(stage: EventStage) -> None:
    stage.receive("STOP")
    stage.opt_outs.delete(SENDER)
    stage.receive("STOP")
    assert stage.opt_outs.among([SENDER]) == set()


@pytest.mark.parametrize("sender", ["ACME", "12345", "rcs:brand/agent", "messenger:1234", "+0", "+1234", "unknown"])
def test_a_stop_is_kept_whoever_sent_it(stage: EventStage, sender: str) -> None:
    assert stage.inbox.accept(message("STOP", sender=sender))
    assert [each.number for each in stage.opt_outs.list(limit=10)[0]] == [sender]
    [kept], _ = stage.inbound.list(limit=10, sender=sender)
    assert kept.sender == sender


def test_a_stop_of_no_sender_is_nobodys(stage: EventStage) -> None:
    assert stage.inbox.accept(message("STOP", sender=""))
    assert stage.opt_outs.list(limit=10)[0] == []


@pytest.mark.parametrize(
    ("sent_to", "from_"),
    [
        pytest.param("+525562000000", "+5215562000000", id="Mexico's 1"),
        pytest.param("+525562000001", "whatsapp:+5215562000001", id="Mexico's 1 by WhatsApp"),
        pytest.param("+5511987654321", "+551187654321", id="Brazil's ninth digit"),
        pytest.param("+5491123456789", "+541123456789", id="Argentina's 9"),
        pytest.param("+2290197123456", "+22997123456", id="Benin's 01"),
    ],
)
def test_a_reply_from_another_spelling_of_the_number(stage: EventStage, sent_to: str, from_: str) -> None:
    record = stage.sent(1, to=sent_to)
    stage.inbox.accept(message("STOP", after=1.0, sender=from_))
    assert stage.opt_outs.among([sent_to, from_]) == {sent_to, from_}
    for spelling in (sent_to, from_):
        [kept], _ = stage.inbound.list(limit=10, sender=spelling)
        assert (kept.sender, kept.in_reply_to) == (from_, record.id)


def test_the_history_names_the_message(stage: EventStage) -> None:
    stage.inbox.accept(message("STOP", 1))
    stage.inbox.accept(message("Start", 2, after=60.0))
    found = stage.opt_outs.get(SENDER)
    assert found is not None
    [start, stop], _ = stage.inbound.list(limit=10)
    assert [(each.opted_out, each.reason, each.message) for each in found.history] == [
        (True, "STOP", stop.id),
        (False, "Start", start.id),
    ]


@pytest.mark.parametrize(("text", "restored"), [("YES", False), ("START", True), ("unstop", True)])
def test_what_restores_consent_at_a_toll_free_number(stage: EventStage, text: str, restored: bool) -> None:
    stage.inbox.accept(message("STOP", 1, to="+18005551234"))
    stage.inbox.accept(message(text, 2, after=60.0, to="+18005551234"))
    assert bool(stage.opt_outs.among([SENDER])) is not restored


def test_words_are_the_providers_own(stage: EventStage) -> None:
    silent = Inbox(stage.ledger, stage.store, stage.opt_outs, type(stage.provider.consent_words)(), ("ENOUGH",))
    silent.accept(message("enough", 1))
    assert stage.opt_outs.among([SENDER]) == {SENDER}
    silent.accept(message("START", 2, after=1.0))
    assert stage.opt_outs.among([SENDER]) == {SENDER}


# --- what it answers --------------------------------------------------------------------------------------------------


def test_a_reply_names_the_latest_message_to_its_sender(stage: EventStage) -> None:
    stage.sent(1)
    stage.clock.now += 10.0
    latest = stage.sent(2)
    stage.clock.now += 10.0
    stage.sent(3, sender="+15550009999")  # from another number
    stage.sent(4, to="+15558675311")  # to somebody else
    stage.intent(5, status=MessageStatus.ERROR)  # never went out
    stage.inbox.accept(message(after=30.0))
    [kept], _ = stage.inbound.list(limit=1)
    assert kept.in_reply_to == latest.id


def test_nothing_that_was_sent_later(stage: EventStage) -> None:
    stage.clock.now += 10.0
    stage.sent(1)
    stage.inbox.accept(message(after=0.0))
    [kept], _ = stage.inbound.list(limit=1)
    assert kept.in_reply_to is None


def test_a_pool_may_have_used_any_number(stage: EventStage) -> None:
    record = stage.sent(1, sender=wire.POOL)
    stage.inbox.accept(message(after=1.0))
    [kept], _ = stage.inbound.list(limit=1)
    assert kept.in_reply_to == record.id


def test_where_the_provider_names_it_that_counts(stage: EventStage) -> None:
    named = stage.sent(1)
    stage.clock.now += 10.0
    stage.sent(2)
    stage.receive("Yes please", OriginalRepliedMessageSid=wire.message_sid(1))
    [kept], _ = stage.inbound.list(limit=1)
    assert kept.in_reply_to == named.id


@pytest.mark.parametrize("after", [60.0, 170.0, 600.0, 86_400.0])
@pytest.mark.parametrize("sender", [SENDER, f"whatsapp:{SENDER}"], ids=["by SMS", "by WhatsApp"])
def test_a_reply_is_to_the_newest_message_before_it_also_a_campaigns(
    stage: EventStage, after: float, sender: str
) -> None:
    stage.sent(7)
    stage.clock.now += 5.0
    record = stage.campaign_message(MessageLocation("cmp_c" + "0" * 20, 0, 0), MessageStatus.DELIVERED)
    stage.clock.now += 2 * after
    stage.sent(8)  # after the reply was written
    stage.inbox.accept(message(after=5.0 + after, sender=sender))
    [kept], _ = stage.inbound.list(limit=1)
    assert kept.in_reply_to == record.id


def test_a_text_out_of_the_blue_answers_nothing(stage: EventStage) -> None:
    stage.inbox.accept(message())
    [kept], _ = stage.inbound.list(limit=1)
    assert kept.in_reply_to is None
