"""Saved templates: a message with its mapping, sender and options under a name, in versions.

A version counts the changes of one template. An entity tag names a version and its content, so that a template that was
deleted and made again is not taken for the one before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import msgspec

from sms_connector.errors import NotFound
from sms_connector.model.typed import convert
from sms_connector.ports import MUST_BE_ABSENT, Clock, Document, Json, Ledger, Query, Write
from sms_connector.ports import Version as StoredVersion
from sms_connector.ports.ledger_access import Cursor, page, repeat_on_conflict

COLLECTION = "templates"


class SavedTemplate(msgspec.Struct, frozen=True, rename="camel"):
    """`content` is what a request would say, as JSON. Times are epoch seconds."""

    name: str
    content: Json
    version: int
    created_at: float
    updated_at: float
    stored: StoredVersion | None = None

    @property
    def reference(self) -> str:
        """Name it in a message's record."""
        return f"{self.name}@{self.version}"

    @property
    def tag(self) -> str:
        """Identify this version and its content (an entity tag without its quotes)."""
        digest = hashlib.sha256(msgspec.json.encode(self.content, order="sorted")).hexdigest()
        return f"{self.version}-{digest[:8]}"

    @classmethod
    def of(cls, document: Document) -> SavedTemplate:
        return convert({**document.data, "name": document.id, "stored": document.version}, cls)

    def to_write(self, *, expected: SavedTemplate | None) -> Write:
        data: Json = msgspec.to_builtins(self)
        del data["name"], data["stored"]
        return Write(COLLECTION, self.name, data, MUST_BE_ABSENT if expected is None else expected.stored)


# Checks the template before a change; raises where it is not the expected one.
Check = Callable[[SavedTemplate | None], None]


class Templates(msgspec.Struct, frozen=True):
    """Reads and changes templates. Names are checked by who calls."""

    ledger: Ledger
    clock: Clock

    def find(self, name: str) -> SavedTemplate | None:
        [document] = self.ledger.get(COLLECTION, [name])
        return SavedTemplate.of(document) if document is not None else None

    def get(self, name: str) -> SavedTemplate:
        """Return the template. Raises NotFound."""
        found = self.find(name)
        if found is None:
            raise NotFound(f"no template {name!r}; GET /v1/templates lists them")
        return found

    def page(self, *, limit: int, after: Cursor | None = None) -> tuple[Sequence[SavedTemplate], Cursor | None]:
        """Return templates in the order of their names; the second value is where the next page begins."""
        return page(self.ledger, Query(COLLECTION, limit=limit, after=after), SavedTemplate.of)

    @repeat_on_conflict
    def save(self, name: str, content: Json, check: Check) -> tuple[SavedTemplate, bool]:
        """Write the next version; also say whether the template is new. The same content again is the same version.

        Raises what `check` raises.
        """
        before = self.find(name)
        check(before)
        if before is not None and before.content == content:
            return before, False
        now = self.clock.time()
        created_at = now if before is None else before.created_at
        saved = SavedTemplate(name, content, 1 if before is None else before.version + 1, created_at, now)
        self.ledger.commit([saved.to_write(expected=before)])
        return saved, before is None

    @repeat_on_conflict
    def delete(self, name: str, check: Check) -> None:
        """Delete the template. Raises NotFound and what `check` raises. Campaigns keep the text they were created
        with."""
        before = self.get(name)
        check(before)
        self.ledger.commit([Write(COLLECTION, name, None, before.stored)])
