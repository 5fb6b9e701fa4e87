"""A campaign's chunks are cut so that all nodes end together."""

from __future__ import annotations

from collections import deque
from math import ceil

import pytest

from sms_connector.campaigns.chunk_worker import Attempt
from sms_connector.campaigns.intake import MAX_TAIL, cut
from sms_connector.store.campaign_record import CHUNK_RECORDS, LEAST_CHUNK_RECORDS
from tests.fixtures.campaign_world import CampaignWorld, accepted, run_in
from tests.fixtures.fake_clock import ThreadedClock

RATE = 25
# A quarter of a second's worth, and some turns: what a node may end later than the others.
LATE = 0.3


def sizes_of(records: int, nodes: int) -> list[int]:
    chunks = list(cut("cmp_c", (accepted(index) for index in range(records)), nodes=nodes))
    assert [record.index for chunk in chunks for record in chunk.accepted] == list(range(records))
    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
    return [chunk.count for chunk in chunks]


@pytest.mark.parametrize(
    ("records", "nodes", "most", "why"),
    [
        (1000, 1, 4, "one node needs no small chunks"),
        (1001, 1, 5, "the rest"),
        (1300, 4, 20, "a node's share of what is left, at most 250"),
        (100_000, 4, 420, "only the end is cut"),
        (1, 50, 1, "nothing to share"),
        (40_000, 1000, 2_500, "held back is what memory has room for"),
    ],
)
def test_sizes(records: int, nodes: int, most: int, why: str) -> None:
    sizes = sizes_of(records, nodes)
    assert len(sizes) <= most, why
    assert max(sizes) <= CHUNK_RECORDS
    assert min(sizes[:-1], default=LEAST_CHUNK_RECORDS) >= LEAST_CHUNK_RECORDS


@pytest.mark.parametrize("nodes", [1, 2, 4, 7, 50])
@pytest.mark.parametrize("records", [1, 26, 101, 250, 251, 1000, 1300, 1500, 3333, 10_007])
def test_whichever_node_takes_the_next_one_all_end_together(records: int, nodes: int) -> None:
    """In seconds' worth of calls: each node takes the next chunk when it has sent the one before."""
    free = [0.0] * nodes
    for size in sizes_of(records, nodes):
        free[free.index(min(free))] += size / RATE
    ideal = max(1.0, records / RATE / nodes)
    assert max(free) <= ideal + LEAST_CHUNK_RECORDS / RATE


@pytest.mark.parametrize(
    ("records", "nodes", "of_ideal"), [(1300, 4, 0.95), (1000, 4, 0.95), (1000, 1, 0.98), (260, 2, 0.95)]
)
def test_the_last_call_starts_when_it_could(records: int, nodes: int, of_ideal: float) -> None:
    world = CampaignWorld(ThreadedClock())
    workers = [world.node(nodes=nodes) for _ in range(nodes)]

    def scenario() -> None:
        workers[0].take(accepted(index) for index in range(records))
        tasks = deque(world.chunk_tasks())
        begun = world.clock.monotonic()

        def work(number: int) -> None:
            while tasks:
                assert workers[number].run(tasks.popleft()) is Attempt.SENT

        world.clock.run(*(lambda number=number: work(number) for number in range(nodes)))
        starts = [start for node in workers for start in node.provider.starts("send")]
        assert len(starts) == records
        assert records / RATE / nodes / (max(starts) - begun) >= of_ideal
        assert sum(len(node.provider.calls) for node in workers) / records <= 1.05

    run_in(world.clock, scenario)


def test_what_is_held_back_is_bounded() -> None:
    held = 0

    def records() -> object:
        nonlocal held
        for index in range(60_000):
            held += 1
            yield accepted(index)

    for chunk in cut("cmp_c", records(), nodes=1000):  # type: ignore[arg-type]  # a generator
        assert held <= MAX_TAIL + CHUNK_RECORDS + 1
        held -= chunk.count
    assert ceil(held) == 0
