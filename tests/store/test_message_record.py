"""What may happen to a message in whatever order: no status moves back, what is final stays, nothing that was heard is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from sms_connector.errors import ErrorKind, NotSent, OutcomeUnknown, ProviderRefused, RetrySafety, Throttled
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Document
from sms_connector.ports.ledger_access import read_document
from sms_connector.provider import SendReceipt
from sms_connector.store.message_record import HISTORY_LIMIT, SLOW_CHECK_SECONDS, MessageRecord, Phase
from sms_connector.store.outcome import ApplyOutcome, Resend

S = MessageStatus
REFUSAL = FailureReason(
    "provider", ErrorKind.INVALID_RECIPIENT, "not a valid number", 21211, "https://example.com/21211"
)
CARRIER = FailureReason("provider", ErrorKind.UNREACHABLE, "unreachable handset", 30003)
STATUS_EVENTS = [
    S.ACCEPTED,
    S.SCHEDULED,
    S.QUEUED,
    S.SENDING,
    S.SENT,
    S.DELIVERED,
    S.UNDELIVERED,
    S.FAILED,
    S.CANCELED,
    S.READ,
]
WINDOW = 900.0


def intent(**values: object) -> MessageRecord:
    record = MessageRecord("msg_1", "+15558675310", "+15551234567", "digest", 100.0, 100.0, holder="node")
    return replace(record, **values)  # type: ignore[arg-type]


def report(
    status: MessageStatus, *, id_: str = "SM1", word: str | None = None, failure: FailureReason | None = None
) -> DeliveryReport:
    return DeliveryReport(id_, status, str(status) if word is None else word, failure=failure)


def receipt(status: MessageStatus = S.QUEUED, failure: FailureReason | None = None) -> SendReceipt:
    return SendReceipt("SM1", status, str(status), segments=2, failure=failure)


def change(outcome: object, *, at: float = 101.0, holder: str | None = "node", resends: int = 0) -> ApplyOutcome:
    return ApplyOutcome(outcome, at, WINDOW, holder, resends)  # type: ignore[arg-type]


# --- outcomes of a call -----------------------------------------------------------------------------------------------

OUTCOMES = [
    pytest.param(receipt(), S.QUEUED, False, None, id="taken"),
    pytest.param(receipt(S.FAILED, CARRIER), S.FAILED, True, CARRIER, id="taken, and failed at once with the reason"),
    pytest.param(REFUSAL, S.ERROR, True, REFUSAL, id="refused"),
    pytest.param(
        NotSent("429", kind=ErrorKind.RATE_LIMITED),
        S.ERROR,
        True,
        FailureReason("transport", ErrorKind.RATE_LIMITED, "429", retry=RetrySafety.SAFE),
        id="not sent",
    ),
    pytest.param(
        Throttled("busy", retry_after=3),
        S.ERROR,
        True,
        FailureReason("connector", ErrorKind.RATE_LIMITED, "busy", retry=RetrySafety.SAFE),
        id="refused by our own throttle",
    ),
    pytest.param(
        ProviderRefused("no", kind=ErrorKind.BLOCKED, code=7, more_info="https://example.com/7"),
        S.ERROR,
        True,
        FailureReason("provider", ErrorKind.BLOCKED, "no", 7, "https://example.com/7"),
        id="refused as a whole",
    ),
    pytest.param(
        OutcomeUnknown("no answer within 15 s"),
        S.UNKNOWN,
        False,
        FailureReason(
            "transport", ErrorKind.UNKNOWN_OUTCOME, "no answer within 15 s", retry=RetrySafety.UNKNOWN_OUTCOME
        ),
        id="unknown",
    ),
]


@pytest.mark.parametrize(("outcome", "status", "final", "failure"), OUTCOMES)
def test_the_four_outcomes(outcome: object, status: MessageStatus, final: bool, failure: FailureReason | None) -> None:
    record = intent()
    apply = change(outcome)
    apply(record)
    assert (record.status, record.final, record.failure) == (status, final, failure)
    assert (record.next_check_at is None) == final
    before = replace(record, history=list(record.history))
    apply(record)
    assert record == before, "a change that is applied again changes nothing"


@pytest.mark.parametrize(("outcome", "status", "final", "failure"), OUTCOMES)
def test_what_a_callback_has_settled_stays(outcome: object, status: S, final: bool, failure: FailureReason) -> None:
    record = intent()
    record.apply_report(report(S.FAILED, failure=CARRIER), at=100.5, source="callback")
    change(outcome)(record)
    assert (record.status, record.failure, record.provider_message_id) == (S.FAILED, CARRIER, "SM1")


BAD_NEWS = [REFUSAL, NotSent("429"), OutcomeUnknown("no answer")]


@pytest.mark.parametrize("outcome", BAD_NEWS, ids=["refused", "not sent", "unknown"])
@pytest.mark.parametrize(
    "now",
    [
        pytest.param({"holder": "other", "resends": 1, "status": S.UNKNOWN}, id="another node sends it again"),
        pytest.param({"holder": "node", "resends": 1, "status": S.UNKNOWN}, id="this node sends it again"),
        pytest.param({"holder": "other"}, id="another node holds the intent"),
    ],
)
def test_bad_news_of_an_older_call_says_nothing_of_the_present_one(outcome: object, now: dict[str, object]) -> None:
    record = intent(**now)
    change(outcome)(record)
    assert record == intent(**now)


def test_good_news_of_an_older_call_always_counts() -> None:
    record = intent(holder="other", resends=1, status=S.UNKNOWN)
    change(receipt())(record)
    assert (record.status, record.phase, record.provider_message_id) == (S.QUEUED, Phase.DONE, "SM1")


def test_what_another_node_called_dead_is_settled_by_a_late_refusal() -> None:
    record = intent()
    record.mark_unknown("its node stopped", at=140.0, window=WINDOW)
    change(REFUSAL, at=141.0)(record)
    assert (record.status, record.failure) == (S.ERROR, REFUSAL)


def test_a_refusal_of_the_repetition_is_the_outcome() -> None:
    """It was repeated because the provider's list did not have it."""
    record = intent()
    change(OutcomeUnknown("no answer"))(record)
    Resend("node", 110.0, 2)(record)
    change(REFUSAL, at=111.0, resends=1)(record)
    assert (record.status, record.phase, record.failure, record.resends) == (S.ERROR, Phase.DONE, REFUSAL, 1)


