"""What is repeated, when, and how often: one layer, a clock the test owns, each attempt through the gate."""

from __future__ import annotations

from email.utils import formatdate
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sms_connector.errors import ErrorKind, NotSent, OutcomeUnknown, Throttled
from sms_connector.model.message import BeforeAttempt
from sms_connector.transport.http import HttpRequest, Lane, Written
from sms_connector.transport.session import Failure, HttpTransport, RetryPolicy, retry_after
from sms_connector.transport.settings import TransportSettings
from tests.transport.conftest import MakeBench, NotingClock, Vault
from tests.transport.raw_server import CREATED, answering, answering_once, serving

NOW = NotingClock().now


def answer(line: str, **headers: str) -> bytes:
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {line}\r\n{head}Content-Length: 0\r\n\r\n".encode()


BUSY = answer("429 Slow down")


def test_the_pauses_grow_and_are_capped(make_bench: MakeBench) -> None:
    bench = make_bench(attempts=6, backoff_base=0.5, backoff_cap=3.0)
    with serving(answering(BUSY)) as server, pytest.raises(NotSent) as caught:
        bench.post(server.url)
    assert bench.clock.slept == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert bench.gates == [Lane.SEND] * 6
    assert caught.value.kind is ErrorKind.RATE_LIMITED


def test_a_send_that_was_refused_by_rate_is_sent_once_it_is_let_in(make_bench: MakeBench) -> None:
    bench = make_bench(attempts=4)
    with serving(answering(BUSY, BUSY, CREATED)) as server:
        assert bench.post(server.url).status == 201
    assert len(server.requests) == len(bench.gates) == 3


def test_each_attempt_is_made_anew_where_the_request_says_how(make_bench: MakeBench) -> None:
    """A signature with a nonce is good for one attempt, one with a date for some minutes: the gate may take longer."""
    bench = make_bench(attempts=4)
    with serving(answering(BUSY, BUSY, CREATED)) as server:
        made = iter(
            HttpRequest("POST", server.url, {"x-nonce": str(number)}, b"x", lane=Lane.SEND) for number in range(9)
        )
        bench.transport.send(replace(next(made), renew=lambda: next(made)))
    assert [b"x-nonce: %d" % number in request for number, request in enumerate(server.requests, 1)] == [True] * 3


TOLD = [
    ("0", [0.5], "none: the spread alone"),
    ("7", [7.5], "seconds"),
    (formatdate(NOW + 7, usegmt=True), [7.5], "an HTTP date"),
    ("Friday, 15-Jan-2027 08:00:07 GMT", [7.5], "the old date of RFC 850"),
    (formatdate(NOW - 60, usegmt=True), [0.5], "a date that is over"),
]


@pytest.mark.parametrize(("told", "slept"), [row[:2] for row in TOLD], ids=[row[2] for row in TOLD])
@pytest.mark.parametrize("line", ["429 Slow down", "503 Busy"])
def test_the_providers_own_word_on_when(make_bench: MakeBench, line: str, told: str, slept: list[float]) -> None:
    bench = make_bench(attempts=4)
    with serving(answering(answer(line, Retry_After=told), CREATED)) as server:
        assert bench.post(server.url).status == 201
    assert bench.clock.slept == slept


def test_a_wait_beyond_the_total_time_is_the_callers_to_decide(make_bench: MakeBench) -> None:
    bench = make_bench(attempts=4, connect_timeout=5.0, read_timeout=15.0, total_timeout=45.0)
    with serving(answering(answer("429 Slow down", Retry_After="30"))) as server, pytest.raises(NotSent) as caught:
        bench.post(server.url)
    assert caught.value.retry_after == 30
    assert bench.clock.slept == []


def test_no_attempt_starts_that_the_total_time_would_cut_short(make_bench: MakeBench) -> None:
    """25 s are left for starting (45 - 5 - 15): three waits of 10 s don't fit, two do."""
    bench = make_bench(attempts=9, connect_timeout=5.0, read_timeout=15.0, total_timeout=45.0, backoff_base=0.0)
    with serving(answering(answer("429 Slow down", Retry_After="10"))) as server, pytest.raises(NotSent):
        bench.post(server.url)
    assert bench.clock.slept == [10.0, 10.0]


def test_an_outage_is_not_multiplied(make_bench: MakeBench) -> None:
    """100 failing calls: a reserve of 10, and a tenth of the calls. Never three repetitions for each."""
    bench = make_bench(attempts=4, retry_ratio=0.1, retry_reserve=10)
    with serving(answering(answer("503 Down", Retry_After="0"))) as server:
        for _ in range(100):
            with pytest.raises(NotSent):
                bench.post(server.url)
    assert 100 < len(bench.gates) <= 100 + 10 + 10


