"""What becomes of a callback behind the queue: forged ones change nothing, genuine ones change the ledger once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.callbacks.callback_event import CallbackEvent
from sms_connector.callbacks.event_handler import AGAIN_AFTER
from sms_connector.errors import InvalidRequest, LedgerUnavailable, NotSent
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Query
from sms_connector.provider import RawCallback
from sms_connector.store.blocks import read_blocks
from sms_connector.store.campaign_record import PROGRESS, MessageLocation, Progress
from sms_connector.store.message_record import Phase
from tests.contract.providers.doubles import CannedSecrets
from tests.fixtures.event_stage import PUBLIC, EventStage
from tests.fixtures.memory_ledger import Fate, FatedLedger
from tests.providers.twilio import twilio_wire as wire

PLACE = MessageLocation("cmp_c0123456789abcdef0123", 0, 0)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[EventStage]:
    stage = EventStage(tmp_path)
    yield stage
    stage.ledger.close()


# --- is it the provider's ---------------------------------------------------------------------------------------------

Forge = Callable[[RawCallback], RawCallback]


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda c: replace(c, body=c.body.replace(b"delivered", b"failed")), id="another status"),
        pytest.param(lambda c: replace(c, body=c.body + b"&To=%2B15550000000"), id="a field more"),
        pytest.param(lambda c: replace(c, headers={}), id="no signature"),
        pytest.param(lambda c: replace(c, headers={**c.headers, "X-Twilio-Signature": "AAAA"}), id="another one"),
        pytest.param(lambda c: replace(c, url=c.url.replace(PUBLIC, "https://evil.example")), id="another host"),
        pytest.param(lambda c: replace(c, url=c.url.replace("m=msg_", "m=msg_f")), id="another message"),
        pytest.param(lambda c: replace(c, url=c.url.partition("?")[0]), id="no message"),
        pytest.param(lambda c: replace(c, url=c.url + "&x=1"), id="a parameter more"),
        pytest.param(lambda c: replace(c, method="GET"), id="another method"),
        pytest.param(
            lambda c: replace(c, headers={**c.headers, "Content-Type": "application/json"}), id="another content type"
        ),
    ],
)
def test_a_forged_callback_changes_nothing_and_is_counted(stage: EventStage, forge: Forge) -> None:
    record = stage.sent()
    genuine = stage.callback(stage.address.of_message(record.id), wire.status_fields())
    stage.events.handle(stage.payload(forge(genuine)))
    assert stage.read(record).version == record.version
    [line] = stage.logged("callback_rejected")
    assert (line["callback"], line["why"]) == ("status", "signature")
    assert wire.RECIPIENT[1:] not in stage.log.getvalue()
    assert stage.queue.tasks == []


@pytest.mark.parametrize(
    ("token", "applied"),
    [
        pytest.param(wire.TOKEN, True, id="the present secret"),
        pytest.param("e" * 32, True, id="the previous one"),
        pytest.param("d" * 32, False, id="one that never was"),
    ],
)
def test_the_present_and_the_previous_secret_count(stage: EventStage, token: str, applied: bool) -> None:
    stage.secrets.values["auth-token-previous"] = "e" * 32
    record = stage.sent()
    callback = stage.callback(stage.address.of_message(record.id), wire.status_fields(), token=token)
    stage.events.handle(stage.payload(callback))
    assert stage.read(record).final is applied


@pytest.mark.parametrize(
    "lose",
    [
        pytest.param(lambda secrets: secrets.values.pop("auth-token"), id="missing"),
        pytest.param(lambda secrets: secrets.unreadable.add("auth-token"), id="unreadable"),
        pytest.param(lambda secrets: secrets.unreadable.add("auth-token-previous"), id="the previous one unreadable"),
        pytest.param(lambda secrets: secrets.unreadable.add("webhook-key"), id="our own key unreadable"),
    ],
)
def test_without_our_secret_the_task_comes_again(stage: EventStage, lose: Callable[[CannedSecrets], object]) -> None:
    """What can't be checked now is not forged: the queue keeps it until the secret is there."""
    before = dict(stage.secrets.values)
    record = stage.sent()
    payload = stage.payload(stage.callback(stage.address.of_message(record.id), wire.status_fields()))
    lose(stage.secrets)
    with pytest.raises(NotSent):
        stage.events.handle(payload)
    assert stage.logged("callback_rejected") == []
    stage.secrets.values.update(before)
    stage.secrets.unreadable.clear()
    stage.events.handle(payload)
    assert stage.read(record).final


