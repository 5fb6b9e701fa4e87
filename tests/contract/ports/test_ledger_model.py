"""Any sequence of operations on a ledger is what it would be on a dictionary."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from sms_connector.errors import Conflict
from sms_connector.ports import (
    COMPOSITE_INDEXES,
    MUST_BE_ABSENT,
    Absent,
    Document,
    Ledger,
    Operator,
    Query,
    Version,
    Write,
)
from tests.contract.ports.conftest import ANY_LEDGER
from tests.fixtures.clocks import FakeClock

Key = tuple[str, str]
COMPARE: dict[Operator, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "contains": operator.contains,
}

ids = st.sampled_from(["a", "b", "c", "d"])
numbers = st.integers(0, 4) | st.sampled_from([0.5, 2.5])
words = st.sampled_from(["", "sent", "queued", "ü"])
documents = st.fixed_dictionaries(
    {"n": st.integers()},
    optional={
        "createdAt": st.none() | numbers,
        "nextCheckAt": numbers,
        "person": words,
        "status": words,
        "expiresAt": st.integers(1_800_000_000, 1_800_000_040),
    },
)
expectations = st.sampled_from(["anything", "absent", "current", "stale"])
changes = st.dictionaries(ids, st.tuples(st.none() | documents, expectations), min_size=1, max_size=3)
orders = st.sampled_from([None, "createdAt", "nextCheckAt"])
ranges = st.lists(st.tuples(st.sampled_from(["<", "<=", ">", ">="]), numbers), max_size=2)
equals = st.dictionaries(st.sampled_from(["person", "status"]), words)


class LedgerModel(RuleBasedStateMachine):
    """The ledger beside a dictionary. Time moves only when told, so that expiry is exact."""

    def __init__(self, ledger: Ledger, clock: FakeClock) -> None:
        super().__init__()
        self.ledger = ledger
        self.clock = clock
        self.kept: dict[str, Document] = {}
        self.seen: dict[str, list[Version]] = {}

    @initialize()
    def begin(self) -> None:
        self.clock.now = 1_800_000_000.0
        self.ledger.commit([Write("messages", name, None) for name in ("a", "b", "c", "d")])

    def alive(self, name: str) -> Document | None:
        document = self.kept.get(name)
        return document if document and document.data.get("expiresAt", self.clock.now + 1) > self.clock.now else None

    @rule(changes=changes)
    def commit(self, changes: dict[str, tuple[dict[str, Any] | None, str]]) -> None:
        writes = [Write("messages", name, data, self.expected(name, kind)) for name, (data, kind) in changes.items()]
        broken = {name for name, (_, kind) in changes.items() if not self.holds(name, kind)}
        if broken:
            with pytest.raises(Conflict) as conflict:
                self.ledger.commit(writes)
            assert conflict.value.document_id in broken
            return
        for write, version in zip(writes, self.ledger.commit(writes), strict=True):
            assert (version is None) == (write.data is None)
            self.keep(write, version)

    def keep(self, write: Write, version: Version | None) -> None:
        if write.data is None or version is None:
            self.kept.pop(write.id, None)
            return
        assert version not in self.seen.setdefault(write.id, [])
        self.seen[write.id].append(version)
        self.kept[write.id] = Document(write.id, write.data, version)

    def expected(self, name: str, kind: str) -> Version | Absent | None:
        alive = self.alive(name)
        if kind == "current" and alive:
            return alive.version
        if kind == "stale" and (stale := self.stale(name)):
            return stale
        return None if kind == "anything" else MUST_BE_ABSENT

    def stale(self, name: str) -> Version | None:
        current = self.kept.get(name)
        return next((version for version in self.seen.get(name, []) if not current or version != current.version), None)

    def holds(self, name: str, kind: str) -> bool:
        expected, alive = self.expected(name, kind), self.alive(name)
        if expected is None:
            return True
        return alive is None if expected is MUST_BE_ABSENT else bool(alive and alive.version == expected)

    @rule(names=st.lists(ids, max_size=5))
    def get(self, names: list[str]) -> None:
        assert self.ledger.get("messages", names) == [self.alive(name) for name in names]

    @rule(
        equal=equals,
        bounds=ranges,
        order=orders,
        descending=st.booleans(),
        limit=st.integers(1, 5),
        paged=st.booleans(),
    )
    def find(
        self,
        equal: dict[str, str],
        bounds: list[tuple[Operator, float]],
        order: str | None,
        descending: bool,
        limit: int,
        paged: bool,
    ) -> None:
        descending = descending and order is not None
        if equal and order and ("messages", tuple(sorted(equal)), order, descending) not in COMPOSITE_INDEXES:
            equal = {}
        where: list[tuple[str, Operator, Any]] = [(field, "==", word) for field, word in equal.items()]
        where += [(order, sign, bound) for sign, bound in bounds] if order else []
        expected = self.matching(where, order, descending)
        query = Query("messages", tuple(where), order, descending, limit)
        found = self.ledger.find(query)
        assert found == expected[:limit]
        if paged and found:
            last = found[-1]
            after = (last.data[order] if order else "", last.id)
            assert (
                self.ledger.find(Query("messages", tuple(where), order, descending, limit, after))
                == expected[limit:][:limit]
            )

    def matching(self, where: list[tuple[str, Operator, Any]], order: str | None, descending: bool) -> list[Document]:
        alive = [document for name in self.kept if (document := self.alive(name))]
        matching = [
            document
            for document in alive
            if all(
                document.data.get(field) is not None and COMPARE[sign](document.data[field], value)
                for field, sign, value in where
            )
            and (order is None or document.data.get(order) is not None)
        ]
        return sorted(
            matching, key=lambda document: (document.data[order] if order else 0, document.id), reverse=descending
        )

    @precondition(lambda self: all(self.alive(name) for name in self.kept))
    @rule(equal=equals)
    def count(self, equal: dict[str, str]) -> None:
        """Exact as long as nothing has expired that may not be deleted yet."""
        where: list[tuple[str, Operator, Any]] = [(field, "==", word) for field, word in equal.items()]
        assert self.ledger.count(Query("messages", tuple(where))) == len(self.matching(where, None, False))

    @rule(seconds=st.integers(1, 10))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds


EXAMPLES = {"sqlite": (60, 25), "firestore": (12, 15)}


@pytest.mark.parametrize("adapter", ANY_LEDGER)
def test_a_ledger_is_a_dictionary(request: pytest.FixtureRequest, clock: FakeClock, adapter: str) -> None:
    ledger: Ledger = request.getfixturevalue(f"{adapter}_ledger")
    examples, steps = EXAMPLES[adapter]
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    make: Any = lambda: LedgerModel(ledger, clock)  # noqa: E731 # typed as a class, taken as anything that makes one
    run_state_machine_as_test(make, settings=profile)
