"""Messages are found by the person they went to, single ones and campaigns' in one order, page by page."""

from __future__ import annotations

from itertools import islice

import pytest

from sms_connector.model.person import person_key
from sms_connector.ports.ledger_access import Cursor
from sms_connector.store.block_store import BlockStore
from sms_connector.store.blocks import Block
from sms_connector.store.campaign_record import MessageLocation
from sms_connector.store.message_record import MessageRecord
from sms_connector.store.message_store import PersonQuery
from tests.fixtures.clocks import FakeClock
from tests.fixtures.counting_ledger import CountingLedger
from tests.fixtures.memory_ledger import MemoryLedger

CAMPAIGN = "cmp_c" + "0" * 20
ME, OTHER = "+15558675310", "+15558675311"


def record(id_: str, to: str, at: float, provider_id: str | None = None) -> MessageRecord:
    return MessageRecord(id_, to, "+15005550006", "digest", at, at, provider_message_id=provider_id)


def in_block(block: int, position: int, to: str, at: float) -> MessageRecord:
    location = MessageLocation(CAMPAIGN, 0, block * 25 + position)
    return record(location.message_id, to, at, f"SM{location.position}")


def block_of(number: int, *records: MessageRecord) -> Block:
    first = MessageLocation.of(records[0].id)
    assert first is not None
    block = Block(first.block_id, CAMPAIGN, min(r.created_at for r in records), ME, 10.0, 6, None)
    block.records = {number * 25 + index: each for index, each in enumerate(records)}
    return block


@pytest.fixture
def ledger() -> CountingLedger:
    """Two blocks around single messages; the first block was filled up after a pause."""
    clock = FakeClock()
    ledger = CountingLedger(MemoryLedger(clock))
    now = clock.now
    store = BlockStore(ledger)
    store.create([record("msg_a", ME, now + 1), record("msg_b", OTHER, now + 2), record("msg_c", ME, now + 3, "SMc")])
    early = block_of(0, in_block(0, 0, ME, now), in_block(0, 1, OTHER, now), in_block(0, 2, ME, now + 9))
    late = block_of(1, in_block(1, 0, OTHER, now + 4), in_block(1, 1, ME, now + 4))
    ledger.commit([early.to_write(), late.to_write()])
    return ledger


def ids(records: list[MessageRecord]) -> list[str]:
    return [each.id.replace(f"msg_{CAMPAIGN.removeprefix('cmp_')}-0-", "block ") for each in records]


NEWEST_FIRST = ["block 2", "block 0", "block 26", "msg_c", "msg_a"]


def test_all_to_a_person_newest_first(ledger: CountingLedger) -> None:
    assert ids(BlockStore(ledger).find_by_person(person_key(ME), limit=10)) == NEWEST_FIRST


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_no_more_than_wanted(ledger: CountingLedger, limit: int) -> None:
    assert ids(BlockStore(ledger).find_by_person(person_key(ME), limit=limit)) == NEWEST_FIRST[:limit]


def test_as_whatsapp_the_person_is_the_same(ledger: CountingLedger) -> None:
    assert person_key("whatsapp:" + ME) == person_key(ME)


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_page_by_page_none_is_missed_or_twice(ledger: CountingLedger, limit: int) -> None:
    found: list[MessageRecord] = []
    after: Cursor | None = None
    while True:
        page = list(islice(BlockStore(ledger).newest(PersonQuery(person_key(ME), after=after, page=limit)), limit))
        if not page:
            break
        found += [each for _, each in page if each.to == ME]
        after = page[-1][0]
    assert ids(found) == NEWEST_FIRST


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        pytest.param(None, 3, ["block 0", "msg_c", "msg_a"], id="until, included: a block's later ones are left out"),
        pytest.param(
            3, None, ["block 2", "block 26", "msg_c"], id="since, included: a block's earlier ones are left out"
        ),
        pytest.param(9, None, ["block 2"], id="what followed a pause is found in a block that was begun before it"),
        pytest.param(1, 3, ["msg_c", "msg_a"], id="both"),
        pytest.param(20, None, [], id="none"),
    ],
)
def test_in_a_range_of_time(
    ledger: CountingLedger, since: float | None, until: float | None, expected: list[str]
) -> None:
    start = FakeClock().now
    found = BlockStore(ledger).find_by_person(
        person_key(ME),
        limit=10,
        since=None if since is None else start + since,
        until=None if until is None else start + until,
    )
    assert ids(found) == expected


@pytest.mark.parametrize(
    ("provider_id", "owner"),
    [
        pytest.param("SMc", "msg_c", id="a single message"),
        pytest.param("SM26", f"msg_{CAMPAIGN.removeprefix('cmp_')}-0-26", id="a campaign's"),
        pytest.param("SM27", None, id="another's"),
    ],
)
def test_by_the_providers_id(ledger: CountingLedger, provider_id: str, owner: str | None) -> None:
    before = ledger.operations
    assert BlockStore(ledger).find_by_provider_id(provider_id) == owner
    assert (ledger.operations - before).reads <= 2


def test_only_what_can_match_is_read(ledger: CountingLedger) -> None:
    """The ledger may be full of blocks of others of the same minute."""
    now = FakeClock().now
    ledger.commit([block_of(n, in_block(n, 0, OTHER, now + n)).to_write() for n in range(10, 40)])
    before = ledger.operations
    found = BlockStore(ledger).find_by_person(person_key(ME), limit=10)
    assert len(found) == 5
    assert (ledger.operations - before).reads == 4  # two blocks, two messages


def test_single_messages_after_the_range_are_not_read(ledger: CountingLedger) -> None:
    start = FakeClock().now
    store = BlockStore(ledger)
    store.create([record(f"msg_later_{n}", ME, start + 100 + n) for n in range(60)])
    before = ledger.operations
    found = store.find_by_person(person_key(ME), limit=5, until=start + 50)
    assert ids(found) == NEWEST_FIRST
    assert (ledger.operations - before).reads == 4  # two blocks, two messages


def test_a_block_that_went_on_after_days_is_found(ledger: CountingLedger) -> None:
    """A report must never be given to the wrong message because the right one was not seen."""
    start, days = FakeClock().now, 3 * 24 * 3600.0
    paused = block_of(7, in_block(7, 0, ME, start + 5), in_block(7, 1, ME, start + 5 + days))
    ledger.commit([paused.to_write()])
    found = BlockStore(ledger).find_by_person(person_key(ME), limit=5, since=start + 5, until=start + 6)
    assert ids(found) == ["block 175"]
