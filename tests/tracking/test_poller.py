"""Following messages: exactly so often, in as few calls as can be, and nobody waits for what is known already."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from operator import methodcaller

import pytest
from msgspec.structs import replace

from sms_connector.errors import ErrorKind, LedgerUnavailable, NotSent, ProviderRefused
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.message import OutboundMessage
from sms_connector.model.send_request import SendOptions, Tracking
from sms_connector.model.status import MessageStatus
from sms_connector.sending.send import new_record
from sms_connector.store.message_record import SLOW_CHECK_SECONDS, MessageRecord, Phase
from tests.fixtures.fake_provider import NO_LIST, NO_PULL, ONE_BY_ONE, Stored
from tests.fixtures.nodes import SENDER, Node, World, draft, number

S = MessageStatus
FOLLOW = Tracking(interval=10.0, attempts=6, wait=True)


class Scene:
    """Messages that were sent at the clock's present time, and the provider's list with them."""

    def __init__(self, world: World, **options: object) -> None:
        self.world = world
        self.node: Node = world.node(**options)
        self.began = world.clock.now

    def sent(
        self,
        index: int = 0,
        *,
        ago: float = 0.0,
        tracking: Tracking = FOLLOW,
        sender: str = SENDER,
        send_at: datetime | None = None,
    ) -> MessageRecord:
        at = self.world.clock.now - ago
        record = new_record(
            draft(index, sender=sender), SendOptions(sender, tracking, send_at=send_at), f"msg_{index}", at=at
        )
        message = OutboundMessage(record.id, record.to, sender, f"Hello {index}")
        stored = Stored(f"SM{index}", message, at, S.SENT, body=message.text)
        self.world.network.stored.append(stored)
        record.apply_report(stored.report(), at=at, source="send")
        self.world.store.create([record])
        return record

    def settle(self, index: int = 0, status: MessageStatus = S.DELIVERED) -> None:
        next(stored for stored in self.world.network.stored if stored.id == f"SM{index}").status = status

    def foreign(self, count: int) -> None:
        """Messages of somebody else's on the same account."""
        for i in range(count):
            message = OutboundMessage("", "+15559999999", SENDER, "not ours")
            self.world.network.stored.append(Stored(f"XX{i}", message, self.world.clock.now, S.DELIVERED))

    def after(self, seconds: float, function: Callable[[], object]) -> Callable[[], object]:
        def run() -> None:
            self.world.clock.sleep(seconds)
            function()

        return run

    def follow(self, *records: MessageRecord, tracking: Tracking = FOLLOW) -> Callable[[], float]:
        """Follows them; the time it took."""

        def run() -> float:
            begun = self.world.clock.now
            self.node.poller.follow(records, tracking)
            return self.world.clock.now - begun

        return run

    def asked(self, kind: str = "") -> list[float]:
        """When the provider was asked, since the beginning."""
        return [round(time - self.began, 6) for time, name in self.node.provider.calls if kind in ("", name)]

    def callback(self, index: int, status: MessageStatus) -> Callable[[], object]:
        def run() -> None:
            report = DeliveryReport(f"SM{index}", status, str(status))
            apply_report = methodcaller("apply_report", report, at=self.world.clock.now, source="callback")
            self.world.store.apply(self.world.record(f"msg_{index}"), apply_report)

        return run


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


# --- how often --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interval", "attempts", "settled", "asked"),
    [
        pytest.param(10.0, 6, 0.0, [10], id="delivered at once"),
        pytest.param(10.0, 6, 25.0, [10, 20, 30], id="delivered in between"),
        pytest.param(10.0, 6, 1e9, [10, 20, 30, 40, 50, 60], id="never: the attempts are used up"),
        pytest.param(0.5, 3, 1e9, [0.5, 1.0, 1.5], id="a short interval"),
        pytest.param(10.0, 1, 1e9, [10], id="one attempt"),
        pytest.param(10.0, 0, 1e9, [], id="none"),
    ],
)
def test_interval_and_attempts_are_exact(
    scene: Scene, interval: float, attempts: int, settled: float, asked: list[float]
) -> None:
    tracking = Tracking(interval, attempts, wait=True)
    record = scene.sent(tracking=tracking)
    if settled < 1e9:
        scene.world.clock.run_beside(scene.follow(record, tracking=tracking), scene.after(settled, scene.settle))
    else:
        scene.world.clock.run_beside(scene.follow(record, tracking=tracking))
    assert scene.asked() == scene.asked("fetch") == asked
    assert record.final is (settled < 1e9)
    assert (record.status, record.attempts) == (S.DELIVERED if settled < 1e9 else S.SENT, len(asked))
    assert scene.world.record(record.id).status is record.status


