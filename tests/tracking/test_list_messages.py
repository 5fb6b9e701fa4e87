"""`GET /v1/messages` over everything: messages of requests and of campaigns' blocks, one order, one token, bounded reads."""

from __future__ import annotations

from typing import Any, cast

import pytest

from sms_connector.model.policy import Policy
from sms_connector.model.send_request import MessageFilter
from sms_connector.model.status import MessageStatus
from sms_connector.ports.ledger_access import Cursor
from sms_connector.store.block_store import BlockStore
from sms_connector.store.blocks import Block
from sms_connector.store.campaign_record import MessageLocation
from sms_connector.store.message_record import MessageRecord, Phase
from sms_connector.tracking.lookup import MessageLookup
from tests.fixtures.clocks import FakeClock
from tests.fixtures.counting_ledger import CountingLedger
from tests.fixtures.memory_ledger import MemoryLedger

ME, OTHER, SENDER = "+15558675310", "+15558675311", "+15551234567"
FIRST, SECOND = "cmp_c" + "0" * 20, "cmp_c" + "1" * 20
EVERYTHING = MessageFilter()


class World:
    """Ten messages: every third one single, the others in blocks of two campaigns; a second apart."""

    def __init__(self, policy: Policy | None = None) -> None:
        clock = FakeClock()
        self.start = clock.now
        self.ledger = CountingLedger(MemoryLedger(clock))
        self.store = BlockStore(self.ledger)
        parts = cast(Any, None)
        self.messages = MessageLookup(parts, self.store, parts, clock=clock, policy=policy or Policy())
        for number in range(10):
            self.add(number)

    def add(self, number: int) -> None:
        at = self.start + number
        campaign = None if number % 3 == 0 else FIRST if number % 3 == 1 else SECOND
        record = MessageRecord(
            id=f"msg_{number:026x}" if campaign is None else MessageLocation(campaign, 0, 25 * number).message_id,
            to=ME if number % 2 else f"whatsapp:{OTHER}",
            sender=SENDER,
            text_digest="digest",
            created_at=at,
            updated_at=at,
            status=MessageStatus.DELIVERED if number < 5 else MessageStatus.UNDELIVERED,
            phase=Phase.DONE,
            index=number,
            campaign=campaign,
            reference=f"order {number // 2}",
        )
        if campaign is None:
            self.store.create([record])
        else:
            location = MessageLocation(campaign, 0, 25 * number)
            block = Block(location.block_id, campaign, at, SENDER, 10.0, 6, None, records={location.position: record})
            self.ledger.commit([block.to_write()])

    def pages(self, wanted: MessageFilter, limit: int) -> list[list[int]]:
        pages: list[list[int]] = []
        after: Cursor | None = None
        while True:
            page, after = self.messages.list(wanted, limit=limit, after=after)
            pages.append([record.index for record in page])
            if after is None:
                return pages


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("limit", [1, 2, 3, 9, 10, 11, 200])
def test_everything_newest_first_and_each_once(world: World, limit: int) -> None:
    pages = world.pages(EVERYTHING, limit)
    assert [index for page in pages for index in page] == list(range(9, -1, -1))
    assert all(len(page) <= limit for page in pages)


@pytest.mark.parametrize("limit", [1, 2, 200])
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param({"to": ME}, [9, 7, 5, 3, 1], id="a number: single ones and campaigns'"),
        pytest.param({"to": "+1 (555) 867-5311"}, [8, 6, 4, 2, 0], id="another spelling, and a channel"),
        pytest.param({"to": "+15550000000"}, [], id="somebody else"),
        pytest.param({"status": "undelivered"}, [9, 8, 7, 6, 5], id="a status"),
        pytest.param({"status": "read"}, [], id="a status that none has"),
        pytest.param({"reference": "order 2"}, [5, 4], id="a reference"),
        pytest.param({"campaign": FIRST}, [7, 4, 1], id="a campaign"),
        pytest.param({"to": ME, "status": "delivered"}, [3, 1], id="number and status"),
        pytest.param({"to": ME, "campaign": FIRST}, [7, 1], id="number and campaign"),
        pytest.param({"reference": "order 2", "campaign": SECOND}, [5], id="reference and campaign"),
        pytest.param({"created_after": 7.0}, [9, 8, 7], id="from a time on, included"),
        pytest.param({"created_before": 2.0}, [1, 0], id="up to a time, not included"),
        pytest.param({"to": ME, "created_after": 3.0, "created_before": 7.0}, [5, 3], id="number and times"),
    ],
)
def test_filters_over_both_kinds(world: World, wanted: dict[str, Any], expected: list[int], limit: int) -> None:
    times = {name: world.start + value for name, value in wanted.items() if name.startswith("created")}
    pages = world.pages(MessageFilter(**{**wanted, **times}), limit)
    assert [index for page in pages for index in page] == expected


def test_what_is_added_meanwhile_moves_no_later_page(world: World) -> None:
    page, after = world.messages.list(EVERYTHING, limit=4)
    world.add(10)
    world.add(11)
    rest, _ = world.messages.list(EVERYTHING, limit=200, after=after)
    assert [record.index for record in [*page, *rest]] == list(range(9, -1, -1))


def test_a_number_costs_two_queries(world: World) -> None:
    before = world.ledger.queries.copy()
    world.messages.list(MessageFilter(to=ME), limit=25)
    assert world.ledger.queries - before == {"messages": 1, "blocks": 1}


def test_a_page_of_a_rare_status_reads_a_bounded_number_and_goes_on() -> None:
    world = World(Policy(list_examines=4))
    pages = world.pages(MessageFilter(status="delivered"), 1)
    assert [index for page in pages for index in page] == [4, 3, 2, 1, 0]
    assert [] in pages
