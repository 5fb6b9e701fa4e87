"""Turns with real threads and a clock that tests own: who goes first, who is refused, and what `/v1/limits` says of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import pairwise

import pytest

from sms_connector.errors import Throttled
from sms_connector.rate_limit.start_schedule import BURST_MARGIN, PACE_MARGIN, WINDOW
from sms_connector.rate_limit.throttle import Reservation, Throttle, ThrottleState
from sms_connector.transport.http import Lane
from tests.fixtures.clocks import FakeClock
from tests.fixtures.fake_clock import ThreadedClock

Log = list[tuple[float, str]]

AFTER_A_BURST = WINDOW + BURST_MARGIN
SPACING = (WINDOW + PACE_MARGIN) / 25


class Node:
    """A throttle, and who started when."""

    def __init__(self, rate: int = 25, *, queue_limit: float = 30.0) -> None:
        self.clock = ThreadedClock(0.0)
        self.throttle = Throttle(rate, clock=self.clock, queue_limit=queue_limit)
        self.log: Log = []

    def call(self, name: str, reservation: Reservation, *, takes: float = 0.0, attempts: int = 1) -> None:
        with self.throttle.attempting(reservation, lambda _: self.log.append((self.clock.monotonic(), name))) as call:
            for _ in range(attempts):
                self.throttle.wait_turn(Lane.SEND, call)
            self.clock.sleep(takes)

    def request(
        self, name: str, calls: int, *, at: float = 0.0, workers: int = 1, takes: float = 0.0, patient: bool = False
    ) -> Callable[[], None]:
        """A request that arrives at that time and makes its calls with so many threads."""

        def work(reservation: Reservation) -> None:
            for _ in range(calls // workers):
                self.call(name, reservation, takes=takes)

        def run() -> None:
            self.clock.sleep(at)
            with self.throttle.reservation(calls, patient=patient) as reservation:
                self.clock.run(*[partial(work, reservation)] * workers)

        return run

    def poll(self, name: str, times: int = 1, *, at: float = 0.0) -> Callable[[], None]:
        def run() -> None:
            self.clock.sleep(at)
            for _ in range(times):
                self.throttle.wait_turn(Lane.POLL)
                self.log.append((self.clock.monotonic(), name))

        return run

    def names(self, since: float = 0.0) -> str:
        return "".join(name for time, name in self.log if time >= since)


@pytest.fixture
def node() -> Node:
    return Node()


def nth_start(number: int, rate: int = 25) -> float:
    """When the number-th call (from 1) of a loaded node starts: `rate` at once, then a window, then evenly."""
    return 0.0 if number <= rate else AFTER_A_BURST + (number - rate - 1) * (WINDOW + PACE_MARGIN) / rate


# --- order ------------------------------------------------------------------------------------------------------------


def test_who_came_first_goes_first_however_many_threads_it_has(node: Node) -> None:
    node.clock.run(
        node.request("a", 40, workers=4), node.request("b", 40, at=0.1, workers=20), node.request("c", 10, at=0.2)
    )
    assert node.names() == "a" * 40 + "b" * 40 + "c" * 10


def test_a_request_whose_workers_are_busy_lets_others_go_ahead(node: Node) -> None:
    """One thread and a provider that takes two seconds: turns in between belong to whoever is ready."""
    node.clock.run(node.request("a", 5, takes=2.0), node.request("b", 100, at=0.1))
    assert node.names(since=2.0).count("a") == 4
    assert node.log[-1][0] < 10.1


def test_sends_and_polls_alternate_under_load(node: Node) -> None:
    node.clock.run(node.request("s", 75, workers=3), node.poll("p", 25), node.poll("p", 25))
    loaded = node.names(since=1.0)
    assert "sss" not in loaded[: loaded.rindex("p")]
    assert "pp" not in loaded


def test_polls_alone_get_every_turn(node: Node) -> None:
    node.clock.run(*[node.poll("p", 25)] * 4)
    assert node.log[-1][0] == pytest.approx(nth_start(100))


def test_many_polls_do_not_make_a_message_wait(node: Node) -> None:
    """Polls of an idle node are no burst, after which nothing could start for the rest of the second."""
    messages = {f"{number}": at for number, at in enumerate((0.01, 0.3, 0.7, 0.99, 1.5, 3.0))}
    sends = [node.request(name, 1, at=at) for name, at in messages.items()]
    node.clock.run(*[node.poll("p", 50)] * 4, *sends)
    waited = [time - messages[name] for time, name in node.log if name in messages]
    assert len(waited) == len(messages)
    assert max(waited) <= SPACING + BURST_MARGIN + 1e-6
    starts = [time for time, _ in node.log]
    assert all(later - earlier > 1.0 for earlier, later in zip(starts, starts[25:], strict=False))


def test_many_queued_sends_do_not_make_a_poll_wait(node: Node) -> None:
    """A tracker has to get through while a thousand records are sent."""
    node.clock.run(node.request("s", 1000, workers=2), node.poll("p", at=5.01))
    asked = next(time for time, name in node.log if name == "p")
    assert asked - 5.01 <= 0.081


def test_a_retry_is_a_transaction_and_keeps_its_place(node: Node) -> None:
    def retrying() -> None:
        with node.throttle.reservation(1) as reservation:
            node.call("r", reservation, attempts=30)
            assert reservation.remaining == 0

    node.clock.run(retrying, node.request("b", 5, at=0.1))
    assert node.names() == "r" * 30 + "b" * 5


# --- requests of one --------------------------------------------------------------------------------------------------


def test_a_request_of_one_is_next_in_turn_and_takes_one_turn_of_the_others(node: Node) -> None:
    singles = [node.request(name, 1, at=5.0 + 3 * number) for number, name in enumerate("xyz")]
    node.clock.run(node.request("b", 1000, workers=4), *singles)
    waited = [time - 5.0 - 3 * number for number, name in enumerate("xyz") for time, n in node.log if n == name]
    assert all(wait <= SPACING + 1e-6 for wait in waited)
    assert node.log[-1][0] == pytest.approx(nth_start(1003))


def test_requests_of_one_keep_their_own_order_and_the_rate(node: Node) -> None:
    node.clock.run(
        node.request("b", 200, workers=4), *[node.request(name, 1, at=2.0 + n / 1000) for n, name in enumerate("vwxyz")]
    )
    assert "".join(name for _, name in node.log if name != "b") == "vwxyz"
    starts = [time for time, _ in node.log]
    assert all(later - earlier > 1.0 for earlier, later in zip(starts, starts[25:], strict=False))


def test_a_full_line_of_bulk_refuses_bulk_and_takes_a_request_of_one(still: StillNode) -> None:
    still.take(5000)
    with pytest.raises(Throttled):
        still.take(2)
    still.take(1)


def test_requests_of_one_are_refused_when_too_many_of_them_wait(still: StillNode) -> None:
    """25 at once, then 24.94 a second for 30 seconds."""
    for _ in range(748):
        still.take(1)
    with pytest.raises(Throttled):
        still.take(1)


def test_sends_of_one_and_polls_alternate_too(node: Node) -> None:
    node.clock.run(*[node.request("s", 1)] * 75, node.poll("p", 50))
    loaded = node.names(since=1.0)
    assert "sss" not in loaded[: loaded.rindex("p")]
    assert "pp" not in loaded


# --- the rate, with threads -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "workers"), [(25, 1), (25, 25), (25, 100), (3, 10), (200, 40)])
def test_threads_keep_the_rate_exactly(rate: int, workers: int) -> None:
    node = Node(rate)
    node.clock.run(*[node.request("s", rate * 8 // workers or 1) for _ in range(workers)])
    starts = [time for time, _ in node.log]
    assert all(later - earlier > 1.0 for earlier, later in zip(starts, starts[rate:], strict=False))
    assert starts[-1] == pytest.approx(nth_start(len(starts), rate))


def test_threads_wake_when_it_is_their_turn_and_at_no_other_time(node: Node) -> None:
    """No lost wake-up (a nap would show as a gap of a minute) and no looking around (each start wakes one thread)."""
    waits: list[float] = []
    inner = node.clock.wait

    def counted(event: threading.Event, timeout: float) -> bool:
        waits.append(timeout)
        return inner(event, timeout)

    node.clock.wait = counted  # type: ignore[method-assign]
    node.clock.run(*[node.request("s", 1) for _ in range(60)], *[node.poll("p") for _ in range(60)])
    starts = [time for time, _ in node.log]
    assert max(later - earlier for earlier, later in pairwise(starts)) <= AFTER_A_BURST + 0.001
    assert len(waits) <= 5 * len(starts)


def test_a_hundred_threads_at_a_fast_rate_lose_no_wake_up() -> None:
    """The real clock, so that threads meet as they do in life; at this rate none may hang for a nap of a minute."""
    from sms_connector.local.clock import SystemClock

    throttle = Throttle(5_000, clock=SystemClock())
    done: list[int] = []

    def work() -> None:
        with throttle.reservation(15) as reservation:
            for _ in range(15):
                with throttle.attempting(reservation, done.append) as call:
                    throttle.wait_turn(Lane.SEND, call)
                throttle.wait_turn(Lane.POLL)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(done) == 1_500
    assert throttle.state().queued == 0


# --- the queue limit --------------------------------------------------------------------------------------------------


class StillNode:
    """One thread: places are only taken, and time moves when told."""

    def __init__(self, rate: int, queue_limit: float) -> None:
        self.clock = FakeClock(0.0)
        self.throttle = Throttle(rate, clock=self.clock, queue_limit=queue_limit)
        self.stack = ExitStack()

    def take(self, calls: int) -> Reservation:
        return self.stack.enter_context(self.throttle.reservation(calls))

    def start(self, reservation: Reservation, calls: int) -> None:
        for _ in range(calls):
            with self.throttle.attempting(reservation, lambda _: None) as call:
                self.throttle.wait_turn(Lane.SEND, call)


@pytest.fixture
def still() -> Iterator[StillNode]:
    node = StillNode(25, 30.0)
    with node.stack:
        yield node


def test_a_second_begins_when_the_request_is_on_the_wire(node: Node) -> None:
    """Opening a connection takes its time after the turn: counted from the turn, the provider would see 26 in a second."""

    def run() -> None:
        written = [node.throttle.wait_turn(Lane.SEND) for _ in range(25)]
        node.clock.sleep(0.3)
        for tell in written:
            tell()
        node.throttle.wait_turn(Lane.SEND)

    node.clock.run(run)
    assert node.clock.monotonic() == pytest.approx(0.3 + AFTER_A_BURST)


# Calls promised before, and whether another request may still come in: 25 start at once, then 24.94 a second.
@pytest.mark.parametrize(("promised", "refused"), [(0, False), (25, False), (747, False), (748, True), (5000, True)])
def test_what_could_not_start_within_the_limit_is_refused(still: StillNode, promised: int, refused: bool) -> None:
    still.take(promised)
    if refused:
        with pytest.raises(Throttled, match=r"nothing was sent; .* as a campaign"):
            still.take(2)
        assert still.throttle.state().queued == promised
    else:
        still.take(2)
        assert still.throttle.state().queued == promised + 2


@pytest.mark.parametrize("rate", [1, 5, 25, 200])
@pytest.mark.parametrize("later", [0.001, 0.3, 1.7])
@pytest.mark.parametrize("limit", [0.0, 2.0, 30.0])
def test_retry_after_is_exact(rate: int, later: float, limit: float) -> None:
    """Asking again then is taken, a millisecond earlier it is not; the calls ahead start as early as they may."""
    node = Node(rate, queue_limit=limit)
    verdicts: dict[str, bool] = {}

    def ask(name: str) -> float:
        try:
            with node.throttle.reservation(2):
                verdicts[name] = True
                return 0.0
        except Throttled as refused:
            verdicts[name] = False
            return refused.retry_after or 0.0

    def asks() -> None:
        node.clock.sleep(later)
        after = ask("first")
        node.clock.sleep(after - 0.001)
        ask("early")
        node.clock.sleep(0.001)
        ask("then")

    node.clock.run(node.request("a", int(rate * (limit + 3.3)), patient=True), asks)
    assert verdicts == {"first": False, "early": False, "then": True}


def test_a_poll_without_a_place_is_refused_by_the_same_rule() -> None:
    node = Node(1, queue_limit=2.0)
    outcomes: list[str] = []

    def poll() -> None:
        try:
            node.throttle.wait_turn(Lane.POLL)
            outcomes.append("asked")
        except Throttled:
            outcomes.append("refused")

    node.clock.run(*[poll] * 6)
    assert sorted(outcomes) == ["asked"] * 2 + ["refused"] * 4  # at 0 s and 1.03 s; the third could start at 2.0325 s


def test_a_patient_place_is_never_refused(still: StillNode) -> None:
    still.take(5000)
    with still.throttle.reservation(1, patient=True) as reservation:
        assert reservation.remaining == 1


def test_what_is_released_or_left_makes_room_at_once(still: StillNode) -> None:
    first = still.take(700)
    with pytest.raises(ZeroDivisionError), still.throttle.reservation(500):
        raise ZeroDivisionError
    still.throttle.release(first, 300)
    still.throttle.release(first, 0)
    assert still.throttle.state().queued == 400
    still.throttle.release(first, 9_999)
    assert still.throttle.state().queued == 0


def test_a_call_that_never_came_to_the_gate_is_not_waited_for(still: StillNode) -> None:
    reservation = still.take(2)
    with pytest.raises(ValueError, match="no secret"), still.throttle.attempting(reservation, lambda _: None):
        raise ValueError("no secret")
    assert reservation.remaining == 1


def test_an_interrupted_thread_leaves_the_line() -> None:
    """Whatever ends a waiting thread, those behind it go on."""
    node = Node(1)
    inner = node.clock.wait

    def interrupted(event: threading.Event, timeout: float) -> bool:
        if threading.current_thread().name == "victim":
            raise KeyboardInterrupt
        return inner(event, timeout)

    node.clock.wait = interrupted  # type: ignore[method-assign]

    def victim() -> None:
        threading.current_thread().name = "victim"
        with node.throttle.reservation(1) as reservation:
            node.call("v", reservation)

    node.clock.run(node.request("a", 1))
    with pytest.raises(KeyboardInterrupt):
        node.clock.run(victim)
    node.clock.run(node.request("b", 2))
    assert node.names() == "abb"
    assert node.throttle.state().queued == 0


def test_what_hears_of_a_start_may_stop_it(node: Node) -> None:
    def stop(attempt: int) -> None:
        raise RuntimeError("not now")

    with (
        node.throttle.reservation(1) as reservation,
        pytest.raises(RuntimeError, match="not now"),
        node.throttle.attempting(reservation, stop) as call,
    ):
        node.throttle.wait_turn(Lane.SEND, call)
    assert node.throttle.state().started_last_second == 1


# --- changed rates ----------------------------------------------------------------------------------------------------


def test_a_rate_of_zero_holds_everything_until_it_is_raised() -> None:
    node = Node(0)

    def raise_later() -> None:
        node.clock.sleep(7.0)
        node.throttle.change_rate(10)

    with node.throttle.reservation(12, patient=True) as reservation:
        node.clock.run(raise_later, *[lambda: node.call("s", reservation)] * 12)
    starts = [time for time, _ in node.log]
    assert starts[:10] == [7.0] * 10
    assert starts[10] == pytest.approx(7.0 + AFTER_A_BURST)


def test_with_a_rate_of_zero_nothing_is_taken_in() -> None:
    node = Node(0)
    with pytest.raises(Throttled) as refused, node.throttle.reservation(1):
        pass
    assert refused.value.retry_after == 1.0


# --- until a turn is near ---------------------------------------------------------------------------------------------


def test_a_request_prepares_when_its_turn_is_near(node: Node) -> None:
    seen: list[float] = []

    def second() -> None:
        node.clock.sleep(0.1)
        with node.throttle.reservation(2) as reservation:
            node.throttle.wait_until_near(reservation, 0.2)
            seen.append(node.clock.monotonic())

    node.clock.run(node.request("a", 100, workers=2), second)
    assert seen[0] == pytest.approx(nth_start(101) - 0.2)


def test_it_comes_nearer_when_an_earlier_one_releases_calls(node: Node) -> None:
    seen: list[float] = []

    def first() -> None:
        with node.throttle.reservation(500) as reservation:
            for _ in range(60):
                node.call("a", reservation)
            node.throttle.release(reservation, 440)
            seen.append(node.clock.monotonic())
            node.clock.sleep(5.0)

    def second() -> None:
        node.clock.sleep(0.1)
        with node.throttle.reservation(2) as reservation:
            node.throttle.wait_until_near(reservation, 0.2)
            seen.append(node.clock.monotonic())

    node.clock.run(first, second)
    assert seen == pytest.approx([nth_start(60)] * 2)


def test_turns_that_go_by_unused_are_anybodys(node: Node) -> None:
    """An earlier request with one thread and a slow provider can't use its turns."""
    node.clock.run(node.request("a", 10, takes=3.0), node.request("b", 5, at=0.1))
    with node.throttle.reservation(1) as reservation:
        node.throttle.wait_until_near(reservation, 0.0)
    assert node.names().index("b") < 3


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("started", "promised", "later", "expected"),
    [
        pytest.param(0, 0, 0.0, (0, 25, 0, 0.0), id="idle"),
        pytest.param(3, 0, 0.0, (3, 22, 0, 0.0), id="some started"),
        pytest.param(25, 0, 0.0, (25, 0, 0, AFTER_A_BURST), id="all started"),
        pytest.param(25, 0, 0.5, (25, 0, 0, AFTER_A_BURST - 0.5), id="half a second later"),
        pytest.param(25, 0, 1.5, (0, 25, 0, 0.0), id="the second is over"),
        pytest.param(0, 10, 0.0, (0, 15, 10, 0.0), id="promised to others"),
        pytest.param(0, 40, 0.0, (0, 0, 40, AFTER_A_BURST + 15 * SPACING), id="more promised than may start"),
        pytest.param(5, 30, 0.0, (5, 0, 30, AFTER_A_BURST + 10 * SPACING), id="both"),
    ],
)
def test_limits_say_what_is_left(
    still: StillNode, started: int, promised: int, later: float, expected: tuple[int, int, int, float]
) -> None:
    reservation = still.take(started + promised)
    still.start(reservation, started)
    still.clock.now += later
    state = still.throttle.state()
    last_second, available, queued, wait = expected
    assert state.wait_seconds == pytest.approx(wait)
    assert state == ThrottleState(25, last_second, available, queued, 30.0, state.wait_seconds)


def test_looking_at_the_limits_changes_nothing() -> None:
    """Under load, somebody looks a thousand times a second."""
    node = Node()

    def look() -> None:
        for _ in range(3000):
            node.throttle.state()
            node.clock.sleep(0.001)

    node.clock.run(node.request("s", 100, workers=2), look)
    assert node.log[-1][0] == pytest.approx(nth_start(100))


def test_a_lifted_limit_counts_and_refuses_nothing() -> None:
    throttle = Throttle(None, clock=FakeClock())
    heard: list[int] = []
    with throttle.reservation(1) as reservation, throttle.attempting(reservation, heard.append) as call:
        throttle.wait_until_near(reservation, 0.0)
        for _ in range(1000):
            throttle.wait_turn(Lane.SEND, call)
    assert heard == list(range(1, 1001))
    assert (throttle.rate, throttle.state().queued) == (None, 0)