@pytest.mark.parametrize(
    ("ahead", "attempts", "asked", "took"),
    [
        pytest.param(3600.0, 6, [], 0.0, id="beyond the tracking: answered at once"),
        pytest.param(50.1, 6, [], 0.0, id="the first question would come after its end"),
        pytest.param(30.0, 6, [40, 50, 60], 60.0, id="within: asked for from then on, until its end"),
        pytest.param(-5.0, 3, [10, 20, 30], 30.0, id="a time that has passed: as one without"),
    ],
)
def test_what_is_sent_later_is_waited_for_no_longer(
    scene: Scene, ahead: float, attempts: int, asked: list[float], took: float
) -> None:
    tracking = Tracking(10.0, attempts, wait=True)
    record = scene.sent(tracking=tracking, send_at=datetime.fromtimestamp(scene.world.clock.now + ahead, UTC))
    assert scene.world.clock.run(scene.follow(record, tracking=tracking)) == [pytest.approx(took)]
    assert scene.asked() == asked
    assert (record.final, record.attempts) == (False, len(asked))


def test_whoever_waits_beside_one_for_later_is_not_held_up(scene: Scene) -> None:
    later = scene.sent(0, send_at=datetime.fromtimestamp(scene.world.clock.now + 3600, UTC))
    now = scene.sent(1)
    scene.settle(1)
    scene.world.clock.run(scene.follow(later, now))
    assert (now.status, scene.asked()) == (S.DELIVERED, [10.0])


@pytest.mark.parametrize("status", [S.DELIVERED, S.UNDELIVERED, S.FAILED, S.CANCELED, S.READ])
def test_every_final_status_ends_it(scene: Scene, status: MessageStatus) -> None:
    record = scene.sent()
    scene.settle(0, status)
    assert scene.world.clock.run(scene.follow(record)) == [10.0]
    assert record.final


def test_what_is_final_is_not_followed(scene: Scene) -> None:
    record = scene.sent()
    scene.settle()
    scene.world.clock.run(scene.follow(record))
    assert scene.world.clock.run(scene.follow(record)) == [0.0]


def test_used_up_attempts_are_kept_and_the_next_look_is_far_away(scene: Scene) -> None:
    record = scene.sent()
    scene.world.clock.run(scene.follow(record))
    kept = scene.world.record(record.id)
    assert kept.attempts == 6
    assert kept.next_check_at == scene.world.clock.now + SLOW_CHECK_SECONDS


def test_no_news_costs_no_write(scene: Scene) -> None:
    record = scene.sent()
    before = scene.node.fate.names.count("ledger.commit messages after")
    scene.world.clock.run(scene.follow(record))
    assert scene.node.fate.names.count("ledger.commit messages after") - before == 1


def test_news_never_moves_back(scene: Scene) -> None:
    record = scene.sent()
    scene.settle(0, S.QUEUED)
    scene.world.clock.run(scene.follow(record))
    assert (record.status, record.history[-1][3]) == (S.SENT, "queued")


