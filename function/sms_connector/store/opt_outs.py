"""Opt-outs, with their history. They are read immediately before a call (sending.md section 6).

Consent belongs to a person (`person_key`): all spellings of a number and the channel addresses that hold it are one
entry. Every change is added to a history in the order of its time, none is overwritten, and the last one is the state.
So a STOP that arrives after a younger START is kept and changes nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from sms_connector.model.person import person_key
from sms_connector.ports import MUST_BE_ABSENT, Clock, Document, Ledger, Query, Write
from sms_connector.ports.ledger_access import Cursor, page, read_document, repeat_on_conflict

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
    history: tuple[ConsentChange, ...] = ()

    @property
    def last(self) -> ConsentChange:
        return self.history[-1]

    @property
    def opted_out(self) -> bool:
        return bool(self.history) and self.last.opted_out

    def after(self, change: ConsentChange) -> OptOut:
        """Return the consent with one more change. At the same moment an opt-out wins."""
        history = sorted((*self.history, change), key=lambda each: (each.at, each.opted_out))
        if len(history) > MAX_HISTORY:
            del history[1 : -MAX_HISTORY + 1]
        return OptOut(self.number, tuple(history))


class OptOuts(msgspec.Struct, frozen=True):
    """Opt-outs of this connection, by person."""

    ledger: Ledger
    clock: Clock

    def among(self, numbers: Iterable[str]) -> set[str]:
        """Return which of these recipients have opted out."""
        recipients = set(numbers)
        ids = {recipient: _document_id(recipient) for recipient in recipients}
        found = self.ledger.get(COLLECTION, sorted(set(ids.values())))
        opted_out = {document.id for document in found if document is not None and _read(document).opted_out}
        return {recipient for recipient in recipients if ids[recipient] in opted_out}

    def get(self, number: str) -> OptOut | None:
        """Return the person's consent with its history, also if it was given again; None if it never changed."""
        [document] = self.ledger.get(COLLECTION, [_document_id(number)])
        return _read(document) if document else None

    def put(self, number: str, source: str, reason: str | None = None, *, caller: str | None = None) -> OptOut:
        """Add that the person opted out now."""

        def change(found: OptOut) -> ConsentChange:
            return ConsentChange(True, source, self._after(found), reason, caller=caller)

        return self._change(number, change)[0]

    def put_once(self, number: str, source: str, reason: str | None, *, at: float) -> bool:
        """Add that the person opted out at that time: a later START still counts. Return False if they have opted out
        already, which stays as it is, or a START counts."""

        def change(found: OptOut) -> ConsentChange | None:
            return None if found.opted_out else ConsentChange(True, source, at, reason)

        opt_out, added = self._change(number, change)
        return added and opt_out.opted_out

    def delete(self, number: str, *, caller: str | None = None) -> bool:
        """Add that the person gave consent again. Return False if they have not opted out."""

        def change(found: OptOut) -> ConsentChange | None:
            return ConsentChange(False, "api", self._after(found), caller=caller) if found.opted_out else None

        return self._change(number, change)[1]

    def put_all(
        self, wanted: Sequence[tuple[str, str | None]], source: str, *, caller: str | None = None
    ) -> list[bool]:
        """Add that each person (number, reason) opted out now. Return False for those who have opted out already: they
        stay as they are."""
        parts = [wanted[start : start + PUT_AT_ONCE] for start in range(0, len(wanted), PUT_AT_ONCE)]
        return [added for part in parts for added in self._put_part(part, source, caller)]

    @repeat_on_conflict
    def _put_part(self, part: Sequence[tuple[str, str | None]], source: str, caller: str | None) -> list[bool]:
        ids = [_document_id(number) for number, _ in part]
        distinct = list(dict.fromkeys(ids))
        known = dict(zip(distinct, self.ledger.get(COLLECTION, distinct), strict=True))
        writes: dict[str, Write] = {}
        added = []
        for id_, (number, reason) in zip(ids, part, strict=True):
            found = _consent(number, known[id_])
            added.append(id_ not in writes and not found.opted_out)
            if added[-1]:
                change = ConsentChange(True, source, self._after(found), reason, caller=caller)
                writes[id_] = _write(id_, found.after(change), known[id_])
        if writes:
            self.ledger.commit(list(writes.values()))
        return added

    def write_of(self, number: str, change: ConsentChange) -> Write:
        """Return the change as a part of a commit, which conflicts if another change comes first."""
        id_ = _document_id(number)
        [document] = self.ledger.get(COLLECTION, [id_])
        return _write(id_, _consent(number, document).after(change), document)

    @repeat_on_conflict
    def _change(self, number: str, make: Callable[[OptOut], ConsentChange | None]) -> tuple[OptOut, bool]:
        """Add the change that is made of the person's consent, if any. Return the consent, and whether it was."""
        id_ = _document_id(number)
        [document] = self.ledger.get(COLLECTION, [id_])
        found = _consent(number, document)
        change = make(found)
        if change is None:
            return found, False
        self.ledger.commit([_write(id_, found.after(change), document)])
        return found.after(change), True

    def _after(self, found: OptOut) -> float:
        """Return a time after the last change: a provider's clock may be ahead of ours."""
        now = self.clock.time()
        return max(now, found.last.at + 0.001) if found.history else now

    def list(self, *, limit: int, after: Cursor | None = None) -> tuple[Sequence[OptOut], Cursor | None]:
        """Return those who have opted out, newest first; the second value is where the next page begins."""
        query = Query(COLLECTION, order_by="createdAt", descending=True, limit=limit, after=after)
        return page(self.ledger, query, _read)


def _write(id_: str, opt_out: OptOut, document: Document | None) -> Write:
    """Index only those who have opted out, by the time of the last change."""
    data: dict[str, object] = msgspec.to_builtins(opt_out)
    if opt_out.opted_out:
        data["createdAt"] = opt_out.last.at
    return Write(COLLECTION, id_, data, document.version if document else MUST_BE_ABSENT)


def _read(document: Document) -> OptOut:
    return read_document(document, OptOut)


def _consent(number: str, document: Document | None) -> OptOut:
    return _read(document) if document else OptOut(person_key(number))


def _document_id(number: str) -> str:
    """Return the person's key, or its digest where a store does not take it as an id."""
    key = person_key(number)
    return key if _PLAIN_ID.fullmatch(key) else "x-" + hashlib.sha256(key.encode()).hexdigest()