GONE = b""  # read, and then the connection ended


@pytest.mark.parametrize(
    ("first", "error"),
    [
        pytest.param(BUSY, Throttled, id="nothing was taken by the first: Throttled is the truth about both"),
        pytest.param(
            GONE, OutcomeUnknown, id="the first may have been taken: that the second is not made unsends nothing"
        ),
    ],
)
def test_the_gate_may_refuse_a_repetition(first: bytes, error: type[Exception]) -> None:
    seen: list[Lane] = []

    def gate(lane: Lane, _: BeforeAttempt | None = None, /) -> None:
        seen.append(lane)
        if len(seen) > 1:
            raise Throttled("queue full", retry_after=3.0)

    transport = HttpTransport(TransportSettings(rest=0.0), clock=NotingClock(), gate=gate, secrets=Vault())
    with serving(answering_once(first)) as server, pytest.raises(error):
        transport.send(HttpRequest("POST", server.url, {}, b"", lane=Lane.SEND, repeatable=True))
    assert len(server.requests) == 1


def test_the_gate_is_asked_before_anything_is_opened() -> None:
    def gate(lane: Lane, _: BeforeAttempt | None = None, /) -> None:
        raise Throttled("queue full", retry_after=3.0)

    transport = HttpTransport(TransportSettings(), clock=NotingClock(), gate=gate, secrets=Vault())
    with serving(answering(CREATED)) as server, pytest.raises(Throttled):
        transport.send(HttpRequest("POST", server.url, {}, b"", lane=Lane.SEND))
    assert server.connections == 0


def test_the_gate_hears_when_each_request_has_been_written() -> None:
    """Between gate and wire a connection may be opened: whoever counts a second's requests counts from the wire."""
    heard: list[str] = []

    def gate(lane: Lane, _: BeforeAttempt | None = None, /) -> Written:
        heard.append("let in")
        return partial(heard.append, "written")

    transport = HttpTransport(TransportSettings(rest=0.0), clock=NotingClock(), gate=gate, secrets=Vault())
    with serving(answering(BUSY, CREATED)) as server:
        transport.send(HttpRequest("POST", server.url, {}, b"", lane=Lane.SEND))
    assert heard == ["let in", "written"] * 2
    heard.clear()
    stranger = HttpTransport(TransportSettings(attempts=1), clock=NotingClock(), gate=gate, secrets=Vault())
    with pytest.raises(NotSent):
        stranger.send(HttpRequest("GET", server.url, {}))
    assert heard == ["let in"], "nobody listens any more: nothing is written"


def test_time_at_the_gate_is_not_taken_from_the_attempt(make_bench: MakeBench) -> None:
    """The gate held the repetition beyond the total time: the attempt it then lets in still has its own time-outs."""
    clock, held = NotingClock(), []

    def gate(lane: Lane, _: BeforeAttempt | None = None, /) -> None:
        held.append(lane)
        if len(held) > 1:
            clock.now += 1000

    transport = HttpTransport(TransportSettings(rest=0.0), clock=clock, gate=gate, secrets=Vault())
    with serving(answering(BUSY), answering(CREATED)) as server:
        assert transport.send(HttpRequest("POST", server.url, {}, b"", lane=Lane.SEND)).status == 201


# --- sends that could be repeated without harm ------------------------------------------------------------------------

REPEATED = [
    pytest.param([GONE, GONE], OutcomeUnknown, id="never answered"),
    pytest.param([answer("500 Oops"), answer("500 Oops")], OutcomeUnknown, id="5xx may come after it was taken"),
    pytest.param([GONE, BUSY], OutcomeUnknown, id="the first may have been taken, though the last was not"),
    pytest.param([BUSY, BUSY], NotSent, id="none was taken"),
    pytest.param([GONE, answer("401 No")], OutcomeUnknown, id="a refusal does not tell what became of the first"),
]


@pytest.mark.parametrize(("answers", "error"), REPEATED)
def test_a_repeated_send_without_an_answer_is_not_called_unsent(
    make_bench: MakeBench, answers: list[bytes], error: type[Exception]
) -> None:
    bench = make_bench(attempts=2)
    scripts = [answering(answer) if answer else answering_once(GONE) for answer in answers]
    with serving(*scripts) as server, pytest.raises(error):
        bench.post(server.url, repeatable=True)
    assert len(bench.gates) == 2


def test_a_question_without_an_answer_did_nothing(make_bench: MakeBench) -> None:
    with serving(answering_once(GONE)) as server, pytest.raises(NotSent):
        make_bench().get(server.url)


# --- the pieces -------------------------------------------------------------------------------------------------------