def test_a_repetition_that_was_not_sent_does_not_say_what_became_of_the_first() -> None:
    record = intent()
    change(OutcomeUnknown("no answer"))(record)
    Resend("node", 110.0, 2)(record)
    change(NotSent("connection refused"), at=111.0, resends=1)(record)
    assert (record.status, record.phase, record.resends) == (S.UNKNOWN, Phase.UNKNOWN, 1)
    assert any("sent again, without success" in line for line in record.evidence)
    assert record.unknown_until == 101.0 + WINDOW, "the window is not prolonged"


@pytest.mark.parametrize(
    ("values", "taken"),
    [
        ({"phase": Phase.UNKNOWN}, True),
        ({"phase": Phase.UNKNOWN, "resends": 2}, False),
        ({"phase": Phase.CALLING}, False),
        ({"phase": Phase.DONE}, False),
    ],
)
def test_who_may_send_again(values: dict[str, object], taken: bool) -> None:
    record, resend = intent(**values), Resend("other", 120.0, 2)
    resend(record)
    assert (resend.taken, record.holder == "other") == (taken, taken)


# --- news -------------------------------------------------------------------------------------------------------------


def test_the_double_of_a_message_sent_again_is_kept_in_the_history_only() -> None:
    record = intent()
    record.apply_report(report(S.SENT), at=101, source="callback")
    assert record.apply_report(report(S.DELIVERED, id_="SM2"), at=102, source="callback")
    assert not record.apply_report(report(S.DELIVERED, id_="SM2"), at=103, source="poll")
    assert (record.provider_message_id, record.status) == ("SM1", S.SENT)
    assert record.history[-1] == (102, "sent", "callback", "delivered (SM2)")


def test_the_providers_id_may_come_with_its_first_report() -> None:
    record = intent()
    change(SendReceipt("", S.ACCEPTED, "accepted"))(record)
    assert (record.provider_message_id, record.phase, record.status) == (None, Phase.DONE, S.ACCEPTED)
    assert record.apply_report(report(S.SENT), at=102, source="callback")
    assert (record.provider_message_id, record.status) == ("SM1", S.SENT)
    assert record.apply_report(report(S.DELIVERED, id_="SM2"), at=103, source="callback")
    assert (record.provider_message_id, record.status) == ("SM1", S.SENT)


