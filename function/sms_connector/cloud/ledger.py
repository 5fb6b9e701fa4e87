"""The ledger in Firestore: a collection per collection, one commit per commit.

**A commit whose answer was lost** is the hard part: it may have been carried out, and repeated it would meet its
own documents and look like a lost race. So every commit writes a token of its own into its documents. Where a
repetition is refused, the documents are read: one with our token means that the first attempt went through (a
commit is atomic, and gives all its documents one time). With no token of ours left it can't be known (others may
have written since), so it raises `LedgerUnavailable`, as for any answer that was lost, never `Conflict`: a caller
may take a Conflict for "nothing was written".
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from itertools import repeat
from typing import Any

import grpc
from google.api_core import exceptions, retry
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.cloud.firestore_v1.types import (
    BatchGetDocumentsRequest,
    CommitRequest,
    CommitResponse,
    RunAggregationQueryRequest,
    RunQueryRequest,
    StructuredAggregationQuery,
)
from google.cloud.firestore_v1.types import Document as Stored
from google.protobuf.wrappers_pb2 import Int32Value

from sms_connector.cloud import firestore_documents as form
from sms_connector.errors import Conflict, LedgerUnavailable, StoreMisconfigured
from sms_connector.ports import MUST_BE_ABSENT, Clock, Document, Query, Version, Write, check_writes

ATTEMPT_SECONDS = 10.0
PAUSES = (0.1, 0.3, 1.0, 2.0)
READ_SECONDS = 20.0
IDS_PER_READ = 500

# Nothing was written, and it says so.
REFUSED = (exceptions.AlreadyExists, exceptions.FailedPrecondition, exceptions.NotFound)
# Nothing was written: too much at once. Repeating is safe.
BUSY = (exceptions.Aborted, exceptions.ResourceExhausted)
# The answer was lost: it may have been written.
LOST = (
    exceptions.ServiceUnavailable,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.Unknown,
    exceptions.Cancelled,
)
# An operator has to act first. (But for a refused precondition of a commit that a document explains.)
FIXES: Mapping[type[Exception], str] = {
    exceptions.PermissionDenied: "may not be used: grant roles/datastore.user on it to the function's service account",
    exceptions.Unauthenticated: "does not know who we are: run the function as a service account that exists",
    exceptions.NotFound: "is not there: create it, or set SMS_LEDGER to the one that is",
    exceptions.InvalidArgument: "refused the call as invalid: check the database's name in SMS_LEDGER, and that the "
    "function's archive and `pulumi up` are of one version",
    exceptions.FailedPrecondition: "is not as it has to be (native mode, every index, ready to be used): "
    "run `pulumi up`",
}

Key = tuple[str, str]  # collection, id

_repeated = retry.Retry(
    predicate=retry.if_exception_type(*BUSY, *LOST), initial=0.1, maximum=2.0, multiplier=3.0, timeout=READ_SECONDS
)


class FirestoreLedger:
    """`ports.Ledger` on a Firestore database in native mode. Raises what `ports.Ledger` names."""

    def __init__(
        self,
        make_client: Callable[[], FirestoreClient],
        database: str,
        *,
        clock: Clock,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        """Take the database's full name, `projects/<project>/databases/<database>`. A read is tried for
        `read_seconds`."""
        self._make_client = make_client
        self._database = database
        self._root = f"{database}/documents"
        # Routes a call to a named database, as the official client does (`google/cloud/firestore_v1/base_client.py`);
        # without it such databases have refused calls (googleapis/nodejs-firestore#1863,
        # googleapis/google-cloud-go#5331).
        self._metadata = (("google-cloud-resource-prefix", database),)
        self._clock = clock
        self._read = _repeated.with_timeout(read_seconds)

    @classmethod
    def connect(
        cls, project: str, database: str, *, clock: Clock, environ: Mapping[str, str] = os.environ
    ) -> FirestoreLedger:
        """Connect with the function's own credentials, or to the emulator that `FIRESTORE_EMULATOR_HOST` names."""
        name = f"projects/{project}/databases/{database}"
        emulator = environ.get("FIRESTORE_EMULATOR_HOST")
        return cls(partial(_emulator_client, emulator) if emulator else FirestoreClient, name, clock=clock)

    @cached_property
    def _client(self) -> FirestoreClient:
        """Make it at the first call, hence after the server has forked: a channel does not survive a fork
        (grpc/grpc#41725)."""
        return self._make_client()

    def get(self, collection: str, ids: Sequence[str]) -> list[Document | None]:
        with self._explaining():
            found = self._stored((collection, document_id) for document_id in ids)
        return [self._document(found.get((collection, document_id))) for document_id in ids]

    def find(self, query: Query) -> list[Document]:
        """Page on past documents that have expired and are not deleted yet, so that a short page is the last one."""
        documents: list[Document] = []
        structured = form.structured_query(query, parent=self._root, paged=True)
        while True:
            missing = query.limit - len(documents)
            structured.limit = Int32Value(value=missing)
            request = RunQueryRequest(parent=self._root, structured_query=structured)
            with self._explaining():
                page = [answer.document for answer in self._ask("run_query", request) if "document" in answer]
            documents += [document for stored in page if (document := self._document(stored))]
            if len(page) < missing or len(documents) == query.limit:
                return documents
            structured.start_at = form.after(query, page[-1])

    def count(self, query: Query) -> int:
        request = RunAggregationQueryRequest(
            parent=self._root,
            structured_aggregation_query=StructuredAggregationQuery(
                structured_query=form.structured_query(query, parent=self._root, paged=False),
                aggregations=[StructuredAggregationQuery.Aggregation(alias="n", count={})],
            ),
        )

        with self._explaining():
            answers = self._ask("run_aggregation_query", request)
        return int(answers[0].result.aggregate_fields["n"].integer_value)

    def commit(self, writes: Sequence[Write]) -> list[Version | None]:
        check_writes(writes)
        with self._explaining():
            return self._commit(writes)

    def close(self) -> None:
        if "_client" in vars(self):
            self._client.transport.close()  # type: ignore[no-untyped-call] # nor has google-api-core

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Turn Google's errors into ours. Any other is a defect of ours, and passes."""
        try:
            yield
        except exceptions.RetryError as error:
            raise LedgerUnavailable from error.cause or error
        except (*BUSY, *LOST) as error:
            raise LedgerUnavailable from error
        except tuple(FIXES) as error:
            why = next(text for kind, text in FIXES.items() if isinstance(error, kind))
            raise StoreMisconfigured(f"the Firestore database {self._database} {why}") from error

    def _commit(self, writes: Sequence[Write]) -> list[Version | None]:
        token = secrets.token_hex(8)
        expired: dict[Key, Version] = {}
        lost: exceptions.GoogleAPICallError | None = None
        for pause in (*PAUSES, None) if writes else ():
            request = self._commit_request(writes, token=token, expired=expired)
            try:
                answer = self._client.commit(request, retry=None, timeout=ATTEMPT_SECONDS, metadata=self._metadata)
                # Each write's time is the commit's; a repeated write that changed nothing has its first one's.
                results: Sequence[Any] = CommitResponse.pb(answer).write_results
                return _versions(writes, (form.version_at(result.update_time) for result in results))
            except REFUSED as refusal:
                if lost:
                    return _versions(writes, repeat(self._version_with(token, writes, lost=lost)))
                expired = self._expired_in_the_way(writes, refusal)
                if pause is None:
                    raise
            except (*BUSY, *LOST) as error:
                lost = error if isinstance(error, LOST) else lost
                if pause is None:
                    raise
                self._clock.sleep(pause)
        return []

    def _commit_request(self, writes: Sequence[Write], *, token: str, expired: Mapping[Key, Version]) -> CommitRequest:
        stored = []
        for write in writes:
            key = (write.collection, write.id)
            expect = form.precondition_of(expired.get(key, write.expect))
            stored.append(form.stored_write(self._name(*key), write, token=token, expect=expect))
        return CommitRequest(database=self._database, writes=stored)

    def _version_with(self, token: str, writes: Sequence[Write], *, lost: exceptions.GoogleAPICallError) -> str:
        """Return the version that our own earlier attempt gave; raise that attempt's error where it can't be known."""
        kept = self._stored((write.collection, write.id) for write in writes if write.data is not None)
        for stored in kept.values():
            if form.token_of(stored) == token:
                return form.version_of(stored)
        raise lost

    def _expired_in_the_way(self, writes: Sequence[Write], refusal: Exception) -> dict[Key, Version]:
        """Return the versions of expired documents that stand where one is to be created; raises Conflict if that isn't
        all."""
        expecting = [write for write in writes if write.expect is not None]
        kept = self._stored((write.collection, write.id) for write in expecting)
        now = self._clock.time()
        expired: dict[Key, Version] = {}
        for write in expecting:
            key = (write.collection, write.id)
            stored = kept.get(key)
            expected = None if write.expect is MUST_BE_ABSENT else write.expect
            if stored and expected is None and form.has_expired(stored, now=now):
                expired[key] = form.version_of(stored)
            elif expected != (stored and form.version_of(stored)):
                raise Conflict(*key) from refusal
        return expired

    def _stored(self, keys: Iterable[Key]) -> dict[Key, Stored]:
        """Return those of these documents that exist, expired or not."""
        names = {self._name(*key): key for key in keys}
        wanted, found = list(names), dict[Key, Stored]()
        for start in range(0, len(wanted), IDS_PER_READ):
            some = wanted[start : start + IDS_PER_READ]
            answers = self._ask(
                "batch_get_documents", BatchGetDocumentsRequest(database=self._database, documents=some)
            )
            found |= {names[answer.found.name]: answer.found for answer in answers if "found" in answer}
        return found

    def _ask(self, method: str, request: Any) -> list[Any]:
        """Return all answers of one of the client's reads; one that breaks off is repeated from its beginning."""

        def attempt() -> list[Any]:
            call = getattr(self._client, method)
            return list(call(request, retry=None, timeout=ATTEMPT_SECONDS, metadata=self._metadata))

        return self._read(attempt)()

    def _document(self, stored: Stored | None) -> Document | None:
        if stored is None or form.has_expired(stored, now=self._clock.time()):
            return None
        return form.document_of(stored)

    def _name(self, collection: str, document_id: str) -> str:
        return f"{self._root}/{collection}/{document_id}"


def _emulator_client(address: str) -> FirestoreClient:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    channel = grpc.insecure_channel(address, options=options)
    anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call] # google-auth has no types here
    return FirestoreClient(transport=FirestoreGrpcTransport(channel=channel, credentials=anonymous))


def _versions(writes: Sequence[Write], versions: Iterable[str]) -> list[Version | None]:
    return [None if write.data is None else version for write, version in zip(writes, versions, strict=False)]