@pytest.mark.parametrize(
    ("callbacks", "asked"),
    [
        pytest.param(True, [60], id="callbacks come: the last attempt alone asks"),
        pytest.param(False, [10, 20, 30, 40, 50, 60], id="no callbacks: there is nothing else"),
    ],
)
def test_a_provider_that_is_asked_sparingly(world: World, callbacks: bool, asked: list[float]) -> None:
    scene = Scene(world, capabilities=replace(NO_LIST, reports_sparingly=True), callbacks=callbacks)
    record = scene.sent()
    world.clock.run_beside(scene.follow(record))
    assert (scene.asked(), record.attempts) == (asked, 6)
    world.clock.now += 100.0
    scene.node.messages.get(record.id)
    assert len(scene.asked()) == len(asked) + 1, "a look-up asks at once"


# --- together ---------------------------------------------------------------------------------------------------------


def test_a_thousand_messages_of_several_requests_cost_few_calls(world: World) -> None:
    """Sent over forty seconds by four requests, delivered two seconds later."""
    scene = Scene(world)
    records = [scene.sent(i, ago=40.0 - i * 0.04) for i in range(1000)]
    for i in range(1000):
        scene.settle(i)
    scene.world.clock.run(*[scene.follow(*records[i::4]) for i in range(4)])
    assert all(record.status is S.DELIVERED for record in records)
    assert len(scene.asked()) <= 2
    assert scene.world.clock.now - scene.began <= 5.0


def test_a_list_tells_of_messages_that_are_not_due_yet(scene: Scene) -> None:
    old, older, young = scene.sent(0, ago=10.0), scene.sent(1, ago=10.0), scene.sent(2, ago=1.0)
    for i in range(3):
        scene.settle(i)
    scene.world.clock.run(scene.follow(old, older, young))
    assert young.final
    assert (young.attempts, len(scene.asked())) == (0, 1)


def test_a_single_message_is_asked_for_by_its_id(scene: Scene) -> None:
    record = scene.sent()
    scene.settle()
    scene.world.clock.run(scene.follow(record))
    assert (len(scene.asked("fetch")), len(scene.asked("list"))) == (1, 0)


@pytest.mark.parametrize(
    ("ours", "foreign", "lists", "fetches"),
    [
        pytest.param(2, 0, 1, 0, id="all on the first page"),
        pytest.param(2, 100, 2, 2, id="two, and a busy account: soon one by one"),
        pytest.param(10, 30, 4, 0, id="ten on the fourth page"),
        pytest.param(10, 1000, 10, 10, id="ten far back: as many pages as questions at most"),
        pytest.param(40, 10_000, 20, 40, id="many far back"),
    ],
)
def test_a_list_full_of_other_peoples_messages(world: World, ours: int, foreign: int, lists: int, fetches: int) -> None:
    """Never more than twice what the better way would have cost."""
    scene = Scene(world, capabilities=replace(ONE_BY_ONE, reports_per_page=10))
    records = [scene.sent(i) for i in range(ours)]
    scene.foreign(foreign)
    for i in range(ours):
        scene.settle(i)
    scene.world.clock.run(scene.follow(*records))
    assert all(record.final for record in records)
    assert (len(scene.asked("list")), len(scene.asked("fetch"))) == (lists, fetches)


@pytest.mark.parametrize(
    ("recipients", "senders", "expected"),
    [
        ([0, 1], [SENDER, SENDER], (None, SENDER)),
        ([0, 1], [SENDER, "+15550000000"], (None, None)),
        ([0, 1], [SENDER, "MG0123456789abcdef0123456789abcdef"], (None, None)),
    ],
    ids=["one sender", "two senders", "a pool"],
)
def test_the_narrowest_list_is_asked(
    scene: Scene, recipients: list[int], senders: list[str], expected: tuple[str | None, str | None]
) -> None:
    asked: list[tuple[str | None, str | None]] = []
    inner = scene.node.provider.list_reports

    def list_reports(query: object, page: str | None = None) -> object:
        asked.append((query.to, query.sender))  # type: ignore[attr-defined]
        return inner(query, page)  # type: ignore[arg-type]

    scene.node.provider.list_reports = list_reports  # type: ignore[assignment,method-assign]
    records = [scene.sent(i, sender=sender) for i, sender in zip(recipients, senders, strict=True)]
    for i in recipients:
        scene.settle(i)
    scene.world.clock.run(scene.follow(*records))
    assert asked[0] == expected


