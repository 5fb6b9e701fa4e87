"""Firestore routes by a header that its emulator doesn't ask for: the front of deployed functions asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

from sms_connector.cloud.ledger import FirestoreLedger
from sms_connector.ports import MUST_BE_ABSENT, Query, Write
from tests.fixtures.clocks import FakeClock
from tests.fixtures.firestore_front import HEADER, fronting

pytestmark = pytest.mark.real

PROJECT = "front-of-firestore"
DATABASE = f"projects/{PROJECT}/databases/sms"


@pytest.fixture
def front(firestore_emulator: str) -> Iterator[str]:
    with fronting(firestore_emulator) as address:
        yield address


def test_every_call_of_the_ledger_names_its_database(front: str) -> None:
    ledger = FirestoreLedger.connect(PROJECT, "sms", clock=FakeClock(), environ={"FIRESTORE_EMULATOR_HOST": front})
    ledger.commit([Write("messages", "a", {"n": 1}, MUST_BE_ABSENT)])
    [document] = ledger.get("messages", ["a"])
    assert document is not None
    assert [found.id for found in ledger.find(Query("messages"))] == ["a"]
    assert ledger.count(Query("messages")) == 1
    ledger.close()


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param((), id="no header"),
        pytest.param(((HEADER, f"projects/{PROJECT}/databases/(default)"),), id="another database's"),
    ],
)
def test_a_call_without_it_is_refused(front: str, metadata: tuple[tuple[str, str], ...]) -> None:
    with grpc.insecure_channel(front) as channel:
        anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]  # google-auth has no types here
        client = FirestoreClient(transport=FirestoreGrpcTransport(channel=channel, credentials=anonymous))
        asked = {"name": f"{DATABASE}/documents/messages/a"}
        with pytest.raises(exceptions.InvalidArgument, match=HEADER):
            client.get_document(asked, metadata=metadata, retry=None)