def test_an_answer_without_the_id_keeps_what_a_report_told_before() -> None:
    record = intent()
    record.apply_report(report(S.DELIVERED), at=100.5, source="callback")
    change(SendReceipt("", S.ACCEPTED, "accepted"))(record)
    assert (record.provider_message_id, record.status) == ("SM1", S.DELIVERED)


def test_attempts_are_used_up_while_the_providers_id_is_not_known() -> None:
    record = intent(attempts_allowed=2)
    change(SendReceipt("", S.ACCEPTED, "accepted"))(record)
    for at in (111.0, 121.0):
        record.asked(at)
    assert (record.attempts, record.next_check_at) == (2, 121.0 + SLOW_CHECK_SECONDS)


@pytest.mark.parametrize("sources", [("callback", "callback"), ("callback", "poll"), ("send", "reconcile")])
def test_the_same_word_twice_is_no_news_whoever_says_it(sources: tuple[str, str]) -> None:
    record = intent()
    assert record.apply_report(report(S.SENT), at=101, source=sources[0])
    assert not record.apply_report(report(S.SENT), at=102, source=sources[1])
    assert len(record.history) == 1


def test_a_reason_that_comes_later_is_news() -> None:
    record = intent()
    record.apply_report(report(S.UNDELIVERED), at=101, source="callback")
    assert record.apply_report(report(S.UNDELIVERED, failure=CARRIER), at=102, source="poll")
    assert record.failure == CARRIER


def test_a_reason_for_another_status_is_not_taken() -> None:
    record = intent()
    record.apply_report(report(S.DELIVERED), at=101, source="callback")
    record.apply_report(report(S.FAILED, failure=CARRIER), at=102, source="poll")
    assert (record.status, record.failure) == (S.DELIVERED, None)


def test_the_next_question_is_an_interval_after_the_last_news() -> None:
    record = intent(interval=10.0)
    record.apply_report(report(S.SENT), at=200.0, source="callback")
    assert record.next_check_at == 210.0
    record.apply_report(report(S.DELIVERED), at=203.0, source="callback")
    assert record.next_check_at is None


def test_what_is_to_be_sent_later_is_asked_for_from_then_on() -> None:
    record = intent(interval=10.0, attempts_allowed=2, send_at=5000.0)
    record.apply_report(report(S.SCHEDULED), at=101.0, source="send")
    assert record.next_check_at == 5010.0
    record.asked(200.0)
    assert (record.attempts, record.next_check_at) == (0, 5010.0), "whoever asks too soon has not asked"
    record.apply_report(report(S.SENT), at=5003.0, source="callback")
    record.asked(5013.0)
    assert (record.attempts, record.next_check_at) == (1, 5023.0)


def test_an_unknown_outcome_is_looked_into_whenever_it_is_to_be_sent() -> None:
    record = intent(interval=10.0, send_at=5000.0)
    record.mark_unknown("no answer", at=101.0, window=WINDOW)
    assert record.next_check_at == 111.0
    for at in (111.0, 121.0):
        record.asked(at)
    record.apply_report(report(S.SCHEDULED), at=131.0, source="reconcile")
    record.asked(131.0)
    assert (record.attempts, record.next_check_at) == (0, 5010.0), "its attempts begin when it is sent"


def test_late_news_of_what_is_to_be_sent_later_is_looked_for_ever_more_seldom() -> None:
    later = 35 * 86_400.0
    record, looks = intent(send_at=later, campaign="cmp_1"), 0
    record.mark_unknown("no answer", at=100.0, window=WINDOW)
    record.close_unresolved(at=1000.0)
    while record.next_check_at is not None:
        record.back_off_checks(at=record.next_check_at, limit=3 * 86_400.0)
        looks += 1
    assert looks < 60


def test_what_is_sent_later_was_not_sent_before() -> None:
    record = intent(send_at=5000.0)
    record.apply_report(report(S.SCHEDULED), at=101.0, source="send")
    assert record.sent_at is None
    record.apply_report(report(S.SENT), at=5003.0, source="callback")
    assert record.sent_at == 5003.0


