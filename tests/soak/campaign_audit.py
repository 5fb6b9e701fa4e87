"""The reckoning of campaigns: their results against the simulator's list, and their own counts against their results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .audit import Verdict, judge
from .campaign_client import Created
from .traffic import Report

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Account:
    """A campaign at its end: as it was ordered, as it says of itself, and its results."""

    created: Created
    document: Json
    results: Sequence[Json]


def judge_campaigns(accounts: Sequence[Account], witness: Sequence[Json], *, may_stay_unknown: bool = False) -> Verdict:
    reports: list[Report] = []
    for account in accounts:
        request = account.created.order.as_request
        ids = [result["id"] for result in account.results]
        padded = [*ids, *[None] * (len(request.intents) - len(ids))]
        reports += [Report(intent, request, id_) for intent, id_ in zip(request.intents, padded, strict=False)]
    messages = {result["id"]: result for account in accounts for result in account.results if result["id"]}
    return judge(reports, messages, witness, may_stay_unknown=may_stay_unknown)


def flaws_of(account: Account) -> Iterator[str]:
    """What does not add up."""
    document, wanted = account.document, len(account.created.order.intents)
    name = f"{account.created.order.key} ({account.created.id})"
    if document["state"] != "done":
        yield f"{name}: left {document['state']}: waiting {document.get('waiting')}, open {document.get('open')}"
    if document["total"] != wanted or len(account.results) != wanted:
        yield f"{name}: {wanted} records wanted, it says {document['total']}, and has {len(account.results)} results"
    if sum(document["counts"].values()) + document["waiting"] != wanted:
        yield f"{name}: {document['counts']} and {document['waiting']} waiting are not {wanted}"
    counted = Counter(str(result["status"]) for result in account.results)
    if not document["waiting"] and counted != Counter(document["counts"]):
        yield f"{name}: it counts {document['counts']}, its results are {dict(counted)}"
    if [result["to"] for result in account.results] != [intent.to for intent in account.created.order.intents]:
        yield f"{name}: its results are not in the order of its records"
