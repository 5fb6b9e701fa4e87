"""What every ledger promises (`ports.Ledger`), whatever is behind it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from sms_connector.errors import Conflict
from sms_connector.ports import (
    MAX_DOCUMENT_BYTES,
    MAX_WRITES,
    MUST_BE_ABSENT,
    Absent,
    Condition,
    Document,
    Ledger,
    Query,
    Version,
    Write,
)
from tests.fixtures.clocks import FakeClock

NUMBER = "+15558675310"


def put(ledger: Ledger, document_id: str, collection: str = "messages", **data: Any) -> Version:
    version = ledger.commit([Write(collection, document_id, data)])[0]
    assert version is not None
    return version


def read(ledger: Ledger, document_id: str, collection: str = "messages") -> Document | None:
    return ledger.get(collection, [document_id])[0]


def ids(documents: list[Document]) -> list[str]:
    return [document.id for document in documents]


DOCUMENTS = [
    pytest.param({}, id="empty"),
    pytest.param({"person": NUMBER, "createdAt": 1.5, "status": "sent"}, id="indexed fields come back as they are"),
    pytest.param({"text": 'Grüße, 世界 \U0001f600 \u0000 " \\'}, id="any character"),
    pytest.param({"a": {"b": [1, -2.5, True, False, None, {"c": []}]}, "x.y": 1, "`": 2}, id="nested, any field name"),
    pytest.param({"big": 2**53, "small": -(2**53), "float": 1e300}, id="numbers"),
    pytest.param({"status": None, "campaign": None}, id="None in an indexed field"),
    pytest.param({"people": ["+1", "+2"], "providerMessageIds": []}, id="lists"),
    pytest.param({"nextCheckAt": 0, "expiresAt": 4_000_000_000}, id="an expiry in the future"),
    pytest.param({"records": ["x" * 1000] * 900}, id="nearly as large as a document may be"),
]


@pytest.mark.parametrize("data", DOCUMENTS)
def test_a_document_comes_back_as_it_was_written(ledger: Ledger, data: dict[str, Any]) -> None:
    version = put(ledger, "a", **data)
    assert read(ledger, "a") == Document("a", data, version)


def test_get_keeps_the_order_asked_for_and_says_none_for_the_absent(ledger: Ledger) -> None:
    versions = ledger.commit([Write("messages", name, {"n": name}) for name in "abc"])
    found = ledger.get("messages", ["c", "nobody", "a", "c"])
    assert [document and (document.id, document.version) for document in found] == [
        ("c", versions[2]),
        None,
        ("a", versions[0]),
        ("c", versions[2]),
    ]
    assert ledger.get("messages", []) == []
    assert read(ledger, "a", "notifications") is None, "collections are apart"


def test_every_write_changes_the_version_even_one_that_changes_nothing(ledger: Ledger) -> None:
    first = put(ledger, "a", n=1)
    second = put(ledger, "a", n=1)
    ledger.commit([Write("messages", "a", None)])
    third = put(ledger, "a", n=1)
    assert len({first, second, third}) == 3


# What is there before, what the write expects of it, whether that holds.
EXPECTATIONS = [
    pytest.param("absent", None, True, id="anything: absent"),
    pytest.param("present", None, True, id="anything: present"),
    pytest.param("absent", "absent", True, id="absent: absent"),
    pytest.param("present", "absent", False, id="absent: somebody was faster"),
    pytest.param("deleted", "absent", True, id="absent: was deleted"),
    pytest.param("expired", "absent", True, id="absent: has expired"),
    pytest.param("present", "version", True, id="a version: unchanged"),
    pytest.param("changed", "version", False, id="a version: changed since"),
    pytest.param("deleted", "version", False, id="a version: deleted since"),
    pytest.param("made anew", "version", False, id="a version: deleted and made anew since"),
]


def prepare(ledger: Ledger, clock: FakeClock, before: str) -> Version | None:
    """Bring messages/a into the state; the version a reader would have seen first."""
    if before == "absent":
        return None
    seen = put(ledger, "a", n=0, expiresAt=clock.now + (-1 if before == "expired" else 1000))
    if before in ("deleted", "made anew"):
        ledger.commit([Write("messages", "a", None)])
    if before in ("changed", "made anew"):
        put(ledger, "a", n=1)
    return seen


@pytest.mark.parametrize("deletes", [False, True], ids=["put", "delete"])
@pytest.mark.parametrize(("before", "expects", "holds"), EXPECTATIONS)
def test_expectations(
    ledger: Ledger, clock: FakeClock, *, before: str, expects: str | None, holds: bool, deletes: bool
) -> None:
    seen = prepare(ledger, clock, before)
    expect: Version | Absent | None = {"absent": MUST_BE_ABSENT, "version": seen, None: None}[expects]
    kept = read(ledger, "a")
    writes = [
        Write("messages", "other", {"n": 1}),
        Write("messages", "a", None if deletes else {"n": 2}, expect),
        Write("notifications", "third", {"n": 1}, MUST_BE_ABSENT),
    ]
    if holds:
        versions = ledger.commit(writes)
        assert [version is None for version in versions] == [False, deletes, False]
        assert read(ledger, "a") == (None if deletes else Document("a", {"n": 2}, versions[1] or ""))
        return
    with pytest.raises(Conflict) as conflict:
        ledger.commit(writes)
    assert (conflict.value.collection, conflict.value.document_id) == ("messages", "a")
    assert read(ledger, "a") == kept
    assert read(ledger, "other") is None, "all or nothing"
    assert read(ledger, "third", "notifications") is None, "all or nothing"


REFUSED = [
    pytest.param([Write("messages", f"m{n}", {}) for n in range(MAX_WRITES + 1)], "at most 500", id="too many writes"),
    pytest.param([Write("messages", "a", {}), Write("messages", "a", None)], "once only", id="one document twice"),
    pytest.param([Write("message", "a", {})], "no collection 'message'", id="a collection that isn't there"),
    pytest.param([Write("messages", "", {})], "can't be a document id", id="no id"),
    pytest.param(
        [Write("messages", "a/b", {})], "can't be a document id", id="an id with a slash is a path in Firestore"
    ),
    pytest.param([Write("messages", "..", {})], "can't be a document id", id="an id Firestore reserves"),
    pytest.param([Write("messages", "__a__", {})], "can't be a document id", id="another one"),
    pytest.param(
        [Write("messages", "a", {"x": "x" * MAX_DOCUMENT_BYTES})],
        f"at most {MAX_DOCUMENT_BYTES}",
        id="a document too large",
    ),
    pytest.param(
        [Write("messages", "a", {"person": ["+1"]})],
        "messages/a.person is indexed",
        id="an indexed field that can't be",
    ),
    pytest.param(
        [Write("messages", "a", {"createdAt": 2**70})], "messages/a.createdAt is indexed", id="an integer too large"
    ),
    pytest.param([Write("blocks", "a", {"people": "+1"})], "has to be a list of strings", id="a list that is none"),
    pytest.param([Write("blocks", "a", {"people": [1]})], "has to be a list of strings", id="a list of numbers"),
]


@pytest.mark.parametrize(("writes", "message"), REFUSED)
def test_what_no_store_takes_is_refused_before_anything_is_written(
    ledger: Ledger, writes: list[Write], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ledger.commit([Write("notifications", "first", {}), *writes])
    assert read(ledger, "first", "notifications") is None


def test_an_empty_commit_is_nothing(ledger: Ledger) -> None:
    assert ledger.commit([]) == []


def test_as_many_writes_as_allowed(ledger: Ledger) -> None:
    names = [f"m{n:03}" for n in range(MAX_WRITES)]
    assert len(set(ledger.commit([Write("messages", name, {"n": name}, MUST_BE_ABSENT) for name in names]))) >= 1
    assert [document and document.id for document in ledger.get("messages", names)] == names
    ledger.commit([Write("messages", name, None) for name in names])
    assert ledger.get("messages", names) == [None] * MAX_WRITES


# --- queries ----------------------------------------------------------------------------------------------------------

STORED: dict[str, dict[str, Any]] = {
    "m1": {"createdAt": 10, "person": "+1", "status": "sent", "campaign": "c"},
    "m2": {"createdAt": 20.5, "person": "+2", "status": "sent", "nextCheckAt": 7},
    "m3": {"createdAt": 30, "person": "+1", "status": "queued", "nextCheckAt": 5},
    "m4": {"createdAt": 30, "person": "+1", "status": "sent", "nextCheckAt": None},
    "m5": {"createdAt": 30, "person": "+3", "status": "failed", "nextCheckAt": 5},
    "m6": {"person": "+1", "status": "sent"},
    "gone": {"createdAt": 30, "person": "+1", "status": "sent", "nextCheckAt": 5, "expiresAt": 1},
}

QUERIES = [
    pytest.param(Query("messages"), "m1 m2 m3 m4 m5 m6", id="everything, by id"),
    pytest.param(Query("messages", limit=2), "m1 m2", id="limit"),
    pytest.param(Query("messages", limit=3, after=("", "m2")), "m3 m4 m5", id="the next page by id"),
    pytest.param(Query("messages", (("person", "==", "+1"),)), "m1 m3 m4 m6", id="equal"),
    pytest.param(Query("messages", (("person", "==", "+1"), ("status", "==", "sent"))), "m1 m4 m6", id="equal twice"),
    pytest.param(
        Query("messages", (("person", "==", "+1"),), after=("", "m3"), limit=1), "m4", id="equal, the next page"
    ),
    pytest.param(Query("messages", order_by="createdAt"), "m1 m2 m3 m4 m5", id="in order: without the field not found"),
    pytest.param(Query("messages", order_by="createdAt", descending=True), "m5 m4 m3 m2 m1", id="newest first"),
    pytest.param(
        Query("messages", order_by="createdAt", descending=True, after=(30, "m4"), limit=2), "m3 m2", id="the next page"
    ),
    pytest.param(Query("messages", order_by="createdAt", after=(20.5, "m2")), "m3 m4 m5", id="the next page upwards"),
    pytest.param(
        Query("messages", (("person", "==", "+1"),), order_by="createdAt", descending=True), "m4 m3 m1", id="composite"
    ),
    pytest.param(
        Query("messages", (("person", "==", "+1"), ("createdAt", "<=", 20)), order_by="createdAt", descending=True),
        "m1",
        id="composite with a range",
    ),
    pytest.param(
        Query("messages", (("nextCheckAt", "<=", 6),), order_by="nextCheckAt"), "m3 m5", id="due: None isn't found"
    ),
    pytest.param(
        Query("messages", (("nextCheckAt", "<=", 7),), order_by="nextCheckAt", after=(5, "m3")),
        "m5 m2",
        id="due, paged",
    ),
    pytest.param(
        Query("messages", (("createdAt", ">", 10), ("createdAt", "<", 30)), order_by="createdAt"), "m2", id="between"
    ),
    pytest.param(
        Query("messages", (("createdAt", ">=", 10), ("createdAt", "<=", 20.5)), order_by="createdAt"),
        "m1 m2",
        id="from to",
    ),
    pytest.param(Query("messages", (("campaign", "==", "nobody"),)), "", id="nothing"),
    pytest.param(Query("notifications"), "", id="another collection"),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_find(ledger: Ledger, query: Query, expected: str) -> None:
    ledger.commit([Write("messages", document_id, data) for document_id, data in STORED.items()])
    found = ledger.find(query)
    assert ids(found) == expected.split()
    assert found == ledger.get(query.collection, ids(found))


COUNTS = [
    pytest.param(Query("messages", (("person", "==", "+1"),)), 4, id="equal"),
    pytest.param(Query("messages", (("person", "==", "+1"),), limit=1, after=("", "m3")), 4, id="pages don't matter"),
    pytest.param(Query("messages", (("nextCheckAt", "<=", 6),), order_by="nextCheckAt"), 2, id="by range"),
    pytest.param(Query("messages"), 6, id="everything"),
    pytest.param(Query("notifications"), 0, id="nothing"),
]


@pytest.mark.parametrize(("query", "expected"), COUNTS)
def test_count(ledger: Ledger, query: Query, expected: int) -> None:
    ledger.commit([Write("messages", name, data) for name, data in STORED.items() if name != "gone"])
    assert ledger.count(query) == expected


def test_an_index_follows_its_document(ledger: Ledger) -> None:
    put(ledger, "a", status="queued", nextCheckAt=5)
    put(ledger, "a", status="sent")
    assert ids(ledger.find(Query("messages", (("status", "==", "sent"),)))) == ["a"]
    assert ledger.find(Query("messages", (("status", "==", "queued"),))) == []
    assert ledger.find(Query("messages", (("nextCheckAt", "<", 9),), order_by="nextCheckAt")) == []


BLOCKS: dict[str, dict[str, Any]] = {
    "b1": {"createdAt": 10, "people": ["+1", "+2", "+2"], "providerMessageIds": ["SM1"]},
    "b2": {"createdAt": 20.5, "people": ["+2"], "providerMessageIds": []},
    "b3": {"createdAt": 30, "people": ["+1", "+12"], "providerMessageIds": ["SM2", "SM3"]},
    "b4": {"createdAt": 30, "people": ["+1"]},
    "b5": {"createdAt": 40, "people": []},
    "b6": {"createdAt": 50},
    "b7": {"people": ["+1"]},
    "gone": {"createdAt": 30, "people": ["+1"], "expiresAt": 1},
}
TO_1: Condition = ("people", "contains", "+1")

CONTAINING = [
    pytest.param(Query("blocks", (TO_1,)), "b1 b3 b4 b7", id="by id"),
    pytest.param(Query("blocks", (TO_1,), limit=1, after=("", "b3")), "b4", id="the next page"),
    pytest.param(Query("blocks", (("people", "contains", "+2"),)), "b1 b2", id="twice in one list, found once"),
    pytest.param(Query("blocks", (("people", "contains", "+"),)), "", id="a whole item, not a part of one"),
    pytest.param(Query("blocks", (("providerMessageIds", "contains", "SM3"),)), "b3", id="another list"),
    pytest.param(
        Query("blocks", (TO_1,), order_by="createdAt", descending=True),
        "b4 b3 b1",
        id="newest first: with the field only",
    ),
    pytest.param(
        Query("blocks", (TO_1,), order_by="createdAt", descending=True, after=(30, "b4"), limit=1),
        "b3",
        id="newest first, the next page",
    ),
    pytest.param(
        Query(
            "blocks", (TO_1, ("createdAt", ">=", 20), ("createdAt", "<=", 30)), order_by="createdAt", descending=True
        ),
        "b4 b3",
        id="in a range of time",
    ),
]


@pytest.mark.parametrize(("query", "expected"), CONTAINING)
def test_find_by_what_a_list_contains(ledger: Ledger, query: Query, expected: str) -> None:
    ledger.commit([Write("blocks", document_id, data) for document_id, data in BLOCKS.items()])
    assert ids(ledger.find(query)) == expected.split()


def test_an_index_of_a_list_follows_its_document(ledger: Ledger) -> None:
    first, second = (Query("blocks", (("people", "contains", person),)) for person in ("+1", "+2"))
    put(ledger, "a", "blocks", people=["+1", "+2"], createdAt=1)
    assert [ids(ledger.find(query)) for query in (first, second)] == [["a"], ["a"]]
    put(ledger, "a", "blocks", people=["+2"], createdAt=2)
    assert [ids(ledger.find(query)) for query in (first, second)] == [[], ["a"]]
    assert ledger.count(second) == 1
    put(ledger, "a", "blocks", createdAt=2)
    assert ledger.find(second) == []
    put(ledger, "a", "blocks", people=["+2"])
    ledger.commit([Write("blocks", "a", None)])
    assert ledger.find(second) == []


BAD_QUERIES = [
    pytest.param(
        {"where": (("person", "contains", "+1"),)}, "can't be asked for with contains", id="contains of what is no list"
    ),
    pytest.param(
        {"collection": "blocks", "where": (("people", "==", "+1"),)},
        "can't be asked for with ==",
        id="a list is no value",
    ),
    pytest.param({"collection": "blocks", "order_by": "people"}, "it orders nothing", id="a list orders nothing"),
    pytest.param(
        {"collection": "blocks", "where": (("people", "contains", "+1"), ("providerMessageIds", "contains", "SM1"))},
        "may have one 'contains'",
        id="Firestore takes one array-contains",
    ),
    pytest.param(
        {"collection": "blocks", "where": (("people", "contains", "+1"),), "order_by": "createdAt"},
        "no composite index",
        id="a list without its composite index",
    ),
    pytest.param({"collection": "message"}, "no collection 'message'", id="collection"),
    pytest.param({"where": (("text", "==", "x"),)}, "isn't indexed by text; it is by createdAt", id="not indexed"),
    pytest.param({"order_by": "text"}, "isn't indexed by text", id="order not indexed"),
    pytest.param({"where": (("createdAt", "<", 5),)}, "order_by has to name", id="a range without its order"),
    pytest.param(
        {"where": (("createdAt", "<", 5),), "order_by": "person"}, "order_by has to name", id="range and order differ"
    ),
    pytest.param({"descending": True}, "descending needs an order_by", id="descending what"),
    pytest.param(
        {"where": (("person", "==", "+1"),), "order_by": "nextCheckAt"},
        "no composite index",
        id="no such composite index",
    ),
    pytest.param(
        {"where": (("person", "==", "+1"),), "order_by": "createdAt"},
        "no composite index",
        id="only in the other direction",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_QUERIES)
def test_a_query_that_firestore_would_refuse_can_not_be_written(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Query(**{"collection": "messages", **arguments})


# --- expiry -----------------------------------------------------------------------------------------------------------


def test_an_expired_document_is_absent(ledger: Ledger, clock: FakeClock) -> None:
    put(ledger, "a", expiresAt=clock.now + 10, person="+1")
    assert read(ledger, "a")
    clock.now += 11
    assert read(ledger, "a") is None
    assert ledger.find(Query("messages", (("person", "==", "+1"),))) == []
    ledger.commit([Write("messages", "a", {"n": 2}, MUST_BE_ABSENT)])
    assert read(ledger, "a")


def test_a_page_is_full_although_some_have_expired(ledger: Ledger, clock: FakeClock) -> None:
    """Fewer than the limit means there are no more: callers stop paging at it."""
    for n in range(12):
        put(ledger, f"m{n:02}", createdAt=n, expiresAt=clock.now + (10 if n % 3 else -10))
    assert len(ledger.find(Query("messages", order_by="createdAt", limit=5))) == 5
    assert len(ledger.find(Query("messages", order_by="createdAt", limit=20))) == 8


# --- many at once -----------------------------------------------------------------------------------------------------


def in_threads(number: int, work: Any) -> None:
    threads = [threading.Thread(target=work, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_of_many_that_create_one_document_exactly_one_wins(ledger: Ledger) -> None:
    winners = []

    def create(n: int) -> None:
        try:
            ledger.commit([Write("idempotencyKeys", "key", {"by": n}, MUST_BE_ABSENT)])
            winners.append(n)
        except Conflict:
            pass

    in_threads(8, create)
    document = read(ledger, "key", "idempotencyKeys")
    assert document
    assert winners == [document.data["by"]]


def test_no_increment_is_lost_between_threads(ledger: Ledger) -> None:
    put(ledger, "counter", "state", n=0)

    def increment(_: int) -> None:
        done = 0
        while done < 5:
            document = read(ledger, "counter", "state")
            assert document
            try:
                ledger.commit([Write("state", "counter", {"n": document.data["n"] + 1}, document.version)])
                done += 1
            except Conflict:
                continue

    in_threads(4, increment)
    document = read(ledger, "counter", "state")
    assert document
    assert document.data == {"n": 20}
