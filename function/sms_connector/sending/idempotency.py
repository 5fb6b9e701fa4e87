"""Idempotency keys: the same key and the same request give the stored answer (sending.md section 2, rule 4)."""

from __future__ import annotations

import hashlib
import uuid
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import msgspec

from sms_connector.errors import Conflict, ErrorKind, KeyInProgress, PreconditionFailed, RequestError
from sms_connector.model.policy import Policy
from sms_connector.ports import MUST_BE_ABSENT, Absent, Clock, Document, Json, Ledger, Version, Write
from sms_connector.store.node_lease import NodeLease

COLLECTION = "idempotencyKeys"
ASK_AGAIN_SECONDS = 2.0


class Replay(msgspec.Struct, frozen=True):
    """The stored answer of the first request."""

    answer: bytes
    status: int


class BrokenOff(msgspec.Struct, frozen=True):
    """The first request stopped in the middle, and its node is gone."""


class Started(msgspec.Struct):
    """The request may run. `nonce` names its messages: a request carried on after a crash (`carried_on`) has the nonce of the
    first."""

    document_id: str
    digest: str
    nonce: str
    holder: str
    created_at: float
    carried_on: bool = False
    version: Version | None = None


class IdempotencyKeys:
    """Keys of whole requests. A key in progress is as alive as its node: what `begin` starts holds the node's lease until
    `finish`, `abandon` or `release`."""

    def __init__(self, ledger: Ledger, lease: NodeLease, *, clock: Clock, policy: Policy) -> None:
        self._ledger = ledger
        self._lease = lease
        self._clock = clock
        self._policy = policy

    def begin(self, key: str, digest: str) -> Replay | Started:
        """Raises KeyInProgress (409) and PreconditionFailed with kind KEY_REUSED (422).

        If the ledger fails, the key may have been written: the node's lease is retired, so that the key does not live on with it.
        """
        self._lease.enter()
        try:
            started = Started(key_id(key), digest, uuid.uuid4().hex, self._lease.name(), self._clock.time())
            begun = self._begin(started)
        except BaseException as error:
            self._lease.leave(broken=not isinstance(error, RequestError))
            raise
        if isinstance(begun, Replay):
            self._lease.leave()
        return begun

    def find(self, key: str, digest: str) -> Replay | BrokenOff | None:
        """Return the result of the same request before; None if there was none. Raises KeyInProgress while it is still running."""
        [found] = self._ledger.get(COLLECTION, [key_id(key)])
        if found is None or found.data["validUntil"] <= self._clock.time() or found.data["digest"] != digest:
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
            [found] = self._ledger.get(COLLECTION, [started.document_id])
            if found is None or found.data["validUntil"] <= self._clock.time():
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
        if self._lease.living([found.data["holder"]]):
            raise self._in_progress()
        return None

    def _in_progress(self) -> KeyInProgress:
        return KeyInProgress(
            f"the first request with this idempotency key is still running; ask again in {ASK_AGAIN_SECONDS:g} s",
            kind=ErrorKind.IN_PROGRESS,
            retry_after=ASK_AGAIN_SECONDS,
        )

    def _write(self, started: Started, expect: Version | Absent) -> Started:
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
        """Write or delete the key. If that fails, retire the node's lease: a key in progress must not live on with the node."""
        try:
            with suppress(Conflict):
                self._ledger.commit([Write(COLLECTION, started.document_id, data, started.version)])
        except BaseException:
            self._lease.leave(broken=True)
            raise
        self._lease.leave()


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def key_id(key: str) -> str:
    """Return the key's digest: keys are callers' words and not stored."""
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def message_id(nonce: str, index: int) -> str:
    """Return our id of a record's message; the same nonce and index give the same id."""
    return "msg_" + hashlib.sha256(f"{nonce}:{index}".encode()).hexdigest()[:26]
