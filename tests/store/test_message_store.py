"""Changes that meet other changes: nothing is overwritten, nothing is applied twice, and a commit is never too large."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import methodcaller

import pytest

from sms_connector.errors import Conflict
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.send_request import SendOptions
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Write
from sms_connector.sending.send import new_record
from sms_connector.store.message_record import MessageRecord
from sms_connector.store.message_store import COMMIT_LIMIT, MessageStore
from tests.fixtures.nodes import SENDER, World, draft

S = MessageStatus


def made(world: World, count: int) -> list[MessageRecord]:
    records = [new_record(draft(i), SendOptions(SENDER), f"msg_{i}", at=world.clock.now) for i in range(count)]
    for start in range(0, count, COMMIT_LIMIT):
        world.store.create(records[start : start + COMMIT_LIMIT])
    return records


def heard(status: MessageStatus, source: str = "poll") -> methodcaller:
    return methodcaller("apply_report", DeliveryReport("SM1", status, str(status)), at=1.0, source=source)


def test_what_is_there_is_not_created_again(world: World) -> None:
    record, other = made(world, 2)
    fresh = new_record(draft(9), SendOptions(SENDER), "msg_9", at=0.0)
    with pytest.raises(Conflict):
        world.store.create([fresh, record])
    assert world.store.get(["msg_9", "msg_1"]) == [None, other]


def test_a_change_is_applied_to_what_has_happened_since(world: World) -> None:
    [record] = made(world, 1)
    world.store.apply(world.record("msg_0"), heard(S.DELIVERED, "callback"))
    world.store.apply(record, heard(S.QUEUED))
    assert record == world.record("msg_0")
    assert [entry[1:] for entry in record.history] == [
        ("delivered", "callback", "delivered"),
        ("delivered", "poll", "queued"),
    ]


def test_of_a_group_only_what_has_moved_is_changed_again(world: World) -> None:
    records = made(world, 5)
    world.store.apply(world.record("msg_3"), heard(S.SENT, "callback"))
    changes = [(record, heard(S.QUEUED, "send")) for record in records]
    for record, change in changes:
        change(record)
    world.store.save(changes)
    assert [len(world.record(f"msg_{i}").history) for i in range(5)] == [1, 1, 1, 2, 1]
    assert records == [world.record(f"msg_{i}") for i in range(5)]


def test_what_was_deleted_meanwhile_is_left_out(world: World) -> None:
    records = made(world, 3)
    world.ledger.commit([Write("messages", "msg_1", None)])
    world.store.save([(record, heard(S.SENT)) for record in records])
    assert [record is None for record in world.store.get(["msg_0", "msg_1", "msg_2"])] == [False, True, False]


def test_the_same_message_twice_is_two_commits(world: World) -> None:
    [record] = made(world, 1)
    copy = world.record("msg_0")
    changes = [(record, heard(S.SENT, "poll")), (copy, heard(S.DELIVERED, "callback"))]
    for each, change in changes:
        change(each)
    world.store.save(changes)
    kept = world.record("msg_0")
    assert (kept.status, {entry[3] for entry in kept.history}) == (S.DELIVERED, {"sent", "delivered"})


def test_many_changes_are_several_commits(world: World) -> None:
    records = made(world, 700)
    changes = [(record, heard(S.SENT)) for record in records]
    for record, change in changes:
        change(record)
    world.store.save(changes)
    assert {record.status for record in world.store.get([record.id for record in records]) if record} == {S.SENT}


def test_a_rewrite_fails_where_somebody_else_has_been(world: World) -> None:
    record, other = made(world, 2)
    world.store.apply(world.record("msg_1"), heard(S.SENT))
    record.holder = other.holder = "another lease"
    with pytest.raises(Conflict):
        world.store.rewrite([record, other])
    assert world.record("msg_0").holder is None


def test_the_holders_place_in_its_request_is_its_own(world: World) -> None:
    [record] = made(world, 1)
    record.index, record.replayed = 7, True
    world.store.apply(world.record("msg_0"), heard(S.SENT))
    world.store.apply(record, heard(S.DELIVERED))
    assert (record.index, record.replayed, record.status) == (7, True, S.DELIVERED)


class NotificationOutbox:
    """Marks what is final, as `notifications` does."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def writes(self, records: Sequence[MessageRecord]) -> list[Write]:
        due = [record for record in records if record.final and not record.announced]
        for record in due:
            record.announced = 1.0  # type: ignore[assignment]
        return [Write("notifications", record.id, {"createdAt": 1.0}) for record in due]

    def enqueue(self, ids: Sequence[str]) -> None:
        self.sent += ids


def test_an_announcement_is_made_once_and_with_its_commit(world: World) -> None:
    """Another message of the group has moved on: the commit fails, and the announcement is not lost with it."""
    announcements = NotificationOutbox()
    store = MessageStore(world.ledger, announcements)
    records = made(world, 3)
    world.store.apply(world.record("msg_1"), heard(S.SENT))
    changes = [(record, heard(S.DELIVERED)) for record in records]
    for record, change in changes:
        change(record)
    store.save(changes)
    assert sorted(announcements.sent) == ["msg_0", "msg_1", "msg_2"]
    assert all(document is not None for document in world.ledger.get("notifications", ["msg_0", "msg_1", "msg_2"]))


def test_many_writers_at_once_lose_nothing(world: World) -> None:
    made(world, 1)
    words = ["accepted", "queued", "sending", "sent", "delivered"]

    def tell(word: str) -> None:
        record = world.record("msg_0")
        world.clock.sleep(0.01)
        apply_report = methodcaller(
            "apply_report", DeliveryReport("SM1", S(word), word), at=world.clock.now, source=word
        )
        world.store.apply(record, apply_report)

    world.clock.run(*[partial(tell, word) for word in words])
    record = world.record("msg_0")
    assert record.status is S.DELIVERED
    assert {entry[3] for entry in record.history} == set(words)
