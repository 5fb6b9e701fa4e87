"""docs/restoring.md, tried on the emulator: what an export brings back, and what a restored ledger no longer knows.

The emulator's REST calls stand for `gcloud firestore export` and `import`: both write and read the same format.
"""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sms_connector.cloud.ledger import FirestoreLedger
from sms_connector.local.clock import SystemClock
from sms_connector.ports import MUST_BE_ABSENT, Query, Write

pytestmark = pytest.mark.real

DATABASE = "sms-ledger"
HELD = [
    Write("optOuts", "a", {"to": "+15558675310", "createdAt": 1.0, "reason": "STOP"}),
    Write("inboundMessages", "b", {"from": "+15558675310", "createdAt": 2.0, "text": "Stop"}),
    Write("campaigns", "c", {"state": "running", "createdAt": 3.0, "expiresAt": 4_000_000_000}),
    Write(
        "messages", "d", {"createdAt": 4.0, "text": "Grüße 👋", "parts": ["x" * 5_000]}
    ),  # long enough to be compressed
]


@pytest.fixture
def project() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def ledger(firestore_emulator: str, project: str) -> Iterator[FirestoreLedger]:
    environ = {"FIRESTORE_EMULATOR_HOST": firestore_emulator}
    connected = FirestoreLedger.connect(project, DATABASE, clock=SystemClock(), environ=environ)
    yield connected
    connected.close()


class Backups:
    """Export, loss and import of the database."""

    def __init__(self, emulator: str, project: str, folder: Path) -> None:
        self._base = f"http://{emulator}/emulator/v1/projects/{project}"
        self._database = f"projects/{project}/databases/{DATABASE}"
        self._folder = folder

    def export(self) -> None:
        self._call("POST", ":export", {"export_directory": str(self._folder), "export_name": "backup"})

    def lose(self) -> None:
        self._call("DELETE", f"/databases/{DATABASE}/documents")

    def restore(self) -> None:
        metadata = self._folder / "backup" / "backup.overall_export_metadata"
        self._call("POST", ":import", {"export_directory": str(metadata)})

    def _call(self, method: str, path: str, body: dict[str, str] | None = None) -> None:
        data = json.dumps({"database": self._database, **body}).encode() if body else None
        headers = {"Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(self._base + path, data, headers, method=method)).close()


@pytest.fixture
def backups(firestore_emulator: str, project: str, tmp_path: Path) -> Backups:
    return Backups(firestore_emulator, project, tmp_path)


def held(ledger: FirestoreLedger) -> list[object]:
    found = [ledger.get(write.collection, [write.id])[0] for write in HELD]
    return [document and document.data for document in found]


def test_every_document_comes_back_as_it_was(ledger: FirestoreLedger, backups: Backups) -> None:
    ledger.commit(HELD)
    backups.export()
    backups.lose()
    assert held(ledger) == [None] * len(HELD)
    backups.restore()
    assert held(ledger) == [write.data for write in HELD]


def test_restored_documents_are_found_and_changed_as_before(ledger: FirestoreLedger, backups: Backups) -> None:
    """Queries, versions and the rule that a creation meets what is there."""
    ledger.commit(HELD)
    backups.export()
    backups.lose()
    backups.restore()
    (campaign,) = ledger.find(
        Query("campaigns", where=(("state", "==", "running"),), order_by="createdAt", descending=True)
    )
    ledger.commit([Write("campaigns", campaign.id, {**campaign.data, "state": "canceled"}, campaign.version)])
    assert ledger.count(Query("campaigns", where=(("state", "==", "running"),))) == 0
    with pytest.raises(Exception, match="optOuts"):
        ledger.commit([Write("optOuts", "a", {"to": "+1"}, MUST_BE_ABSENT)])


def test_what_is_newer_than_the_backup_is_lost(ledger: FirestoreLedger, backups: Backups) -> None:
    """So opt-outs are read before, and open campaigns are canceled: their ledger doesn't know what was sent since."""
    ledger.commit(HELD)
    backups.export()
    ledger.commit([Write("optOuts", "later", {"to": "+15558675311", "createdAt": 5.0})])
    backups.lose()
    backups.restore()
    assert ledger.get("optOuts", ["later"]) == [None]


def test_an_import_over_what_is_there_overwrites_and_deletes_nothing(ledger: FirestoreLedger, backups: Backups) -> None:
    ledger.commit(HELD)
    backups.export()
    ledger.commit([Write("optOuts", "a", {"to": "changed"}), Write("optOuts", "later", {"to": "+15558675311"})])
    backups.restore()
    assert held(ledger)[0] == HELD[0].data
    (later,) = ledger.get("optOuts", ["later"])
    assert later is not None
