"""A record's own idempotency key: the same key with the same message gives the first message."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from sms_connector.errors import Conflict, ErrorKind, RetrySafety
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.policy import Policy
from sms_connector.model.send_request import Draft
from sms_connector.ports import MAX_WRITES, MUST_BE_ABSENT, Absent, Clock, Document, Ledger, Version, Write
from sms_connector.sending.idempotency import COLLECTION, key_id
from sms_connector.store.message_record import MessageRecord
from sms_connector.store.message_store import MessageStore, become
from sms_connector.store.node_lease import NodeLease
from sms_connector.store.opt_outs import OptOuts

Pair = tuple[Draft, MessageRecord]


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
            return self._refuse(
                pair[1],
                ErrorKind.IN_PROGRESS,
                "another request with this key came at the same moment; ask again in some seconds",
            )
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
            return self._refuse(
                record, ErrorKind.IN_PROGRESS, "the first record with this key is being sent; ask again in some seconds"
            )
        return self._take(pair, claim, found.version)  # its node died before it wrote the intent: nothing was sent

    def is_free(self, record: MessageRecord) -> bool:
        """Whether its key may send again: it failed and certainly nothing was sent, or its opt-out has ended since."""
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
            "expiresAt": valid_until + 24 * 3600.0,
        }
        return Write(COLLECTION, "record:" + key_id(draft.key or ""), data, MUST_BE_ABSENT)
