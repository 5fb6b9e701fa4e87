"""What is the Firestore ledger's own: answers that are lost, contention, what a document looks like in there."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.types import BatchGetDocumentsRequest
from google.cloud.firestore_v1.types import Document as Stored

from sms_connector.cloud.firestore_documents import GZIP_BYTES
from sms_connector.cloud.ledger import PAUSES, FirestoreLedger
from sms_connector.errors import Conflict, LedgerUnavailable
from sms_connector.ports import MUST_BE_ABSENT, Document, Query, Write
from tests.fixtures.clocks import FakeClock

pytestmark = pytest.mark.real

START = 1_800_000_000.0


class Unreliable:
    """A Firestore client whose next calls go wrong as told: `lost` is carried out, `refused` isn't."""

    def __init__(self, client: FirestoreClient) -> None:
        self.client = client
        self.faults: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            fault = self.faults.pop(0) if self.faults else "none"
            if fault == "aborted":
                raise exceptions.Aborted("too much contention on these documents")  # type: ignore[no-untyped-call]
            if fault == "refused":
                raise exceptions.ServiceUnavailable("connection refused")  # type: ignore[no-untyped-call]
            answer = getattr(self.client, name)(*arguments, **named)
            if fault == "lost":
                self.meanwhile()
                raise exceptions.DeadlineExceeded("no answer in time")  # type: ignore[no-untyped-call]
            return answer

        return call


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def reliable(firestore_emulator: str, clock: FakeClock) -> Iterator[FirestoreLedger]:
    environ = {"FIRESTORE_EMULATOR_HOST": firestore_emulator}
    ledger = FirestoreLedger.connect(f"test-{uuid.uuid4().hex[:12]}", "sms", clock=clock, environ=environ)
    yield ledger
    ledger.close()


@pytest.fixture
def wire(reliable: FirestoreLedger) -> Unreliable:
    return Unreliable(reliable._client)


@pytest.fixture
def ledger(reliable: FirestoreLedger, wire: Unreliable, clock: FakeClock) -> FirestoreLedger:
    """The same database, by way of a wire that can fail."""
    client: Any = wire
    return FirestoreLedger(lambda: client, reliable._database, clock=clock)


def read(ledger: FirestoreLedger, document_id: str = "a") -> Document | None:
    return ledger.get("messages", [document_id])[0]


SHAPES = [
    pytest.param(lambda seen: [Write("messages", "a", {"n": 2}, MUST_BE_ABSENT)], id="a creation"),
    pytest.param(lambda seen: [Write("messages", "there", {"n": 2}, seen)], id="a change"),
    pytest.param(lambda seen: [Write("messages", "a", {"n": 2})], id="whatever is there"),
    pytest.param(
        lambda seen: [Write("messages", "there", None, seen), Write("messages", "a", {"n": 2}, MUST_BE_ABSENT)],
        id="a deletion beside a creation",
    ),
]


@pytest.mark.parametrize(
    "faults", [["lost"], ["refused"], ["aborted"], ["refused", "lost", "aborted"], ["aborted"] * 4]
)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_commit_gets_through_once_whatever_happens_to_its_answers(
    ledger: FirestoreLedger, wire: Unreliable, shape: Callable[[object], list[Write]], faults: list[str]
) -> None:
    seen = ledger.commit([Write("messages", "there", {"n": 1})])[0]
    writes = shape(seen)
    wire.faults = list(faults)
    versions = ledger.commit(writes)
    assert [
        document and document.version for document in ledger.get("messages", [write.id for write in writes])
    ] == versions
    assert [document and document.data["n"] for document in ledger.get("messages", [write.id for write in writes])] == [
        None if write.data is None else 2 for write in writes
    ]
    written = next(version for version in versions if version)
    target = next(write.id for write in writes if write.data)
    assert ledger.commit([Write("messages", target, {"n": 3}, written)]), (
        "the version returned is the one to go on from"
    )


def test_a_race_lost_for_certain_is_a_conflict(
    ledger: FirestoreLedger, wire: Unreliable, reliable: FirestoreLedger
) -> None:
    reliable.commit([Write("messages", "a", {"by": "another"})])
    wire.faults = ["aborted"]
    with pytest.raises(Conflict):
        ledger.commit([Write("messages", "b", {}, MUST_BE_ABSENT), Write("messages", "a", {}, MUST_BE_ABSENT)])
    assert read(ledger, "b") is None