def test_two_requests_share_their_rounds(scene: Scene) -> None:
    first, second = scene.sent(0), scene.sent(1)
    scene.world.clock.run(scene.follow(first), scene.follow(second))
    assert len(scene.asked()) == len(scene.asked("list")) == 6


def test_whoever_ends_hands_over(scene: Scene) -> None:
    """The request that asked for everybody is done first; the other one goes on."""
    first, second = scene.sent(0), scene.sent(1)

    def settle_first() -> None:
        scene.settle(0)

    took = scene.world.clock.run(
        scene.follow(first),
        scene.follow(second),
        scene.after(15.0, settle_first),
        scene.after(35.0, lambda: scene.settle(1)),
    )
    assert (took[0], took[1]) == (20.0, 40.0)


def test_two_requests_that_follow_the_same_message(scene: Scene) -> None:
    """A record sent again with its key: both requests get the news, and the ledger takes it once."""
    record = scene.sent()
    copy = scene.world.record(record.id)
    scene.settle()
    scene.world.clock.run(scene.follow(record), scene.follow(copy))
    assert record.status is copy.status is S.DELIVERED
    assert len(scene.asked()) == 1
    assert len(scene.world.record(record.id).history) == 2


def test_nobody_looks_around_while_another_asks(scene: Scene) -> None:
    """A round may take long; those who wait for it wait."""
    records = [scene.sent(i) for i in range(20)]
    waits: list[float] = []
    inner = scene.world.clock.wait

    def wait(event: object, timeout: float) -> bool:
        waits.append(timeout)
        return inner(event, timeout)  # type: ignore[arg-type]

    scene.world.clock.wait = wait  # type: ignore[method-assign]
    scene.node.ledger.slow = 5.0
    for i in range(20):
        scene.settle(i)
    scene.world.clock.run(*[scene.follow(record) for record in records])
    assert len(waits) <= 4 * len(records)


# --- callbacks --------------------------------------------------------------------------------------------------------


def test_a_callbacks_news_is_seen_without_a_call(world: World) -> None:
    scene = Scene(world, callbacks=True)
    record = scene.sent()
    took = scene.world.clock.run_beside(scene.follow(record), scene.after(3.0, scene.callback(0, S.DELIVERED)))
    assert (record.status, took, scene.asked()) == (S.DELIVERED, 10.0, [])
    assert record.attempts == 0


def test_polling_begins_an_interval_after_the_last_news(world: World) -> None:
    scene = Scene(world, callbacks=True)
    record = scene.sent()
    record.status = S.QUEUED
    scene.world.clock.run_beside(scene.follow(record), scene.after(7.0, scene.callback(0, S.SENDING)))
    assert scene.asked()[0] == 17.0
    assert record.attempts == 6


def test_a_callback_at_the_same_moment_is_not_overwritten(world: World) -> None:
    """The poll's answer is older than the callback that comes while it is on its way."""
    scene = Scene(world)
    record = scene.sent()
    inner = scene.node.provider.fetch_reports

    def fetch(ids: object) -> object:
        reports = inner(ids)  # type: ignore[arg-type]
        if len(scene.asked()) == 1:
            scene.settle(0, S.SENDING)
            scene.callback(0, S.DELIVERED)()
        return [replace(reports[0], status=S.SENDING, raw_status="sending")]

    scene.node.provider.fetch_reports = fetch  # type: ignore[assignment,method-assign]
    scene.world.clock.run(scene.follow(record))
    assert record.status is S.DELIVERED
    assert scene.world.record(record.id).status is S.DELIVERED


def test_a_provider_that_tells_nothing_relies_on_callbacks(world: World) -> None:
    scene = Scene(world, capabilities=NO_PULL, callbacks=True)
    record, silent = scene.sent(0), scene.sent(1)
    scene.world.clock.run_beside(scene.follow(record, silent), scene.after(3.0, scene.callback(0, S.DELIVERED)))
    assert (record.status, silent.status) == (S.DELIVERED, S.SENT)
    assert scene.asked() == []


