"""Opt-outs, with their history. They are read immediately before a call (sending.md section 6).

Consent belongs to a person (`person_key`): all spellings of a number and the channel addresses that hold it are one
entry. Every change is added to a history in the order of its time, none is overwritten, and the last one is the state.
So a STOP that arrives after a younger START is kept and changes nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

import msgspec

from sms_connector.errors import Conflict
from sms_connector.model.person import person_key
from sms_connector.model.typed import convert
from sms_connector.ports import MUST_BE_ABSENT, Clock, Document, Ledger, Query, Write
from sms_connector.ports.ledger_access import Cursor, page

COLLECTION = "optOuts"
# Entries of a history in a document: some 200 KB. Of a longer one the first entry and the latest are kept.
MAX_HISTORY = 1000
PUT_AT_ONCE = 200

_PLAIN_ID = re.compile(r"[+A-Za-z0-9][A-Za-z0-9+:_.@ -]{0,200}")


class ConsentChange(msgspec.Struct, frozen=True):
    """One change of a person's consent.

    `source`: `api`, `inbound` (a word) or `provider` (it refused for that reason). `at`: epoch seconds. `message`: our
    id of the inbound message that brought it. `caller`: the caller's identity, if the platform has checked it.
    """

    opted_out: bool
    source: str
    at: float
    reason: str | None = None
    message: str | None = None
    caller: str | None = None


class OptOut(msgspec.Struct, frozen=True):
    """A person's consent: the last change is the state."""

    number: str
    history: tuple[ConsentChange, ...]

    @property
    def last(self) -> ConsentChange:
        return self.history[-1]

    @property
    def opted_out(self) -> bool:
        return self.last.opted_out


class OptOuts:
    """Opt-outs of this connection, by person."""

    def __init__(self, ledger: Ledger, *, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def among(self, numbers: Iterable[str]) -> set[str]:
        """Return which of these recipients have opted out."""
        recipients = set(numbers)
        ids = {recipient: _document_id(recipient) for recipient in recipients}
        found = self._ledger.get(COLLECTION, sorted(set(ids.values())))
        opted_out = {document.id for document in found if document is not None and _read(document).opted_out}
        return {recipient for recipient in recipients if ids[recipient] in opted_out}

    def get(self, number: str) -> OptOut | None:
        """Return the person's consent with its history, also if it was given again; None if it never changed."""
        [document] = self._ledger.get(COLLECTION, [_document_id(number)])
        return _read(document) if document else None

    def put(self, number: str, source: str, reason: str | None = None, *, caller: str | None = None) -> OptOut:
        """Add that the person opted out now."""
        at = self._after(self.get(number))
        return self._add(number, ConsentChange(True, source, at, reason, caller=caller))

    def put_once(self, number: str, source: str, reason: str | None, *, at: float) -> bool:
        """Add that the person opted out at that time. Return False if they have opted out already, which stays as it
        is."""
        found = self.get(number)
        if found is not None and found.opted_out:
            return False
        return self._add(number, ConsentChange(True, source, at, reason)).opted_out

    def put_all(
        self, wanted: Sequence[tuple[str, str | None]], source: str, *, caller: str | None = None
    ) -> list[bool]:
        """Add that each person (number, reason) opted out now. Return False for those who have opted out already: they
        stay as they are."""
        parts = [wanted[start : start + PUT_AT_ONCE] for start in range(0, len(wanted), PUT_AT_ONCE)]
        return [added for part in parts for added in self._put_part(part, source, caller)]

    def _put_part(self, part: Sequence[tuple[str, str | None]], source: str, caller: str | None) -> list[bool]:
        ids = [_document_id(number) for number, _ in part]
        while True:
            distinct = list(dict.fromkeys(ids))
            known = dict(zip(distinct, self._ledger.get(COLLECTION, distinct), strict=True))
            writes: dict[str, Write] = {}
            added = []
            for id_, (number, reason) in zip(ids, part, strict=True):
                found = _read(document) if (document := known[id_]) else None
                added.append(id_ not in writes and not (found is not None and found.opted_out))
                if added[-1]:
                    change = ConsentChange(True, source, self._after(found), reason, caller=caller)
                    writes[id_] = self._write(number, change, known[id_])[0]
            try:
                if writes:
                    self._ledger.commit(list(writes.values()))
            except Conflict:
                continue  # another change came first: read them again
            return added

    def record_reported(self, recipient: str, reason: str, *, at: float) -> None:
        """Add an opt-out that a provider reports, at its time: a later START still counts."""
        self.put_once(recipient, "provider", reason, at=at)

    def delete(self, number: str, *, caller: str | None = None) -> bool:
        """Add that the person gave consent again. Return False if they have not opted out."""
        found = self.get(number)
        if found is None or not found.opted_out:
            return False
        self._add(number, ConsentChange(False, "api", self._after(found), caller=caller))
        return True

    def _after(self, found: OptOut | None) -> float:
        """Return a time after the last change: a provider's clock may be ahead of ours."""
        now = self._clock.time()
        return now if found is None else max(now, found.last.at + 0.001)

    def _add(self, number: str, change: ConsentChange) -> OptOut:
        while True:
            write, opt_out = self._extend(number, change)
            try:
                self._ledger.commit([write])
            except Conflict:
                continue
            return opt_out

    def write_of(self, number: str, change: ConsentChange) -> Write:
        """Return the change as a part of a commit, which conflicts if another change comes first."""
        return self._extend(number, change)[0]

    def _extend(self, number: str, change: ConsentChange) -> tuple[Write, OptOut]:
        [document] = self._ledger.get(COLLECTION, [_document_id(number)])
        return self._write(number, change, document)

    def _write(self, number: str, change: ConsentChange, document: Document | None) -> tuple[Write, OptOut]:
        earlier = _read(document).history if document else ()
        # At the same moment an opt-out wins.
        history = tuple(sorted((*earlier, change), key=lambda each: (each.at, each.opted_out)))
        if len(history) > MAX_HISTORY:
            history = (history[0], *history[1 - MAX_HISTORY :])
        opt_out = OptOut(person_key(number), history)
        return Write(
            COLLECTION, _document_id(number), _to_data(opt_out), document.version if document else MUST_BE_ABSENT
        ), opt_out

    def list(self, *, limit: int, after: Cursor | None = None) -> tuple[Sequence[OptOut], Cursor | None]:
        """Return those who have opted out, newest first; the second value is where the next page begins."""
        return page(
            self._ledger, Query(COLLECTION, order_by="createdAt", descending=True, limit=limit, after=after), _read
        )


def _to_data(opt_out: OptOut) -> dict[str, object]:
    """Index only those who have opted out, by the time of the last change."""
    data: dict[str, object] = {"number": opt_out.number, "history": msgspec.to_builtins(opt_out.history)}
    return data | {"createdAt": opt_out.last.at} if opt_out.opted_out else data


def _read(document: Document) -> OptOut:
    return convert({"number": document.data["number"], "history": document.data["history"]}, OptOut)


def _document_id(number: str) -> str:
    """Return the person's key, or its digest where a store does not take it as an id."""
    key = person_key(number)
    return key if _PLAIN_ID.fullmatch(key) else "x-" + hashlib.sha256(key.encode()).hexdigest()