def test_nobody_can_tell_once_another_has_written_over_it(
    ledger: FirestoreLedger, wire: Unreliable, reliable: FirestoreLedger
) -> None:
    """It was written, and the answer lost; then another changed it. A Conflict would say that it was never written."""
    wire.faults = ["lost"]
    wire.meanwhile = lambda: reliable.commit([Write("messages", "a", {"by": "another"})])
    with pytest.raises(LedgerUnavailable):
        ledger.commit([Write("messages", "a", {"by": "us"}, MUST_BE_ABSENT)])


def test_a_document_of_the_commit_that_nobody_changed_tells_that_it_went_through(
    ledger: FirestoreLedger, wire: Unreliable, reliable: FirestoreLedger
) -> None:
    wire.faults = ["lost"]
    wire.meanwhile = lambda: reliable.commit([Write("messages", "a", {"by": "another"})])
    versions = ledger.commit([Write("messages", name, {"by": "us"}, MUST_BE_ABSENT) for name in "ab"])
    document = read(ledger, "b")
    assert document
    assert versions == [document.version, document.version]
    with pytest.raises(Conflict):
        ledger.commit([Write("messages", "a", {}, versions[0])])


def test_a_deletion_leaves_no_trace_to_tell_by(ledger: FirestoreLedger, wire: Unreliable) -> None:
    version = ledger.commit([Write("messages", "a", {})])[0]
    wire.faults = ["lost"]
    with pytest.raises(LedgerUnavailable):
        ledger.commit([Write("messages", "a", None, version)])


def test_contention_that_does_not_end_is_raised_after_all_pauses(
    ledger: FirestoreLedger, wire: Unreliable, clock: FakeClock
) -> None:
    wire.faults = ["aborted"] * 20
    with pytest.raises(LedgerUnavailable):
        ledger.commit([Write("messages", "a", {})])
    assert wire.calls == len(PAUSES) + 1
    assert clock.now == pytest.approx(START + sum(PAUSES))


def test_reads_are_repeated(ledger: FirestoreLedger, wire: Unreliable) -> None:
    ledger.commit([Write("messages", "a", {"person": "+1"})])
    wire.faults = ["refused"]
    assert read(ledger)
    wire.faults = ["lost"]
    assert len(ledger.find(Query("messages", (("person", "==", "+1"),)))) == 1
    wire.faults = ["aborted"]
    assert ledger.count(Query("messages")) == 1


# --- what is stored ---------------------------------------------------------------------------------------------------


def stored(ledger: FirestoreLedger) -> Any:
    name = f"{ledger._database}/documents/messages/a"
    request = BatchGetDocumentsRequest(database=ledger._database, documents=[name])
    return Stored.pb(next(iter(ledger._client.batch_get_documents(request))).found).fields


def test_indexed_fields_stand_beside_the_data(reliable: FirestoreLedger) -> None:
    data = {"person": "+1", "createdAt": 1.5, "status": None, "text": "hidden", "expiresAt": START + 0.25}
    reliable.commit([Write("messages", "a", data)])
    fields = stored(reliable)
    assert sorted(fields) == ["createdAt", "document", "expiresAt", "person"]
    assert (fields["person"].string_value, fields["createdAt"].double_value) == ("+1", 1.5)
    assert fields["expiresAt"].timestamp_value.ToMicroseconds() == (START + 0.25) * 1_000_000
    assert b"hidden" in fields["document"].map_value.fields["data"].bytes_value


def test_long_data_is_stored_compressed(reliable: FirestoreLedger) -> None:
    reliable.commit([Write("messages", "a", {"text": "x" * GZIP_BYTES})])
    data = stored(reliable)["document"].map_value.fields["data"].bytes_value
    assert len(data) < 200
    assert gzip.decompress(data) == b'{"text":"%s"}' % (b"x" * GZIP_BYTES)
    document = read(reliable)
    assert document
    assert document.data == {"text": "x" * GZIP_BYTES}
