"""Consent is a person's: whichever of their addresses is written to."""

from __future__ import annotations

from itertools import permutations

import pytest

from sms_connector.errors import Conflict
from sms_connector.ports import Write
from sms_connector.store.opt_outs import MAX_HISTORY, ConsentChange, OptOuts
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.memory_ledger import MemoryLedger

NUMBER, OTHER = "+15558675310", "+15558675311"


class Stage(OptOuts, frozen=True):
    """Opt-outs whose parts of a commit can be committed alone."""

    def commit(self, write: Write) -> None:
        self.ledger.commit([write])


@pytest.fixture
def opt_outs() -> Stage:
    clock = ThreadedClock()
    return Stage(MemoryLedger(clock), clock)


SAME = [NUMBER, f"whatsapp:{NUMBER}", f"rcs:{NUMBER}", "+1 (555) 867-5310"]
MEXICO = ["+525562000000", "+5215562000000", "whatsapp:+5215562000000"]


@pytest.mark.parametrize(
    ("said", "asked", "key"),
    [*((said, asked, NUMBER) for said in SAME for asked in SAME), *((s, a, MEXICO[0]) for s in MEXICO for a in MEXICO)],
)
def test_every_spelling_is_one_person(opt_outs: Stage, said: str, asked: str, key: str) -> None:
    assert opt_outs.put(said, "inbound", "STOP").number == key
    assert opt_outs.among([asked, OTHER, f"whatsapp:{OTHER}"]) == {asked}
    found = opt_outs.get(asked)
    assert found is not None
    assert found.number == key
    assert not opt_outs.put_once(asked, "provider", "refused", at=1.0), "there already"
    assert opt_outs.delete(asked)
    assert opt_outs.among([said]) == set()


@pytest.mark.parametrize(
    "address", ["messenger:15558675310", "12345", "ACME", "rcs:brand/agent", "__x", "a" * 400, "+0"]
)
def test_who_has_no_number_keeps_consent_too(opt_outs: Stage, address: str) -> None:
    opt_outs.put(address, "inbound", "STOP")
    assert opt_outs.among([NUMBER, address]) == {address}
    [listed], _ = opt_outs.list(limit=10)
    assert listed.number == address


# --- a history --------------------------------------------------------------------------------------------------------


def test_nothing_is_overwritten(opt_outs: Stage) -> None:
    assert opt_outs.put_once(NUMBER, "provider", "refused with 21610", at=1.0)
    opt_outs.put(NUMBER, "api", "asked by phone", caller="ann@example.com")
    assert opt_outs.delete(NUMBER, caller="bob@example.com")
    assert not opt_outs.delete(NUMBER), "consent was given again already"
    found = opt_outs.get(NUMBER)
    assert found is not None
    assert not found.opted_out
    assert [(each.opted_out, each.source, each.reason, each.caller) for each in found.history] == [
        (True, "provider", "refused with 21610", None),
        (True, "api", "asked by phone", "ann@example.com"),
        (False, "api", None, "bob@example.com"),
    ]
    assert opt_outs.list(limit=10) == ([], None), "who gave consent again is not listed"


def _word(stop: bool, at: float) -> ConsentChange:
    return ConsentChange(stop, "inbound", at, "STOP" if stop else "START")


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("last", [True, False], ids=["ends with STOP", "ends with START"])
def test_the_state_is_the_last_change_by_time(opt_outs: Stage, order: tuple[int, ...], last: bool) -> None:
    changes = [_word(not last, 1.0), _word(last, 2.0), _word(not last, 1.5)]
    for position in order:
        opt_outs.commit(opt_outs.write_of(NUMBER, changes[position]))
    found = opt_outs.get(NUMBER)
    assert found is not None
    assert [each.at for each in found.history] == [1.0, 1.5, 2.0]
    assert found.opted_out is last is bool(opt_outs.among([NUMBER]))


def test_at_the_same_moment_an_opt_out_counts(opt_outs: Stage) -> None:
    for stop in (True, False):
        opt_outs.commit(opt_outs.write_of(NUMBER, _word(stop, 1.0)))
    assert opt_outs.among([NUMBER]) == {NUMBER}


def test_a_refusal_from_before_a_start_ends_nothing(opt_outs: Stage) -> None:
    opt_outs.commit(opt_outs.write_of(NUMBER, _word(False, 5.0)))
    assert not opt_outs.put_once(NUMBER, "provider", "reported with 21610", at=4.0)
    assert opt_outs.among([NUMBER]) == set()


def test_two_changes_at_once_are_both_kept(opt_outs: Stage) -> None:
    """Each is written on what was read: the second one's commit conflicts, and is made again."""
    first, second = (opt_outs.write_of(NUMBER, _word(True, at)) for at in (1.0, 2.0))
    opt_outs.commit(first)
    with pytest.raises(Conflict):
        opt_outs.commit(second)


def test_a_long_history_keeps_its_first_change_and_its_latest(opt_outs: Stage) -> None:
    for at in range(MAX_HISTORY + 5):
        opt_outs.commit(opt_outs.write_of(NUMBER, _word(at % 2 == 0, float(at))))
    found = opt_outs.get(NUMBER)
    assert found is not None
    assert (len(found.history), found.history[0].at, found.last.at) == (MAX_HISTORY, 0.0, MAX_HISTORY + 4.0)
