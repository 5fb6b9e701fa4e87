"""Statuses: the table of moves, and that no sequence of news moves a message back."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.model.status import FINAL, MessageStatus, advance

S = MessageStatus
NON_FINAL = [s for s in S if s not in FINAL]
STAYING = FINAL - {S.UNKNOWN, S.DELIVERED}
statuses = st.sampled_from(list(S))


def settle(news: list[MessageStatus], start: MessageStatus = S.ACCEPTED) -> MessageStatus:
    return reduce(advance, news, start)


@pytest.mark.parametrize(
    ("current", "news", "after", "why"),
    [
        (S.ACCEPTED, S.QUEUED, S.QUEUED, "the ordinary way up"),
        (S.ACCEPTED, S.DELIVERED, S.DELIVERED, "steps may be skipped: callbacks get lost"),
        (S.SCHEDULED, S.QUEUED, S.QUEUED, "a scheduled message's time came"),
        (S.QUEUED, S.SENDING, S.SENDING, "the ordinary way up"),
        (S.SENDING, S.SENT, S.SENT, "the ordinary way up"),
        (S.SENT, S.QUEUED, S.SENT, "a callback overtaken by a later one"),
        (S.SENT, S.SENDING, S.SENT, "a callback overtaken by a later one"),
        (S.SENT, S.SENT, S.SENT, "the same news twice"),
        (S.QUEUED, S.ACCEPTED, S.QUEUED, "the answer to the send, after its first callback"),
        (S.QUEUED, S.SCHEDULED, S.QUEUED, "out of order"),
        (S.SENT, S.UNDELIVERED, S.UNDELIVERED, "the carrier gave up"),
        (S.QUEUED, S.FAILED, S.FAILED, "never left the provider"),
        (S.SCHEDULED, S.CANCELED, S.CANCELED, "taken back in time"),
        (S.SENT, S.EXPIRED, S.EXPIRED, "no news for too long"),
        (S.ACCEPTED, S.ERROR, S.ERROR, "refused by the provider"),
        (S.DELIVERED, S.SENT, S.DELIVERED, "final; the bug of every status callback handler"),
        (S.DELIVERED, S.READ, S.READ, "the one final status that goes on"),
        (S.DELIVERED, S.FAILED, S.DELIVERED, "it arrived; nothing later undoes that"),
        (S.DELIVERED, S.UNKNOWN, S.DELIVERED, "no knowledge takes no knowledge away"),
        (S.READ, S.DELIVERED, S.READ, "read implies delivered"),
        (S.FAILED, S.DELIVERED, S.FAILED, "final; the history keeps the contradiction"),
        (S.UNDELIVERED, S.DELIVERED, S.UNDELIVERED, "final; the history keeps the contradiction"),
        (S.EXPIRED, S.DELIVERED, S.EXPIRED, "the caller was told; late news goes to the history"),
        (S.EXPIRED, S.READ, S.EXPIRED, "only delivered yields to read"),
        (S.CANCELED, S.SENT, S.CANCELED, "final"),
        (S.ERROR, S.DELIVERED, S.ERROR, "final"),
        (S.ACCEPTED, S.UNKNOWN, S.UNKNOWN, "the outcome of the call could not be found out"),
        (S.SENT, S.UNKNOWN, S.SENT, "a provider's word for no idea takes nothing back"),
        (S.UNKNOWN, S.ACCEPTED, S.ACCEPTED, "found in the provider's list: tracking goes on"),
        (S.UNKNOWN, S.QUEUED, S.QUEUED, "the first callback settles it"),
        (S.UNKNOWN, S.DELIVERED, S.DELIVERED, "evidence at last"),
        (S.UNKNOWN, S.ERROR, S.ERROR, "evidence at last"),
        (S.UNKNOWN, S.UNKNOWN, S.UNKNOWN, "still nothing known"),
    ],
)
def test_moves(current: MessageStatus, news: MessageStatus, after: MessageStatus, why: str) -> None:
    assert advance(current, news) is after, why


def test_the_words_and_the_final_ones_are_the_contract() -> None:
    words = "accepted scheduled queued sending sent delivered undelivered failed canceled read expired error unknown"
    final = "delivered undelivered failed canceled read expired error unknown"
    assert {str(status) for status in S} == set(words.split())
    assert {str(status) for status in FINAL} == set(final.split())
    assert all(status.final is (status in FINAL) for status in S)


def test_ranks_follow_the_way_of_a_message() -> None:
    way = [S.ACCEPTED, S.SCHEDULED, S.QUEUED, S.SENDING, S.SENT, S.DELIVERED, S.READ]
    assert [status.rank for status in way] == list(range(7))


@given(st.lists(statuses, max_size=12))
def test_no_news_ever_moves_a_message_back(news: list[MessageStatus]) -> None:
    current = S.ACCEPTED
    for item in news:
        after = advance(current, item)
        assert after.rank >= current.rank
        assert after in (current, item)
        current = after


@given(st.sampled_from(sorted(STAYING)), st.lists(statuses, max_size=8))
def test_a_final_status_stays(final: MessageStatus, news: list[MessageStatus]) -> None:
    assert settle(news, final) is final


@given(st.lists(statuses, max_size=8))
def test_delivered_yields_to_read_only(news: list[MessageStatus]) -> None:
    assert settle(news, S.DELIVERED) is (S.READ if S.READ in news else S.DELIVERED)


@given(st.lists(statuses, max_size=8), statuses)
def test_the_same_news_twice_changes_nothing(news: list[MessageStatus], item: MessageStatus) -> None:
    assert settle([*news, item, item]) is settle([*news, item])


@given(st.data(), st.lists(st.sampled_from(NON_FINAL), max_size=6), st.sampled_from(sorted(STAYING - {S.READ})))
def test_one_verdict_holds_in_whatever_order_the_news_arrive(
    data: st.DataObject, steps: list[MessageStatus], verdict: MessageStatus
) -> None:
    shuffled = data.draw(st.permutations([*steps, verdict]))
    assert settle(shuffled) is verdict


@given(st.data(), st.lists(st.sampled_from([*NON_FINAL, S.DELIVERED, S.READ]), max_size=8))
def test_news_that_contradict_nowhere_settle_alike_in_any_order(data: st.DataObject, news: list[MessageStatus]) -> None:
    shuffled = data.draw(st.permutations(news))
    assert settle(shuffled) is settle(news) is max([S.ACCEPTED, *news], key=lambda status: status.rank)