def test_a_signed_callback_that_is_none_is_rejected_for_good(stage: EventStage) -> None:
    stage.events.handle(stage.payload(stage.callback(stage.address.of_kind("status"), [("a", "b")])))
    [line] = stage.logged("callback_rejected")
    assert line["why"] == "content"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"kind": "other", "method": "POST", "url": "x", "headers": {}, "receivedAt": 1.0},
        {"kind": "status", "method": "POST", "url": "x", "headers": {}, "receivedAt": "soon"},
        {"kind": "status", "method": "POST", "url": "x", "headers": {}, "receivedAt": 1e300},
        {"kind": "status", "method": "POST", "url": "x", "headers": {}, "receivedAt": 1.0, "bodyBase64": "%"},
        {"kind": "status", "method": "POST", "url": "x", "headers": {}, "receivedAt": 1.0, "bodyDeflated": "AAAA"},
        {"kind": "status", "method": "POST", "url": 1, "headers": {}, "receivedAt": 1.0},
    ],
    ids=["nothing", "another kind", "no time", "no time there is", "no base64", "not compressed", "no address"],
)
def test_what_the_webhook_never_made_is_refused(stage: EventStage, payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        stage.events.handle(payload)


# --- applied once -----------------------------------------------------------------------------------------------------


def test_a_callback_is_applied_once_however_often_it_is_told(stage: EventStage) -> None:
    record = stage.sent()
    for _ in range(4):
        stage.tell(record, "delivered")
    current = stage.read(record)
    assert (current.status, current.final, current.next_check_at) == (MessageStatus.DELIVERED, True, None)
    assert [(entry[2], entry[3]) for entry in current.history] == [("callback", "delivered")]


@pytest.mark.parametrize("order", list(permutations(["sent", "delivered", "queued"])), ids=",".join)
def test_in_any_order_it_ends_where_it_ended(stage: EventStage, order: tuple[str, ...]) -> None:
    record = stage.sent()
    for word in order:
        stage.tell(record, word)
    current = stage.read(record)
    assert current.status is MessageStatus.DELIVERED
    assert sorted(entry[3] for entry in current.history) == ["delivered", "queued", "sent"], "late news is kept"


@pytest.mark.parametrize("phase", [Phase.CALLING, Phase.UNKNOWN])
def test_a_callback_settles_an_outcome_nobody_else_knows(stage: EventStage, phase: str) -> None:
    status = MessageStatus.ACCEPTED if phase == Phase.CALLING else MessageStatus.UNKNOWN
    record = stage.intent(phase=phase, status=status)
    stage.tell(record, "sent")
    current = stage.read(record)
    assert (current.phase, current.status, current.failure) == (Phase.DONE, MessageStatus.SENT, None)
    assert current.provider_message_id == wire.message_sid(1)
    assert current.next_check_at == pytest.approx(stage.clock.time() + current.interval), "polling is the net"


def test_a_failure_keeps_its_reason(stage: EventStage) -> None:
    record = stage.sent()
    stage.tell(record, "undelivered", ErrorCode="30003")
    current = stage.read(record)
    assert (current.status, current.failure and current.failure.code) == (MessageStatus.UNDELIVERED, 30003)


def test_a_message_is_found_by_the_providers_id_too(stage: EventStage) -> None:
    record = stage.sent()
    stage.tell(None, "delivered")
    assert stage.read(record).final


def test_a_digest_that_is_not_ours_names_nothing(stage: EventStage) -> None:
    """Signed by the provider, but somebody else put the message's name into the address."""
    record, other = stage.sent(1), stage.sent(2)
    url = stage.address.of_message(record.id).replace(record.id, other.id)
    stage.events.handle(stage.payload(stage.callback(url, wire.status_fields())))
    assert stage.read(record).final, "the provider's id says whose it is"
    assert not stage.read(other).final


# --- early, late, unknown ---------------------------------------------------------------------------------------------


def test_an_early_callback_is_kept_until_its_message_is_known(stage: EventStage) -> None:
    stage.tell(None, "delivered")
    [task] = stage.queue.take()
    assert task.not_before == stage.clock.time() + AGAIN_AFTER[0]
    record = stage.sent()
    stage.clock.now += 10.0
    stage.events.handle(task.payload)
    current = stage.read(record)
    assert current.final
    assert current.history[-1][0] == wire.NOW.timestamp(), "it is told as of when it came"


def test_a_callback_of_nobodys_message_ends(stage: EventStage) -> None:
    stage.tell(None, "delivered", number=99)
    waits = []
    while tasks := stage.queue.take():
        [task] = tasks
        assert task.not_before is not None
        waits.append(task.not_before - stage.clock.time())
        stage.clock.now = task.not_before
        stage.events.handle(task.payload)
    assert waits == pytest.approx(list(AGAIN_AFTER))
    assert 3000 < sum(waits) < 7200
    assert len(stage.logged("callback_unmatched")) == 1


def test_a_message_that_has_expired_from_the_ledger_is_let_go(stage: EventStage) -> None:
    record = stage.sent()
    stage.clock.now += 31 * 86_400
    stage.tell(record, "delivered")
    assert (stage.queue.tasks, stage.logged("callback_rejected")) == ([], [])


def test_its_own_words_survive_the_queue_again_and_again(stage: EventStage) -> None:
    callback = stage.callback(stage.address.of_kind("status"), wire.status_fields())
    event = CallbackEvent("status", callback)
    for _ in range(3):
        event = CallbackEvent.of(replace(event, tries=event.tries + 1).to_task().payload)
    assert (event.callback.body, event.callback.url, event.tries) == (callback.body, callback.url, 3)
    assert stage.provider.verify_callback(event.callback)


def test_what_ended_as_unknown_takes_the_final_word_once(stage: EventStage) -> None:
    record = stage.intent()
    now = stage.clock.time()
    record.mark_unknown("no answer within 15 s", at=now, window=900.0)
    stage.store.apply(record, lambda current: current.close_unresolved(at=now + 900.0))
    assert stage.read(record).final
    for _ in range(2):
        stage.tell(record, "delivered")
    current = stage.read(record)
    assert (current.status, current.failure, current.next_check_at) == ("delivered", None, None)
    assert [word for _, _, source, word in current.history if source == "callback"] == ["delivered"]


# --- campaigns --------------------------------------------------------------------------------------------------------


def test_news_of_a_campaigns_message_is_written_blindly_and_once(stage: EventStage) -> None:
    place = MessageLocation("cmp_c0123456789abcdef0123", 3, 7)
    callback = callback_of(stage, place.message_id)
    for _ in range(3):
        stage.events.handle(stage.payload(callback))
    found = stage.ledger.find(Query("statusEvents", (("block", "==", place.block_id),)))
    [news] = found
    assert (news.data["position"], news.data["status"]) == (7, "delivered")


@pytest.mark.parametrize(
    ("told_in_time", "status", "words"),
    [
        pytest.param(MessageStatus.DELIVERED, "read", ["delivered", "read"], id="delivered yields to read"),
        pytest.param(MessageStatus.FAILED, "failed", ["failed"], id="any other final status stays"),
        pytest.param(MessageStatus.SENT, "read", ["sent", "read"], id="nobody relies on a round that is under way"),
    ],
)
def test_a_campaigns_message_that_is_read_late(
    stage: EventStage, told_in_time: MessageStatus, status: str, words: list[str]
) -> None:
    place = PLACE
    record = stage.campaign_message(place, told_in_time)
    for _ in range(2):
        url = stage.address.of_message(record.id)
        stage.events.handle(stage.payload(stage.callback(url, wire.status_fields(status="read"))))
    block = read_blocks(stage.ledger, [place.block_id])[place.block_id]
    assert block.records[0].status == status
    assert [word for _, _, _, word in block.records[0].history] == words
    [progress] = [Progress.of(document) for document in stage.ledger.find(Query(PROGRESS))]
    assert progress.counts == {status: 1}


def callback_of(stage: EventStage, message_id: str) -> RawCallback:
    return stage.callback(stage.address.of_message(message_id), wire.status_fields())


# --- consent ----------------------------------------------------------------------------------------------------------


def test_a_report_that_the_recipient_has_opted_out_ends_consent(stage: EventStage) -> None:
    stage.tell(stage.sent(), "failed", ErrorCode="21610")
    opt_out = stage.opt_outs.get(wire.RECIPIENT)
    assert opt_out is not None
    assert (opt_out.last.source, opt_out.last.reason) == ("provider", "reported with 21610")


def test_a_repeated_report_does_not_undo_what_came_after_it(stage: EventStage) -> None:
    record = stage.sent()
    stage.tell(record, "failed", ErrorCode="21610")
    stage.opt_outs.delete(wire.RECIPIENT)
    stage.tell(record, "failed", ErrorCode="21610")
    assert stage.opt_outs.among([wire.RECIPIENT]) == set()


def test_a_campaigns_report_ends_consent_too(stage: EventStage) -> None:
    url = stage.address.of_message(MessageLocation("cmp_c0123456789abcdef0123", 0, 0).message_id)
    fields = wire.status_fields(status="failed", ErrorCode="21610")
    stage.events.handle(stage.payload(stage.callback(url, fields)))
    assert stage.opt_outs.among([wire.RECIPIENT]) == {wire.RECIPIENT}


@pytest.mark.parametrize("of_campaign", [False, True])
@pytest.mark.parametrize("step", range(1, 9))
def test_an_opt_out_survives_a_ledger_that_fails_at_any_step(stage: EventStage, step: int, of_campaign: bool) -> None:
    """The queue brings the report again: then it counts, whatever was written before."""
    sent = stage.campaign_message(PLACE, MessageStatus.QUEUED) if of_campaign else stage.sent()
    fields = wire.status_fields(status="failed", ErrorCode="21610")
    payload = stage.payload(stage.callback(stage.address.of_message(sent.id), fields))
    failing = FatedLedger(stage.ledger, Fate(fail_at=step), clock=stage.clock)
    with suppress(LedgerUnavailable):
        stage.events_on(failing).handle(payload)
    stage.events.handle(payload)
    assert stage.opt_outs.among([wire.RECIPIENT]) == {wire.RECIPIENT}
    assert stage.read(sent).status is MessageStatus.FAILED


def test_a_campaigns_repeated_report_does_not_undo_what_came_after_it(stage: EventStage) -> None:
    record = stage.campaign_message(PLACE, MessageStatus.QUEUED)
    stage.tell(record, "failed", ErrorCode="21610")
    stage.opt_outs.delete(wire.RECIPIENT)
    stage.tell(record, "failed", ErrorCode="21610")
    assert stage.opt_outs.among([wire.RECIPIENT]) == set()
