"""The reckoning of campaigns: each thing that may not add up, once, on paper."""

from __future__ import annotations

from typing import Any

import pytest

from .campaign_audit import Account, flaws_of, judge_campaigns
from .campaign_client import Created
from .campaign_plan import CampaignOrder, plan_campaigns
from .intents import Intent

ORDER = CampaignOrder("order", (Intent("one", "+15558000001", "1"), Intent("two", "+15558000002", "2")), resend=False)
ONE = {
    "id": "m1",
    "to": "+15558000001",
    "status": "delivered",
    "final": True,
    "providerMessageId": "SM1",
    "error": None,
}
TWO = {**ONE, "id": "m2", "to": "+15558000002", "providerMessageId": "SM2"}
DONE = {"state": "done", "total": 2, "waiting": 0, "open": 0, "counts": {"delivered": 2}}
WITNESS = [
    {"sid": "SM1", "body": "one", "statuses": ["delivered"]},
    {"sid": "SM2", "body": "two", "statuses": ["delivered"]},
]

CASES: list[tuple[str, dict[str, Any], list[dict[str, Any]], str | None]] = [
    ("all is well", DONE, [ONE, TWO], None),
    ("never done", {**DONE, "state": "running"}, [ONE, TWO], "left running"),
    ("a result is missing", DONE, [ONE], "has 1 results"),
    ("its counts are too few", {**DONE, "counts": {"delivered": 1}}, [ONE, TWO], "are not 2"),
    ("its counts are others", {**DONE, "counts": {"failed": 2}}, [ONE, TWO], "its results are"),
    ("results out of order", DONE, [TWO, ONE], "order of its records"),
]


@pytest.mark.parametrize(("why", "document", "results", "problem_text"), CASES, ids=[case[0] for case in CASES])
def test_what_does_not_add_up_is_seen(
    why: str, document: dict[str, Any], results: list[dict[str, Any]], problem_text: str | None
) -> None:
    found = list(flaws_of(Account(Created(ORDER, "cmp_1"), document, results)))
    assert bool(found) == bool(problem_text)
    assert problem_text is None or any(problem_text in each for each in found)


@pytest.mark.parametrize(
    ("results", "witness", "broken"),
    [
        ([ONE, TWO], WITNESS, None),
        ([ONE], WITNESS, "lost"),
        ([ONE, TWO], [*WITNESS, {**WITNESS[1], "sid": "SM3"}], "sent twice"),
        ([ONE, {**TWO, "final": False}], WITNESS, "left open"),
    ],
    ids=["well", "lost", "twice", "open"],
)
def test_results_are_held_against_the_witness(
    results: list[dict[str, Any]], witness: list[dict[str, Any]], broken: str | None
) -> None:
    verdict = judge_campaigns([Account(Created(ORDER, "cmp_1"), DONE, results)], witness)
    assert [what.partition(":")[0] for what, _ in verdict.violations][:1] == ([broken] if broken else [])


def test_a_plan_has_no_two_texts_alike() -> None:
    orders = plan_campaigns(500, campaigns=5, seed=3)
    texts = [intent.text for order in orders for intent in order.intents]
    assert len(set(texts)) == len(texts) == 500
    assert orders == plan_campaigns(500, campaigns=5, seed=3)
