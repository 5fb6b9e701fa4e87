"""Idempotency keys: the same key and the same request give the stored answer (sending.md section 2, rule 4)."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass

from sms_connector.errors import Conflict, KeyInProgress, Kind, PreconditionFailed
from sms_connector.messaging.node_lease import NodeLease
from sms_connector.messaging.policy import Policy
from sms_connector.ports import MUST_BE_ABSENT, Absent, Clock, Document, Json, Ledger, Version, Write

COLLECTION = "idempotencyKeys"
ASK_AGAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Replay:
    """The stored answer of the first request."""

    answer: bytes
    status: int


@dataclass(slots=True)
class Started:
    """The request may run. `nonce` names its messages: a request carried on after a crash has the nonce of the first."""

    document_id: str
    digest: str
    nonce: str
    holder: str
    created_at: float
    version: Version | None


class IdempotencyKeys:
    """Keys of whole requests. A key in progress is as alive as its node: what `begin` starts holds the node's lease until
    `finish`, `abandon` or `release`."""

    def __init__(self, ledger: Ledger, lease: NodeLease, *, clock: Clock, policy: Policy) -> None:
        self._ledger = ledger
        self._lease = lease
        self._clock = clock
        self._policy = policy

    def begin(self, key: str, digest: str) -> Replay | Started:
        """Raises KeyInProgress (409) and PreconditionFailed with kind KEY_REUSED (422)."""
        self._lease.enter()
        holding = False
        try:
            begun = self._begin(key, digest)
            holding = isinstance(begun, Started)
        finally:
            if not holding:
                self._lease.leave()
        return begun

    def _begin(self, key: str, digest: str) -> Replay | Started:
        started = Started(key_id(key), digest, uuid.uuid4().hex, self._lease.name(), self._clock.time(), None)
        try:
            return self._write(started, MUST_BE_ABSENT)
        except Conflict:
            return self._meet(started)

    def finish(self, started: Started, answer: bytes, status: int) -> None:
        """Keep the answer. If another node has taken the request over meanwhile, its answer counts."""
        self._end(started, self._document(started) | {"state": "done", "answer": answer.decode(), "status": status})

    def abandon(self, started: Started) -> None:
        """Nothing was sent: forget the key."""
        self._end(started, None)

    def release(self, started: Started) -> None:
        """It broke off in the middle: whoever asks again with the key carries it on at once."""
        started.holder = ""
        self._end(started, self._document(started) | {"state": "running"})

    def _meet(self, started: Started) -> Replay | Started:
        [found] = self._ledger.get(COLLECTION, [started.document_id])
        if found is None or found.data["validUntil"] <= self._clock.time():
            return self._write(started, found.version if found else None)
        if found.data["digest"] != started.digest:
            raise PreconditionFailed(
                "this idempotency key was used for another request; use a new key for a new request",
                kind=Kind.KEY_REUSED,
            )
        if found.data["state"] == "done":
            return Replay(found.data["answer"].encode(), found.data["status"])
        return self._take_over(started, found)

    def _take_over(self, started: Started, found: Document) -> Started:
        if found.data["holder"] in self._lease.living([found.data["holder"]]):
            raise self._in_progress()
        started.nonce, started.created_at = found.data["nonce"], found.data["createdAt"]
        try:
            return self._write(started, found.version)
        except Conflict:
            raise self._in_progress() from None

    def _in_progress(self) -> KeyInProgress:
        return KeyInProgress(
            f"the first request with this idempotency key is still running; ask again in {ASK_AGAIN_SECONDS:g} s",
            kind=Kind.IN_PROGRESS,
            retry_after=ASK_AGAIN_SECONDS,
        )

    def _write(self, started: Started, expect: Version | Absent | None) -> Started:
        data = self._document(started) | {"state": "running"}
        [started.version] = self._ledger.commit([Write(COLLECTION, started.document_id, data, expect)])
        return started

    def _document(self, started: Started) -> Json:
        valid_until = started.created_at + self._policy.key_seconds
        return {
            "digest": started.digest,
            "nonce": started.nonce,
            "holder": started.holder,
            "createdAt": started.created_at,
            "validUntil": valid_until,
            # The store may delete late and never early: a key is judged by validUntil, the document lives a day longer.
            "expiresAt": valid_until + 24 * 3600.0,
        }

    def _end(self, started: Started, data: Json | None) -> None:
        try:
            self._ledger.commit([Write(COLLECTION, started.document_id, data, started.version)])
        except Conflict:
            return
        finally:
            self._lease.leave()


def key_id(key: str) -> str:
    """Keys are the caller's words: kept as a digest only."""
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def message_id(nonce: str, index: int) -> str:
    """Our name of a record's message; the same nonce and index give the same id."""
    return "msg_" + hashlib.sha256(f"{nonce}:{index}".encode()).hexdigest()[:26]