SAFE, UNSAFE = NotSent("it was refused"), OutcomeUnknown("who knows")
LATER = NotSent("the answer was 429", kind=ErrorKind.RATE_LIMITED)


def make_policy(*, uniform: float = 1.0, **settings: Any) -> RetryPolicy:
    return RetryPolicy(TransportSettings(**{"backoff_base": 0.5, "backoff_cap": 8.0} | settings), lambda: uniform)


@pytest.mark.parametrize(
    ("attempts", "failure", "repeated"),
    [
        pytest.param(2, Failure(SAFE), True, id="harmless"),
        pytest.param(3, Failure(SAFE), False, id="the last attempt"),
        pytest.param(1, Failure(SAFE, again=False), False, id="hopeless"),
        pytest.param(1, Failure(UNSAFE), False, id="perhaps taken"),
    ],
)
def test_what_is_repeated(attempts: int, failure: Failure, repeated: bool) -> None:
    pause = make_policy(attempts=3).pause(attempts, failure, 60.0)
    assert (pause is not None) is repeated


@pytest.mark.parametrize(
    ("attempts", "failure", "seconds"),
    [
        pytest.param(1, Failure(SAFE, at_once=True), 0.0, id="a kept connection was dead"),
        pytest.param(2, Failure(SAFE, at_once=True), 0.5, id="a new connection that is dead too deserves a pause"),
        pytest.param(1, Failure(NotSent("later", retry_after=4.0)), 4.25, id="what was asked for, and some spread"),
        pytest.param(9, Failure(SAFE), 4.0, id="half of the cap"),
    ],
)
def test_waits(attempts: int, failure: Failure, seconds: float) -> None:
    assert make_policy(attempts=10, uniform=0.5).pause(attempts, failure, 60.0) == seconds


@given(number=st.integers(1, 60), chance=st.floats(0, 1), base=st.floats(0, 10), cap=st.floats(0, 100))
def test_jitter_stays_within_its_step(number: int, chance: float, base: float, cap: float) -> None:
    policy = make_policy(attempts=61, uniform=chance, backoff_base=base, backoff_cap=cap)
    pause = policy.pause(number, Failure(SAFE), 1000.0)
    assert pause is not None
    assert 0 <= pause <= min(cap, base * 2.0 ** (number - 1))


@given(calls=st.lists(st.booleans(), max_size=300), ratio=st.floats(0, 1), reserve=st.integers(0, 20))
def test_the_budget_never_gives_more_than_its_share(calls: list[bool], ratio: float, reserve: int) -> None:
    policy, taken = make_policy(retry_ratio=ratio, retry_reserve=reserve), 0
    for fails in calls:
        policy.begin_call()
        taken += fails and policy.pause(1, Failure(SAFE), 60.0) is not None
    assert taken <= reserve + ratio * len(calls) + 1e-9


def test_a_token_is_taken_only_for_an_attempt_that_comes() -> None:
    policy = make_policy(attempts=4, retry_ratio=0.0, retry_reserve=1, backoff_base=10.0, backoff_cap=10.0)
    assert policy.pause(4, Failure(SAFE), 60.0) is None
    assert policy.pause(1, Failure(SAFE), 5.0) is None
    assert policy.pause(1, Failure(SAFE), 60.0) == 10.0
    assert policy.pause(1, Failure(SAFE), 60.0) is None


def test_a_429_takes_no_token() -> None:
    policy = make_policy(attempts=4, retry_reserve=0, backoff_base=10.0, backoff_cap=10.0)
    assert policy.pause(1, Failure(LATER), 60.0) == 10.0
    assert policy.pause(1, Failure(SAFE), 60.0) is None


FORMS = [
    ("120", 120.0, "seconds"),
    (" 1.5 ", 1.5, "some send fractions"),
    (formatdate(NOW + 90, usegmt=True), 90.0, "a date"),
    (formatdate(NOW - 90, usegmt=True), 0.0, "a date in the past"),
    (formatdate(NOW + 90).replace("+0000", "-0000"), 90.0, "a date without a zone"),
    ("", None, "nothing"),
    ("soon", None, "a word"),
    ("-5", None, "before now"),
    ("1e9", None, "not what the RFC allows"),
    ("inf", None, "for ever"),
    ("9" * 400, None, "no machine's number"),
    ("Fri, 31 Feb 2031 00:00:00 GMT", None, "no such day"),
]


@pytest.mark.parametrize(("value", "seconds"), [row[:2] for row in FORMS], ids=[row[2] for row in FORMS])
def test_forms_of_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == seconds


@given(st.text(max_size=40))
def test_retry_after_never_raises(value: str) -> None:
    seconds = retry_after({"retry-after": value}, NOW)
    assert seconds is None or seconds >= 0