# --- when it goes wrong -----------------------------------------------------------------------------------------------


def test_a_provider_that_cannot_be_asked_holds_nobody_for_ever(scene: Scene) -> None:
    record = scene.sent()
    scene.node.provider.list_error = NotSent("connection refused")
    assert scene.world.clock.run(scene.follow(record)) == [60.0]
    assert (record.status, record.attempts, record.final) == (S.SENT, 6, False)


def test_what_was_learned_before_an_error_is_kept(world: World) -> None:
    scene = Scene(world, capabilities=NO_LIST)
    records = [scene.sent(i) for i in range(3)]
    for i in range(3):
        scene.settle(i)
    failed: list[str] = []
    inner = scene.node.provider.fetch_reports

    def fetch(ids: list[str]) -> object:
        if ids == ["SM2"] and not failed:
            failed.append("SM2")
            raise NotSent("connection refused")
        return inner(ids)

    scene.node.provider.fetch_reports = fetch  # type: ignore[assignment,method-assign]
    scene.world.clock.run(scene.follow(*records))
    assert [record.attempts for record in records] == [1, 1, 2]
    assert all(record.final for record in records)


def test_one_message_that_is_refused_stops_no_other(world: World) -> None:
    scene = Scene(world, capabilities=NO_LIST)
    records = [scene.sent(i) for i in range(3)]
    for i in range(3):
        scene.settle(i)
    inner = scene.node.provider.fetch_reports

    def fetch(ids: list[str]) -> object:
        if ids == ["SM0"]:
            raise ProviderRefused("gone", kind=ErrorKind.NOT_FOUND, status=410)
        return inner(ids)

    scene.node.provider.fetch_reports = fetch  # type: ignore[assignment,method-assign]
    scene.world.clock.run(scene.follow(*records))
    assert [record.status for record in records] == [S.SENT, S.DELIVERED, S.DELIVERED]


def test_a_leader_whose_ledger_fails_leaves_the_rest_to_others(scene: Scene) -> None:
    records = [scene.sent(i) for i in range(2)]
    for i in range(2):
        scene.settle(i)
    scene.node.fate.fail_at = scene.node.fate.steps + 2  # the provider's list, then the write

    def guarded(record: MessageRecord) -> Callable[[], float]:
        def run() -> float:
            try:
                return scene.follow(record)()
            except LedgerUnavailable:
                return -1.0

        return run

    took = scene.world.clock.run(*[guarded(record) for record in records])
    assert sorted(took)[0] == -1.0
    assert sorted(took)[1] >= 10.0
    assert scene.node.poller._waiting == []


def test_a_message_another_node_is_calling_is_waited_for_and_then_looked_into(world: World) -> None:
    """Its node dies: from the end of the lease on it is unknown, and found in the provider's list."""
    scene = Scene(world)
    dead = world.node()
    record = new_record(draft(0), SendOptions(SENDER, FOLLOW), "msg_0", at=world.clock.now)
    record.holder = dead.lease.name()
    record.next_check_at = world.clock.now + 1.0
    world.store.create([record])
    world.network.accept(OutboundMessage("msg_0", number(0), SENDER, "Hello 0"))
    scene.world.clock.run(scene.follow(record))
    assert (record.phase, record.provider_message_id) == (Phase.DONE, "SM000001")


def test_a_lease_that_ended_is_not_held_against_who_sends_it_again(world: World) -> None:
    """Between the look at the lease and the write, another node has begun to send the message anew under its own lease."""
    scene = Scene(world)
    record = new_record(draft(0), SendOptions(SENDER, FOLLOW), "msg_0", at=world.clock.now)
    record.holder = "long gone"
    world.store.create([record])
    stale = world.record("msg_0")
    record.holder = world.node().lease.name()
    world.store.rewrite([record])
    scene.node.poller.mark_abandoned([stale])
    assert world.record("msg_0").phase == Phase.CALLING
