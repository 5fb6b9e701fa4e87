"""A record's own idempotency key: the same key and the same message is the message that is there already."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sms_connector.errors import Conflict, Kind
from sms_connector.messaging.idempotency import COLLECTION, key_id
from sms_connector.messaging.message_store import MessageStore, become
from sms_connector.messaging.node_lease import NodeLease
from sms_connector.messaging.policy import Policy
from sms_connector.messaging.record import MessageRecord
from sms_connector.messaging.requests import Draft
from sms_connector.model.delivery_report import FailureReason
from sms_connector.ports import MUST_BE_ABSENT, Absent, Clock, Document, Ledger, Version, Write

Pair = tuple[Draft, MessageRecord]


class RecordKeys:
    """Keys of single records, kept like those of requests."""

    def __init__(self, ledger: Ledger, store: MessageStore, lease: NodeLease, *, clock: Clock, policy: Policy) -> None:
        self._ledger = ledger
        self._store = store
        self._lease = lease
        self._clock = clock
        self._policy = policy

    def claim(self, pairs: Sequence[Pair]) -> list[bool]:
        """For each: True where the message is this request's to send. Else its record is now the one that is there, or an error."""
        keyed = [pair for pair in pairs if pair[0].key is not None]
        if not keyed:
            return [True] * len(pairs)
        try:
            self._ledger.commit([self._write(pair, MUST_BE_ABSENT) for pair in keyed])
            return [True] * len(pairs)
        except Conflict:
            fresh = {id(pair[1]): self._claim_one(pair) for pair in keyed}
        return [fresh.get(id(record), True) for _, record in pairs]

    def _claim_one(self, pair: Pair) -> bool:
        [found] = self._ledger.get(COLLECTION, [_id(pair[0])])
        if found is not None and found.data["validUntil"] > self._clock.time():
            return self._meet(pair, found)
        return self._take(pair, found.version if found else MUST_BE_ABSENT)

    def _take(self, pair: Pair, expect: Version | Absent) -> bool:
        try:
            self._ledger.commit([self._write(pair, expect)])
        except Conflict:
            return self._refuse(
                pair[1], Kind.IN_PROGRESS, "another request with this key came at the same moment; ask again"
            )
        return True

    def _meet(self, pair: Pair, found: Document) -> bool:
        record = pair[1]
        if found.data["message"] == record.id:
            return True
        if found.data["digest"] != _digest(pair):
            return self._refuse(
                record, Kind.KEY_REUSED, "this key was used for another message; use a new key for a new message"
            )
        [existing] = self._store.get([found.data["message"]])
        if existing is not None:
            index = record.index
            become(record, existing)
            record.index, record.replayed = index, True
            return False
        if self._lease.living([found.data["holder"]]):
            return self._refuse(record, Kind.IN_PROGRESS, "the first record with this key is being sent; ask again")
        return self._take(pair, found.version)  # its node died before the intent was written: nothing was ever sent

    def _refuse(self, record: MessageRecord, kind: Kind, message: str) -> bool:
        record.refuse(FailureReason("connector", kind, message), at=self._clock.time())
        return False

    def _write(self, pair: Pair, expect: Version | Absent) -> Write:
        draft, record = pair
        valid_until = self._clock.time() + self._policy.key_seconds
        data = {
            "digest": _digest(pair),
            "message": record.id,
            "holder": record.holder,
            "validUntil": valid_until,
            "expiresAt": valid_until + 24 * 3600.0,
        }
        return Write(COLLECTION, _id(draft), data, expect)


def _id(draft: Draft) -> str:
    return "record:" + key_id(draft.key or "")


def _digest(pair: Pair) -> str:
    draft, record = pair
    return hashlib.sha256("\0".join((draft.to, record.sender, draft.text)).encode()).hexdigest()[:32]