@pytest.mark.parametrize(("validity", "until"), [(None, 1000.0), (60, 160.0), (3600, 1000.0)])
def test_the_window_is_at_most_the_validity(validity: int | None, until: float) -> None:
    record = intent(validity_seconds=validity)
    record.mark_unknown("no answer", at=100.0, window=WINDOW)
    assert record.unknown_until == until


def test_an_unknown_outcome_is_looked_for_until_its_window_ends() -> None:
    record = intent(attempts_allowed=1)
    record.mark_unknown("no answer", at=100.0, window=WINDOW)
    looks = []
    while record.next_check_at is not None and record.next_check_at < 1000.0:
        looks.append(record.next_check_at)
        record.asked(record.next_check_at)
    assert len(looks) >= 15
    assert record.next_check_at == 1000.0
    record.close_unresolved(at=1000.0)
    assert record.final
    assert record.status is S.UNKNOWN


def test_after_its_window_late_news_still_settles_it() -> None:
    record = intent()
    record.mark_unknown("no answer", at=100.0, window=WINDOW)
    record.close_unresolved(at=1000.0)
    record.apply_report(report(S.DELIVERED), at=5000.0, source="callback")
    assert (record.status, record.failure, record.provider_message_id) == (S.DELIVERED, None, "SM1")


def test_expiry_keeps_the_last_known_status_in_the_history() -> None:
    record = intent()
    record.apply_report(report(S.SENT), at=101, source="callback")
    record.expire(at=300_000.0)
    assert (record.status, record.final) == (S.EXPIRED, True)
    assert record.history[-1] == (300_000.0, "sent", "connector", "no update since sent")
    record.expire(at=300_001.0)
    assert len(record.history) == 2


@given(st.data())
def test_a_record_survives_its_document(data: st.DataObject) -> None:
    record = intent(
        status=data.draw(st.sampled_from(list(S))),
        phase=data.draw(st.sampled_from([Phase.CALLING, Phase.UNKNOWN, Phase.DONE])),
        holder=data.draw(st.none() | st.just("node")),
        send_at=data.draw(st.none() | st.just(5000.0)),
        provider_message_id=data.draw(st.none() | st.just("SM1")),
        failure=data.draw(st.sampled_from([None, REFUSAL, CARRIER])),
        validity_seconds=data.draw(st.none() | st.integers(1, 36_000)),
        unknown_until=data.draw(st.none() | st.floats(0, 1e10)),
        evidence=data.draw(st.lists(st.text(), max_size=3)),
        resends=data.draw(st.integers(0, 2)),
        redacted=data.draw(st.booleans()),
        history=[(1.0, "sent", "poll", "sent")] * data.draw(st.integers(0, 3)),
    )
    assert read_document(Document(record.id, record.to_data(), 7), MessageRecord) == replace(record, version=7)


# --- any order --------------------------------------------------------------------------------------------------------


