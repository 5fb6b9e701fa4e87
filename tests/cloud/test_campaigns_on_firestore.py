"""Campaigns over the Firestore adapter: the same tests as on the other stores, against Google's emulator."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import cast

import pytest

from sms_connector.cloud.ledger import FirestoreLedger
from sms_connector.rate_limit.connection_rate import FIRESTORE_TIMING
from tests.campaigns.test_campaign_intake import (
    test_a_body_that_breaks_leaves_nothing,
    test_the_same_nonce_is_the_same_campaign,
)
from tests.campaigns.test_chunk_worker import (
    test_a_message_is_found_by_the_providers_id,
    test_a_worker_that_is_gone_is_taken_over_from_when_its_lease_has_ended,
    test_every_record_is_sent_once,
    test_it_stops_within_seconds_and_loses_nothing,
    test_two_workers_on_one_chunk,
    test_what_somebody_has_to_mend_pauses_the_campaign,
)
from tests.fixtures.campaign_world import CampaignWorld
from tests.fixtures.fake_clock import ThreadedClock
from tests.maintenance.test_campaign_maintenance import (
    HOUR,
    REPORTS,
    count_reports_of_an_unknown_message,
    test_a_callback_settles_an_unknown_outcome,
    test_attempts_are_used_up_and_the_campaign_is_done,
    test_news_is_folded_in_without_asking_the_provider,
    test_news_told_twice_or_late_counts_once,
    test_whatever_is_open_is_asked_for_in_batches,
)
from tests.rate_limit.test_connection_rate import OneDocument, Simulation, most_in_a_window

__all__ = [
    "test_a_body_that_breaks_leaves_nothing",
    "test_a_callback_settles_an_unknown_outcome",
    "test_a_message_is_found_by_the_providers_id",
    "test_a_worker_that_is_gone_is_taken_over_from_when_its_lease_has_ended",
    "test_attempts_are_used_up_and_the_campaign_is_done",
    "test_every_record_is_sent_once",
    "test_it_stops_within_seconds_and_loses_nothing",
    "test_news_is_folded_in_without_asking_the_provider",
    "test_news_told_twice_or_late_counts_once",
    "test_the_same_nonce_is_the_same_campaign",
    "test_two_workers_on_one_chunk",
    "test_what_somebody_has_to_mend_pauses_the_campaign",
    "test_whatever_is_open_is_asked_for_in_batches",
]
pytestmark = pytest.mark.real


@pytest.fixture
def clock() -> ThreadedClock:
    return ThreadedClock()


@pytest.fixture
def world(clock: ThreadedClock, firestore_emulator: str) -> Iterator[CampaignWorld]:
    environ = {"FIRESTORE_EMULATOR_HOST": firestore_emulator}
    ledger = FirestoreLedger.connect(f"test-{uuid.uuid4().hex[:12]}", "sms", clock=clock, environ=environ)
    made = CampaignWorld(clock)
    made.ledger = ledger
    yield made
    ledger.close()


@pytest.mark.parametrize(
    ("records", "late", "reports"),
    [
        pytest.param(1, 40 * HOUR, "the final word", id="its chunk is in the sums"),
        pytest.param(3, 60.0, "two final words: the first one stays", id="its chunk is open"),
        pytest.param(3, 30 * 60.0, "no final word: it is open again", id="it is open again"),
    ],
)
def test_a_report_of_what_ended_as_unknown_counts_exactly_once(
    world: CampaignWorld, records: int, late: float, reports: str
) -> None:
    """Three cells of the table that the other stores run: each is some five hundred queries here."""
    count_reports_of_an_unknown_message(world, records, late, *REPORTS[reports])


def test_the_connections_rate_holds_while_nodes_die_and_join(clock: ThreadedClock, firestore_emulator: str) -> None:
    environ = {"FIRESTORE_EMULATOR_HOST": firestore_emulator}
    ledger = FirestoreLedger.connect(f"test-{uuid.uuid4().hex[:12]}", "sms", clock=clock, environ=environ)
    simulation = Simulation(40, timing=FIRESTORE_TIMING)
    simulation.ledger = cast(OneDocument, ledger)
    try:
        for _ in range(4):
            simulation.join()
        simulation.run(20.0)
        settled = simulation.world.now - 8.0
        assert simulation.rate_since(settled) == pytest.approx(40.0, abs=1.0)
        simulation.kill(simulation.nodes[0])
        simulation.run(10.0)
        simulation.join(offset=3.0)
        simulation.run(30.0)
        assert most_in_a_window(simulation.starts()) <= 40
        assert simulation.rate_since(simulation.world.now - 8.0) == pytest.approx(40.0, abs=1.0)
    finally:
        ledger.close()
