"""Who asked not to be written to. The list is read immediately before a call (sending.md section 6).

Consent is a person's: a number and the channel addresses that hold it (`whatsapp:+15558675310`) are one entry, under the number.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from sms_connector.errors import Conflict
from sms_connector.model.person import person_key
from sms_connector.ports import MUST_BE_ABSENT, Clock, Document, Ledger, Query, Write

COLLECTION = "optOuts"


class OptOut(msgspec.Struct, frozen=True):
    """`source`: `api`, `inbound` (a STOP word) or `provider` (it refused for that reason)."""

    number: str
    source: str
    reason: str | None
    created_at: float


class OptOuts:
    """Opt-outs of this connection, by recipient."""

    def __init__(self, ledger: Ledger, *, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def among(self, numbers: Iterable[str]) -> set[str]:
        """Which of these recipients have opted out."""
        recipients = set(numbers)
        wanted = sorted({person_key(recipient) for recipient in recipients})
        found = {document.id for document in self._ledger.get(COLLECTION, wanted) if document is not None}
        return {recipient for recipient in recipients if person_key(recipient) in found} if found else found

    def get(self, number: str) -> OptOut | None:
        [document] = self._ledger.get(COLLECTION, [person_key(number)])
        return _read(document) if document else None

    def put(self, number: str, source: str, reason: str | None = None) -> OptOut:
        opt_out = OptOut(person_key(number), source, reason, self._clock.time())
        self._ledger.commit([self.write_of(number, source, reason, at=opt_out.created_at)])
        return opt_out

    def put_once(self, number: str, source: str, reason: str | None, *, at: float) -> bool:
        """As `put`; False where the recipient has opted out already, which stays as it is."""
        try:
            self._ledger.commit([replace(self.write_of(number, source, reason, at=at), expect=MUST_BE_ABSENT)])
        except Conflict:
            return False
        return True

    def write_of(self, number: str, source: str, reason: str | None, *, at: float) -> Write:
        """`put` as a part of somebody's commit."""
        return Write(COLLECTION, person_key(number), {"source": source, "reason": reason, "createdAt": at})

    def writes_of_start(self, number: str, *, at: float) -> list[Write]:
        """The end of an opt-out that is older than `at`, as a part of somebody's commit."""
        [document] = self._ledger.get(COLLECTION, [person_key(number)])
        if document is None or document.data["createdAt"] > at:
            return []
        return [Write(COLLECTION, document.id, None, document.version)]

    def delete(self, number: str) -> bool:
        """False where there was none."""
        [document] = self._ledger.get(COLLECTION, [person_key(number)])
        if document is None:
            return False
        self._ledger.commit([Write(COLLECTION, document.id, None)])
        return True

    def list(
        self, *, limit: int, after: tuple[float, str] | None = None
    ) -> tuple[list[OptOut], tuple[float, str] | None]:
        """Newest first; the second value is where the next page begins."""
        query = Query(COLLECTION, order_by="createdAt", descending=True, limit=limit + 1, after=after)
        found = [_read(document) for document in self._ledger.find(query)]
        more = (found[limit - 1].created_at, found[limit - 1].number) if len(found) > limit else None
        return found[:limit], more


def _read(document: Document) -> OptOut:
    data = document.data
    return OptOut(document.id, data["source"], data.get("reason"), data["createdAt"])
