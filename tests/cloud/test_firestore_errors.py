"""Which of Google's errors mean "try again", which "mend something first", and which stay a defect of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from google.api_core import exceptions

from sms_connector.cloud.ledger import PAUSES, FirestoreLedger
from sms_connector.errors import LedgerUnavailable, StoreMisconfigured
from sms_connector.ports import MUST_BE_ABSENT, Ledger, Query, Write
from tests.fixtures.clocks import FakeClock

DATABASE = "projects/p/databases/sms"
INTERNALS = "10.0.0.1:443, key 42 of tenant x"


class Failing:
    """A Firestore client whose every call fails alike, but for those named in `answers`."""

    def __init__(self, error: Exception, **answers: list[Any]) -> None:
        self.error = error
        self.answers = answers
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*_arguments: Any, metadata: Sequence[tuple[str, str]], **_named: Any) -> Any:
            assert dict(metadata) == {"google-cloud-resource-prefix": DATABASE}, (
                "named databases refuse calls without it"
            )
            self.calls.append(name)
            if name in self.answers:
                return self.answers[name]
            raise self.error

        return call


def ledger_of(client: Any) -> FirestoreLedger:
    return FirestoreLedger(lambda: client, DATABASE, clock=FakeClock(), read_seconds=0.0)


ASKED = [
    pytest.param(lambda ledger: ledger.get("messages", ["a"]), id="get"),
    pytest.param(lambda ledger: ledger.find(Query("messages")), id="find"),
    pytest.param(lambda ledger: ledger.count(Query("messages")), id="count"),
    pytest.param(lambda ledger: ledger.commit([Write("messages", "a", {}, MUST_BE_ABSENT)]), id="commit"),
]

OUT_OF_REACH = [
    pytest.param(exceptions.ServiceUnavailable, id="no connection"),
    pytest.param(exceptions.DeadlineExceeded, id="no answer in time"),
    pytest.param(exceptions.InternalServerError, id="a failure of theirs"),
    pytest.param(exceptions.Unknown, id="a stream that broke"),
    pytest.param(exceptions.Cancelled, id="a call that was cut off"),
    pytest.param(exceptions.Aborted, id="contention"),
    pytest.param(exceptions.ResourceExhausted, id="too much at once"),
]


@pytest.mark.parametrize("ask", ASKED)
@pytest.mark.parametrize("error", OUT_OF_REACH)
def test_try_again(error: type[exceptions.GoogleAPICallError], ask: Callable[[Ledger], object]) -> None:
    with pytest.raises(LedgerUnavailable) as told:
        ask(ledger_of(Failing(error(INTERNALS))))  # type: ignore[no-untyped-call] # google-api-core has no types here
    assert type(told.value.__cause__) is error, "the reason itself, and not that tries have run out"
    assert INTERNALS not in str(told.value)


FIXES = [
    pytest.param(exceptions.PermissionDenied, "grant roles/datastore.user", id="no permission"),
    pytest.param(exceptions.Unauthenticated, "service account that exists", id="nobody we are"),
    pytest.param(exceptions.NotFound, "SMS_LEDGER", id="no such database"),
    pytest.param(exceptions.FailedPrecondition, "every index", id="an index is missing"),
    pytest.param(exceptions.InvalidArgument, "SMS_LEDGER", id="a call the database does not take"),
]


@pytest.mark.parametrize("ask", ASKED)
@pytest.mark.parametrize(("error", "mend"), FIXES)
def test_mend_something_first(
    error: type[exceptions.GoogleAPICallError], mend: str, ask: Callable[[Ledger], object]
) -> None:
    with pytest.raises(StoreMisconfigured, match=mend) as told:
        ask(ledger_of(Failing(error(INTERNALS))))  # type: ignore[no-untyped-call] # nor here
    assert told.value.http_status == 500
    assert DATABASE in str(told.value)
    assert INTERNALS not in str(told.value)


@pytest.mark.parametrize("ask", ASKED)
@pytest.mark.parametrize("error", [exceptions.OutOfRange, exceptions.MethodNotImplemented])
def test_a_defect_of_ours_stays_what_it_is(
    error: type[exceptions.GoogleAPICallError], ask: Callable[[Ledger], object]
) -> None:
    with pytest.raises(error):
        ask(ledger_of(Failing(error(INTERNALS))))  # type: ignore[no-untyped-call] # nor here


@pytest.mark.parametrize(
    "write", [Write("messages", "a", {}), Write("messages", "a", {}, MUST_BE_ABSENT)], ids=["anything", "absent"]
)
def test_a_refusal_that_no_document_explains_is_never_taken_for_a_commit(write: Write) -> None:
    client = Failing(exceptions.FailedPrecondition(INTERNALS), batch_get_documents=[])  # type: ignore[no-untyped-call] # nor here
    with pytest.raises(StoreMisconfigured, match="is not as it has to be"):
        ledger_of(client).commit([write])
    assert client.calls.count("commit") == len(PAUSES) + 1