class MessageLife(RuleBasedStateMachine):
    """News, outcomes and repetitions in any order, as callbacks, polls and several nodes bring them."""

    def __init__(self) -> None:
        super().__init__()
        self.record = intent()
        self.clock = 100.0
        self.heard: set[str] = set()
        self.ids: list[str] = []
        self.best = 0

    def now(self) -> float:
        self.clock += 1
        return self.clock

    @rule(
        status=st.sampled_from(STATUS_EVENTS),
        source=st.sampled_from(["callback", "poll", "reconcile"]),
        failure=st.sampled_from([None, CARRIER]),
        id_=st.sampled_from(["SM1", "SM1", "SM1", "SM2"]),
    )
    def news(self, status: S, source: str, failure: FailureReason | None, id_: str) -> None:
        was_final, before = self.record.final, self.record.status
        about_us = self.record.provider_message_id in (None, id_)
        self.record.apply_report(report(status, id_=id_, failure=failure), at=self.now(), source=source)
        self.ids.append(id_)
        self.heard.add(str(status) if about_us else f"{status} ({id_})")
        if was_final and before is not S.UNKNOWN and (before, status) != (S.DELIVERED, S.READ):
            assert self.record.status is before

    @rule(
        holder=st.sampled_from(["node", "other"]),
        resends=st.integers(0, 2),
        outcome=st.sampled_from([receipt(), *BAD_NEWS]),
    )
    def outcome_of_a_call(self, holder: str, resends: int, outcome: object) -> None:
        change(outcome, at=self.now(), holder=holder, resends=resends)(self.record)
        if isinstance(outcome, SendReceipt):
            self.ids.append("SM1")

    @rule()
    def its_node_dies(self) -> None:
        self.record.mark_unknown("its node stopped", at=self.now(), window=WINDOW)

    @rule(holder=st.sampled_from(["node", "other"]))
    def send_again(self, holder: str) -> None:
        Resend(holder, self.now(), 2)(self.record)

    @rule()
    def asked(self) -> None:
        self.record.asked(self.now())

    @rule()
    def window_ends(self) -> None:
        self.record.close_unresolved(at=self.now())

    @precondition(lambda self: self.clock > 130)
    @rule()
    def expires(self) -> None:
        self.record.expire(at=self.now())

    @invariant()
    def no_status_moves_back(self) -> None:
        known = self.record.provider_message_id is not None
        if known:
            assert self.record.status.rank >= self.best
            self.best = self.record.status.rank

    @invariant()
    def the_first_id_is_kept_and_none_is_lost(self) -> None:
        if self.ids:
            assert self.record.provider_message_id == self.ids[0]
        told = " ".join(word for _, _, _, word in self.record.history)
        assert all(id_ in told for id_ in self.ids if id_ != self.ids[0]) or len(self.record.history) == HISTORY_LIMIT

    @invariant()
    def every_word_is_in_the_history(self) -> None:
        words = {word for _, _, _, word in self.record.history}
        assert self.heard <= words or len(self.record.history) == HISTORY_LIMIT

    @invariant()
    def it_makes_sense_as_a_whole(self) -> None:
        record = self.record
        assert len(record.history) <= HISTORY_LIMIT
        assert record.history == sorted(record.history, key=lambda entry: entry[0])
        assert record.resends <= 2
        assert (record.holder is not None) == (record.phase == Phase.CALLING)
        if record.final:
            assert record.next_check_at is None
        if record.status is S.ERROR:
            assert record.failure is not None
        if record.status is S.UNKNOWN and record.phase != Phase.CALLING:
            assert record.evidence


MessageLife.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
test_any_order = MessageLife.TestCase


# --- reports about parts ----------------------------------------------------------------------------------------------


def of_part(part: str, status: MessageStatus, *, parts: int | None = None) -> DeliveryReport:
    return replace(report(status), part=part, parts=parts)


@pytest.mark.parametrize(
    ("reports", "status"),
    [
        pytest.param([of_part("0", S.DELIVERED)], S.SENT, id="the first of two"),
        pytest.param([of_part("0", S.DELIVERED), of_part("1", S.DELIVERED)], S.DELIVERED, id="both"),
        pytest.param([of_part("1", S.DELIVERED), of_part("1", S.DELIVERED)], S.SENT, id="the same one twice"),
        pytest.param([of_part("0", S.DELIVERED), of_part("1", S.UNDELIVERED)], S.UNDELIVERED, id="one fails"),
        pytest.param([of_part("0", S.FAILED), of_part("1", S.DELIVERED)], S.FAILED, id="the first to fail counts"),
        pytest.param([of_part("0", S.SENT), of_part("1", S.SENT)], S.SENT, id="on the way"),
        pytest.param([of_part("0", S.SENT), of_part("0", S.DELIVERED)], S.SENT, id="one arrived, one not heard of"),
        pytest.param([of_part("0", S.DELIVERED, parts=1)], S.DELIVERED, id="the provider counts one"),
        pytest.param([of_part("0", S.DELIVERED, parts=3), of_part("1", S.DELIVERED, parts=3)], S.SENT, id="three"),
    ],
)
def test_a_message_is_what_its_parts_are_together(reports: list[DeliveryReport], status: MessageStatus) -> None:
    record = intent(segments=2, phase=Phase.DONE, provider_message_id="SM1", status=S.QUEUED)
    for at, each in enumerate(reports):
        record.apply_report(each, at=200.0 + at, source="callback")
    assert record.status is status


def test_each_parts_report_is_news_and_a_repeated_one_is_not() -> None:
    record = intent(segments=2, phase=Phase.DONE, provider_message_id="SM1", status=S.QUEUED)
    heard = [record.apply_report(of_part(part, S.DELIVERED), at=200.0, source="callback") for part in "0011"]
    assert heard == [True, False, True, False]
