"""Idempotency keys of requests and of records (sending.md section 2, rule 4).

The same key and the same request give the stored answer, the same key and the same message the first message.
"""

from __future__ import annotations

import hashlib
import uuid
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from sms_connector.errors import Conflict, ErrorKind, KeyInProgress, PreconditionFailed, RequestError, RetrySafety
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.policy import Policy
from sms_connector.model.send_request import Draft
from sms_connector.ports import MAX_WRITES, MUST_BE_ABSENT, Absent, Clock, Document, Json, Ledger, Version, Write
from sms_connector.store.message_record import MessageRecord
from sms_connector.store.message_store import MessageStore, become
from sms_connector.store.node_lease import NodeLease
from sms_connector.store.opt_outs import OptOuts

COLLECTION = "idempotencyKeys"
DAY = 24 * 3600.0
Pair = tuple[Draft, MessageRecord]
RETRY_AFTER_SECONDS = 2.0


class Replay(msgspec.Struct, frozen=True):
    """The stored answer of the first request."""

    answer: bytes
    status: int


class BrokenOff(msgspec.Struct, frozen=True):
    """The first request stopped in the middle, and its node is gone."""


class Started(msgspec.Struct):
    """The request may run. `nonce` names its messages: a request carried on after a crash (`carried_on`) has the nonce
    of the first."""

    document_id: str
    digest: str
    nonce: str
    holder: str
    created_at: float
    carried_on: bool = False
    version: Version | None = None


class IdempotencyKeys(msgspec.Struct, frozen=True):
    """Keys of whole requests. A key in progress is as alive as its node: what `begin` starts holds the node's lease
    until `finish`, `abandon` or `release`."""

    ledger: Ledger
    lease: NodeLease
    clock: Clock
    policy: Policy

    def begin(self, key: str, digest: str) -> Replay | Started:
        """Raises KeyInProgress (409) and PreconditionFailed with kind KEY_REUSED (422).

        If the ledger fails, the key may have been written: the node's lease is retired, so that the key does not live
        on with it.
        """
        self.lease.enter()
        try:
            started = Started(key_id(key), digest, uuid.uuid4().hex, self.lease.name(), self.clock.time())
            begun = self._begin(started)
        except BaseException as error:
            self.lease.leave(broken=not isinstance(error, RequestError))
            raise
        if isinstance(begun, Replay):
            self.lease.leave()
        return begun

    def find(self, key: str, digest: str) -> Replay | BrokenOff | None:
        """Return the result of the same request before; None if there was none. Raises KeyInProgress while it is still
        running."""
        [found] = self.ledger.get(COLLECTION, [key_id(key)])
        if found is None or found.data["validUntil"] <= self.clock.time() or found.data["digest"] != digest:
            return None
        return self._answer(found) or BrokenOff()

    def finish(self, started: Started, answer: bytes, status: int) -> None:
        """Keep the answer. If another node has taken the request over meanwhile, its answer counts."""
        answered = {"state": "done", "answer": b64encode(zlib.compress(answer)).decode(), "status": status}
        self._end(started, self._document(started) | answered)

    def abandon(self, started: Started) -> None:
        """Delete the key, because nothing was sent. Keep it if an earlier attempt may have sent something."""
        if started.carried_on:
            self.release(started)
        else:
            self._end(started, None)

    def release(self, started: Started) -> None:
        """Let the next request with the key carry on at once, after this one broke off."""
        started.holder = ""
        self._end(started, self._document(started) | {"state": "running"})

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Let one request at a time into the block. Raises KeyInProgress. A caller's key has no space: a name has."""
        begun = self.begin(name, name)
        try:
            yield
        finally:
            if isinstance(begun, Started):
                self.release(begun)

    def _begin(self, started: Started) -> Replay | Started:
        try:
            with suppress(Conflict):
                return self._write(started, MUST_BE_ABSENT)
            [found] = self.ledger.get(COLLECTION, [started.document_id])
            if found is None or found.data["validUntil"] <= self.clock.time():
                return self._write(started, found.version if found else MUST_BE_ABSENT)
            return self._meet(started, found)
        except Conflict:  # another request with this key came at the same moment, and was quicker
            raise self._in_progress() from None

    def _meet(self, started: Started, found: Document) -> Replay | Started:
        if found.data["digest"] != started.digest:
            raise PreconditionFailed(
                f"this idempotency key was used for another request, of {_moment(found.data['createdAt'])}; "
                "use a new key for a new request",
                kind=ErrorKind.KEY_REUSED,
            )
        if (replay := self._answer(found)) is not None:
            return replay
        started.nonce, started.created_at, started.carried_on = found.data["nonce"], found.data["createdAt"], True
        return self._write(started, found.version)

    def _answer(self, found: Document) -> Replay | None:
        """Return None if the first request broke off."""
        if found.data["state"] == "done":
            return Replay(zlib.decompress(b64decode(found.data["answer"])), found.data["status"])
        if self.lease.living([found.data["holder"]]):
            raise self._in_progress()
        return None

    def _in_progress(self) -> KeyInProgress:
        return KeyInProgress(
            f"the first request with this idempotency key is still running; send it again in {RETRY_AFTER_SECONDS:g} s",
            kind=ErrorKind.IN_PROGRESS,
            retry_after=RETRY_AFTER_SECONDS,
        )

    def _write(self, started: Started, expect: Version | Absent) -> Started:
        data = self._document(started) | {"state": "running"}
        [started.version] = self.ledger.commit([Write(COLLECTION, started.document_id, data, expect)])
        return started

    def _document(self, started: Started) -> Json:
        valid_until = started.created_at + self.policy.key_seconds
        return {
            "digest": started.digest,
            "nonce": started.nonce,
            "holder": started.holder,
            "createdAt": started.created_at,
            "validUntil": valid_until,
            # The store may delete late and never early: a key is judged by validUntil, the document lives a day longer.
            "expiresAt": valid_until + DAY,
        }

    def _end(self, started: Started, data: Json | None) -> None:
        """Write or delete the key. If that fails, retire the node's lease: a key in progress must not live on with the
        node."""
        try:
            with suppress(Conflict):
                self.ledger.commit([Write(COLLECTION, started.document_id, data, started.version)])
        except BaseException:
            self.lease.leave(broken=True)
            raise
        self.lease.leave()


