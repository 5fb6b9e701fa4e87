"""The rate, in arithmetic alone: whatever arrives and however late threads wake, no second holds too many starts."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, pairwise, repeat, takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms_connector.rate_limit.start_schedule import BURST_MARGIN, PACE_MARGIN, WINDOW, Schedule

RATES = [*range(1, 26), 50, 100, 200]
SUSTAINED = 0.997

rates = st.integers(1, 200)
delays = st.floats(0.0, 0.3, allow_nan=False)
gaps = st.lists(st.one_of(st.just(0.0), st.floats(0.0, 3.0)), min_size=1, max_size=120)


def stream(schedule: Schedule, arrivals: Iterable[float], *, late: Iterable[float] = repeat(0.0)) -> Iterator[float]:
    """The start of each call, first come first served; each thread wakes so much later than it should."""
    now = 0.0
    for arrival, delay in zip(arrivals, late, strict=False):
        now = max(now, arrival)
        while (allowed := schedule.next_start(now)) > now:
            now = allowed
        now += delay
        schedule.start(now)
        yield now


def run(schedule: Schedule, arrivals: Iterable[float], *, late: Iterable[float] = repeat(0.0)) -> list[float]:
    return list(stream(schedule, arrivals, late=late))


def most_in_a_window(starts: Sequence[float]) -> int:
    """Of all closed windows of one second, the fullest; it is enough to look at those that end with a start."""
    return max((index - bisect_left(starts, end - WINDOW) + 1 for index, end in enumerate(starts)), default=0)


def arrivals_of(gaps: Iterable[float]) -> list[float]:
    now, times = 0.0, []
    for gap in gaps:
        now += gap
        times.append(now)
    return times


def under_load(schedule: Schedule, seconds: float, *, late: Callable[[int], float] = lambda _: 0.0) -> list[float]:
    return list(takewhile(lambda start: start <= seconds, stream(schedule, repeat(0.0), late=map(late, count()))))


def sustained(starts: Sequence[float], rate: int) -> float:
    """Starts a second from the first call that was held back: the burst before it counts for nothing."""
    paced = starts[rate:]
    return (len(paced) - 1) / (paced[-1] - paced[0])


# --- the window -------------------------------------------------------------------------------------------------------


@given(rates, gaps, st.lists(delays, min_size=120, max_size=120))
def test_no_second_holds_more_starts_than_the_rate(rate: int, gaps: list[float], late: list[float]) -> None:
    assert most_in_a_window(run(Schedule(rate), arrivals_of(gaps), late=late)) <= rate


@given(
    st.lists(
        st.tuples(st.sampled_from(["call", "call", "rate", "look", "written"]), st.floats(0, 1.5), st.integers(0, 60)),
        max_size=200,
    )
)
def test_a_changed_rate_holds_at_once_and_looking_changes_nothing(steps: list[tuple[str, float, int]]) -> None:
    schedule, now = Schedule(25), 0.0
    starts: list[float] = []
    for what, pause, number in steps:
        now += pause
        if what == "rate":
            schedule.change_rate(number)
        elif what == "look":
            before = schedule.next_start(now)
            schedule.start_after(now, number)
            schedule.free_now(now, number)
            assert schedule.next_start(now) == before
        elif what == "written" and starts:
            schedule.delay(starts[-1], now)
            starts[-1] = now
        elif what == "call" and schedule.next_start(now) <= now:
            schedule.start(now)
            starts.append(now)
            assert len(starts) - bisect_left(starts, now - WINDOW) <= schedule.rate


def test_nothing_starts_at_rate_zero_until_it_is_raised() -> None:
    schedule = Schedule(0)
    assert schedule.next_start(5.0) == schedule.start_after(5.0, 3) == float("inf")
    schedule.change_rate(2)
    assert schedule.next_start(5.0) == 5.0


def test_raising_the_rate_is_felt_at_the_next_turn() -> None:
    schedule = Schedule(1)
    run(schedule, [0.0, 0.0])
    schedule.change_rate(25)
    assert schedule.next_start(1.01) <= WINDOW + BURST_MARGIN + WINDOW / 24


@given(rates, st.lists(st.tuples(st.floats(0, 0.5), st.sampled_from([0.0, 0.001, 0.2, 1.5, 4.0])), max_size=150))
def test_a_call_that_was_held_up_counts_from_when_it_started(rate: int, calls: list[tuple[float, float]]) -> None:
    """Whatever starts after a call was written finds that call in its second, however long ago its turn was."""
    schedule, now = Schedule(rate), 0.0
    written: list[float] = []
    on_the_way: list[tuple[float, float]] = []  # when it will be written, when its turn was
    for pause, held_up in calls:
        now += pause
        while on_the_way and min(on_the_way)[0] <= now:
            time, turn = on_the_way.pop(on_the_way.index(min(on_the_way)))
            schedule.delay(turn, time)
            written.append(time)
        if schedule.next_start(now) <= now:
            assert sum(time >= now - WINDOW for time in written) < rate
            schedule.start(now)
            on_the_way.append((now + held_up, now))


# --- the pace ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", RATES)
def test_an_idle_node_starts_its_rate_at_once(rate: int) -> None:
    schedule = Schedule(rate)
    assert run(schedule, [7.0] * rate) == [7.0] * rate
    assert schedule.next_start(7.0) > 8.0
    assert schedule.next_start(7.0 + 2 * WINDOW + 0.1) == 7.0 + 2 * WINDOW + 0.1
    assert schedule.free_now(7.0 + 2 * WINDOW + 0.1, 1000) == rate


@pytest.mark.parametrize("rate", RATES)
def test_a_loaded_node_keeps_its_rate(rate: int) -> None:
    starts = under_load(Schedule(rate), 40.0)
    assert most_in_a_window(starts) <= rate
    assert sustained(starts, rate) >= SUSTAINED * rate


@pytest.mark.parametrize("rate", [5, 25, 100])
def test_starts_are_spaced_evenly_after_the_first_burst(rate: int) -> None:
    starts = under_load(Schedule(rate), 10.0)[rate:]
    assert max(later - earlier for earlier, later in pairwise(starts)) == pytest.approx((WINDOW + PACE_MARGIN) / rate)
    assert min(later - earlier for earlier, later in pairwise(starts)) == pytest.approx((WINDOW + PACE_MARGIN) / rate)


HICCUPS = [
    pytest.param(lambda i: 0.0004, 0.9975, id="every thread wakes 0.4 ms late"),
    pytest.param(lambda i: 0.0004 * (i % 7) / 6, 0.9975, id="some threads wake late"),
    pytest.param(lambda i: 0.010 if i % 26 == 25 else 0.0, 0.997, id="10 ms lost every second"),
    pytest.param(lambda i: 0.110 if i % 1001 == 1000 else 0.0, 0.997, id="110 ms lost every forty seconds"),
]


@pytest.mark.parametrize(("late", "share"), HICCUPS)
def test_a_hiccup_is_made_up_for_within_the_window(late: Callable[[int], float], share: float) -> None:
    starts = under_load(Schedule(25), 120.0, late=late)
    assert most_in_a_window(starts) <= 25
    assert sustained(starts, 25) >= share * 25


def test_after_a_long_hiccup_there_is_no_burst() -> None:
    starts = under_load(Schedule(25), 20.0, late=lambda i: 0.5 if i == 100 else 0.0)
    end = starts[100]
    assert sum(end <= start <= end + 0.2 for start in starts) <= 4 + 5  # three turns made up for, then one in 40 ms


@pytest.mark.parametrize("rate", [5, 25, 100])
def test_a_node_with_little_to_do_has_its_burst_again(rate: int) -> None:
    """After a busy time, calls at a quarter of the rate: what the window has room for starts at once, and no more."""
    schedule = Schedule(rate)
    last = run(schedule, [0.0] * (3 * rate))[-1]
    starts = run(schedule, [last + 4 * number / rate for number in range(1, rate)])
    now = starts[-1] + 0.001
    assert schedule.free_now(now, 2 * rate) == rate - sum(start > now - WINDOW - BURST_MARGIN for start in starts)


def test_bursts_that_fit_are_never_paced() -> None:
    """A client that sends 25 at once every second and a half waits for nothing."""
    arrivals = [1.5 * burst for burst in range(20) for _ in range(25)]
    assert run(Schedule(25), arrivals) == arrivals


# --- what is promised -------------------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(rates, gaps, st.floats(0, 2), st.integers(0, 900))
def test_start_after_is_what_then_happens(rate: int, gaps: list[float], pause: float, ahead: int) -> None:
    schedule = Schedule(rate)
    now = run(schedule, arrivals_of(gaps))[-1] + pause
    promised = schedule.start_after(now, ahead)
    assert run(schedule, repeat(now, ahead + 1))[-1] == pytest.approx(promised, abs=1e-9)


@given(rates, gaps, st.floats(0, 2))
def test_free_now_is_what_could_start(rate: int, gaps: list[float], pause: float) -> None:
    schedule = Schedule(rate)
    now = run(schedule, arrivals_of(gaps))[-1] + pause
    free = schedule.free_now(now, 1000)
    for _ in range(free):
        assert schedule.next_start(now) == now
        schedule.start(now)
    assert schedule.next_start(now) > now
