"""Consent is a person's: whichever of their addresses is written to."""

from __future__ import annotations

import pytest

from sms_connector.messaging.consent import OptOuts
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.memory_ledger import MemoryLedger

NUMBER, OTHER = "+15558675310", "+15558675311"


@pytest.fixture
def opt_outs() -> OptOuts:
    clock = ThreadedClock()
    return OptOuts(MemoryLedger(clock), clock=clock)


SAME = [NUMBER, f"whatsapp:{NUMBER}", f"rcs:{NUMBER}"]


@pytest.mark.parametrize("asked", SAME)
@pytest.mark.parametrize("said", SAME)
def test_a_channel_address_is_its_number(opt_outs: OptOuts, said: str, asked: str) -> None:
    assert opt_outs.put(said, "inbound", "STOP").number == NUMBER
    assert opt_outs.among([asked, OTHER, f"whatsapp:{OTHER}"]) == {asked}
    found = opt_outs.get(asked)
    assert found is not None
    assert found.number == NUMBER
    assert not opt_outs.put_once(asked, "provider", "refused", at=1.0), "there already"
    assert opt_outs.delete(asked)
    assert opt_outs.among([said]) == set()


def test_an_id_of_a_channel_is_nobodys_number(opt_outs: OptOuts) -> None:
    opt_outs.put("messenger:15558675310", "api")
    assert opt_outs.among([NUMBER, "messenger:15558675310"]) == {"messenger:15558675310"}


def test_start_on_one_channel_ends_the_opt_out_of_all(opt_outs: OptOuts) -> None:
    opt_outs.put(NUMBER, "inbound", "STOP")
    [end] = opt_outs.writes_of_start(f"whatsapp:{NUMBER}", at=10**12)
    assert (end.id, end.data) == (NUMBER, None)