class RecordKeys(msgspec.Struct, frozen=True):
    """Keys of single records, kept like those of requests."""

    ledger: Ledger
    store: MessageStore
    lease: NodeLease
    opt_outs: OptOuts
    clock: Clock
    policy: Policy

    def claim(self, pairs: Sequence[Pair], *, attachment: str = "") -> list[bool]:
        """Return for each whether this request sends it. If not, its record becomes the existing one, or an error.

        `attachment` is what makes a message another one beside recipient, sender and text.
        """
        keyed = [pair for pair in pairs if pair[0].key is not None]
        claims = {id(pair[1]): self._claim(pair, attachment) for pair in keyed}
        ours = self._claim_together(keyed, claims)
        fresh = {id(pair[1]): id(pair[1]) in ours or self._claim_one(pair, claims[id(pair[1])]) for pair in keyed}
        return [fresh.get(id(record), True) for _, record in pairs]

    def _claim_together(self, keyed: Sequence[Pair], claims: dict[int, Write]) -> set[int]:
        """Claim all keys in one commit, if all are new; none otherwise."""
        writes = list(claims.values())
        if not keyed or len(keyed) > MAX_WRITES or len({write.id for write in writes}) < len(writes):
            return set()
        try:
            self.ledger.commit(writes)
        except Conflict:
            return set()
        return set(claims)

    def _claim_one(self, pair: Pair, claim: Write) -> bool:
        [found] = self.ledger.get(COLLECTION, [claim.id])
        if found is not None and found.data["validUntil"] > self.clock.time():
            return self._meet(pair, claim, found)
        return self._take(pair, claim, found.version if found else MUST_BE_ABSENT)

    def _take(self, pair: Pair, claim: Write, expect: Version | Absent) -> bool:
        try:
            self.ledger.commit([replace(claim, expect=expect)])
        except Conflict:
            message = "another request with this key came at the same moment; send it again in some seconds"
            return self._refuse(pair[1], ErrorKind.IN_PROGRESS, message)
        return True

    def _meet(self, pair: Pair, claim: Write, found: Document) -> bool:
        record = pair[1]
        if found.data["message"] == record.id:
            return True
        [existing] = self.store.get([found.data["message"]])
        if existing is not None and self.is_free(existing):
            return self._take(pair, claim, found.version)
        if claim.data is None or found.data["digest"] != claim.data["digest"]:
            message = f"this key was used for another message, {found.data['message']}; use a new key for a new message"
            return self._refuse(record, ErrorKind.KEY_REUSED, message)
        if existing is not None:
            become(record, existing)
            record.replayed = True
            return False
        if self.lease.living([found.data["holder"]]):
            message = "the first record with this key is being sent; send it again in some seconds"
            return self._refuse(record, ErrorKind.IN_PROGRESS, message)
        return self._take(pair, claim, found.version)  # its node died before it wrote the intent: nothing was sent

    def is_free(self, record: MessageRecord) -> bool:
        """Return whether its key may send again: it failed and certainly nothing was sent, or its opt-out has ended
        since."""
        failure = record.failure
        if failure is None or not record.final:
            return False
        if failure.kind is ErrorKind.OPTED_OUT:
            return not self.opt_outs.among([record.to])
        return failure.retry is RetrySafety.SAFE

    def _refuse(self, record: MessageRecord, kind: ErrorKind, message: str) -> bool:
        retry = RetrySafety.SAFE if kind is ErrorKind.IN_PROGRESS else RetrySafety.NEVER
        record.refuse(FailureReason("connector", kind, message, retry=retry), at=self.clock.time())
        return False

    def _claim(self, pair: Pair, attachment: str) -> Write:
        draft, record = pair
        valid_until = self.clock.time() + self.policy.key_seconds
        message = "\0".join((draft.to, record.sender, draft.text, attachment))
        data = {
            "digest": hashlib.sha256(message.encode()).hexdigest()[:32],
            "message": record.id,
            "holder": record.holder,
            "validUntil": valid_until,
            "expiresAt": valid_until + DAY,
        }
        return Write(COLLECTION, "record:" + key_id(draft.key or ""), data, MUST_BE_ABSENT)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def key_id(key: str) -> str:
    """Return the key's digest: keys are callers' words and not stored."""
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def message_id(nonce: str, index: int) -> str:
    """Return our id of a record's message; the same nonce and index give the same id. Those of one request are alike
    but for the index (`model.message.batch_of`)."""
    return f"msg_{hashlib.sha256(nonce.encode()).hexdigest()[:22]}{index:04x}"
