"""The simulator's list against what the connector says: nothing lost, nothing twice, nothing said that is not so.

Messages of one text are one case: a twin can't be told from its brother, by the provider neither.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .intents import OPTED_OUT
from .traffic import Report

Document = Mapping[str, Any]
# Failed on the way: the provider had it.
TAKEN = frozenset(("delivered", "undelivered", "failed", "sent", "sending", "queued", "accepted", "canceled", "read"))


@dataclass(slots=True)
class Case:
    """All that is known of one text: who wanted it, what was reported, what the provider has."""

    text: str
    reports: list[Report] = field(default_factory=list)
    messages: list[Document] = field(default_factory=list)
    witness: list[Document] = field(default_factory=list)

    @property
    def at_least_once(self) -> bool:
        return any(report.request.resend for report in self.reports)

    def count(self, status: str) -> int:
        return sum(message["status"] == status for message in self.messages)

    @property
    def unresolved(self) -> int:
        """Messages the provider has and the connector knows nothing better of than `unknown`."""
        adopted = {message["providerMessageId"] for message in self.messages}
        return min(sum(document["sid"] not in adopted for document in self.witness), self.count("unknown"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`violations`: what was promised and not kept. `unresolved`: unknown to the end, though the provider has it; allowed, and worth
    a look. `counts`: for the table."""

    violations: list[tuple[str, Case]]
    unresolved: list[Case]
    counts: Counter[str]


def judge(
    reports: Sequence[Report],
    messages: Mapping[str, Document],
    witness: Iterable[Document],
    *,
    may_stay_unknown: bool = False,
) -> Verdict:
    """`witness` as `witness.read_witness` gives it. `may_stay_unknown`: the provider has neither a list nor repeats."""
    cases: dict[str, Case] = {}
    for report in reports:
        case = cases.setdefault(report.intent.text, Case(report.intent.text))
        case.reports.append(report)
        if report.id is not None and report.id in messages:
            case.messages.append(messages[report.id])
    for document in witness:
        cases.setdefault(document["body"], Case(document["body"])).witness.append(document)
    violations = [(what, case) for case in cases.values() for what in _violations(case, may_stay_unknown)]
    unresolved = [case for case in cases.values() if case.unresolved and len(case.reports) == 1]
    return Verdict(violations, unresolved, _count(cases.values()))


def _violations(case: Case, may_stay_unknown: bool) -> Iterator[str]:
    wanted, had = len(case.reports), len(case.witness)
    if not case.reports:
        yield "invented: the provider has a message that nobody wanted"
        return
    if len(case.messages) < wanted or len({message["id"] for message in case.messages}) < wanted:
        yield f"lost: {wanted} wanted, {len(case.messages)} known to the connector"
    if had > wanted and not case.at_least_once:
        yield f"sent twice: {wanted} wanted, the provider has {had}"
    yield from _wrong_words(case)
    # An intent that was written ahead when its node died can't be settled by a repeat where the recipient has opted out.
    if may_stay_unknown or all(report.intent.to == OPTED_OUT for report in case.reports):
        pass
    elif wanted == 1 and case.count("unknown") and case.at_least_once:
        yield "unresolved: unknown, and to be sent at least once"
    elif wanted == 1 and case.count("unknown") and not had:
        yield "unresolved: unknown, and the provider's list does not have it"
    if had > wanted - case.count("error") and not case.at_least_once:
        yield "wrong: reported as an error, and the provider has it"
    if had and case.at_least_once and case.count("error") == wanted:
        yield "wrong: reported as an error, and the provider has it (at least once)"


def _wrong_words(case: Case) -> Iterator[str]:
    known = {document["sid"]: document for document in case.witness}
    claimed = [message["providerMessageId"] for message in case.messages if message["providerMessageId"]]
    if len(set(claimed)) < len(claimed):
        yield "wrong: two messages with one provider id"
    for message in case.messages:
        theirs = known.get(message["providerMessageId"])
        if not message["final"]:
            yield f"left open: {message['status']}"
        elif theirs is None and message["status"] == "failed" and message["providerMessageId"] == message["id"]:
            pass  # refused, and its answer lost: a report or a look-up under our id tells it
        elif message["status"] in TAKEN and (theirs is None or message["status"] not in theirs["statuses"]):
            yield f"wrong: reported {message['status']}, the provider has {theirs and theirs['statuses']}"
        elif (
            message["status"] == "error"
            and message["error"]["kind"] == "NOT_SENT"
            and message["error"]["retry"] != "safe"
        ):
            yield f"wrong: not sent, and not safe to send: {message['error']['retry']}"
        elif message["status"] == "unknown" and not (message["error"] or {}).get("evidence"):
            yield "unknown without evidence"


def _count(cases: Iterable[Case]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for case in cases:
        counts.update(f"status {message['status']}" for message in case.messages)
        alone = "" if len(case.reports) == 1 else " (twins)"
        counts[f"unknown, and the provider has it{alone}"] += case.unresolved
        counts["found by the provider's list"] += sum(_was_reconciled(message) for message in case.messages)
        counts["sent again on request (at least once)"] += max(0, len(case.witness) - len(case.reports))
    return counts


def _was_reconciled(message: Document) -> bool:
    return any(entry["source"] == "reconcile" for entry in message.get("history", ()))


def by_status(counts: Counter[str]) -> dict[str, int]:
    grouped: defaultdict[str, int] = defaultdict(int)
    for name, number in sorted(counts.items()):
        if name.startswith("status "):
            grouped[name.removeprefix("status ")] = number
    return dict(grouped)
