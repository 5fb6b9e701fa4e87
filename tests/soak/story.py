"""All that is known of a message that went wrong, in order of time: client, connector's ledger, provider's journal, kills."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from .audit import Case
from .stage import Stage

Line = tuple[float, str]


def tell(case: Case, stage: Stage, *, kills: Sequence[float]) -> str:
    """A line per event; times are seconds since the first."""
    lines = sorted([*_clients(case), *_ledger(case), *_journal(case, stage.sandbox.journal(path=r"/Messages\.json$"))])
    begun, ended = lines[0][0], lines[-1][0]
    lines = sorted([*lines, *((at, "KILL") for at in kills if begun - 5 <= at <= ended + 5)])
    told = [f"  {at - begun:8.3f}  {what}" for at, what in lines]
    wanted = [
        f"  wanted by {report.request.key} ({report.request.style}) to {report.intent.to}" for report in case.reports
    ]
    has = [f"  provider has {document['sid']} {document['statuses']}" for document in case.witness]
    return "\n".join([f"{case.text!r}", *wanted, *has, *told, *_documents(case, stage)])


def _clients(case: Case) -> Iterator[Line]:
    for report in case.reports:
        yield from ((at, f"client {report.request.key}: {what}") for at, what in report.answers)


def _ledger(case: Case) -> Iterator[Line]:
    for message in case.messages:
        for entry in message.get("history", ()):
            at = datetime.fromisoformat(entry["at"]).timestamp()
            yield at, f"ledger {message['id']}: {entry['status']} by {entry['source']} {entry['providerStatus'] or ''}"


def _journal(case: Case, journal: Iterable[dict[str, Any]]) -> Iterator[Line]:
    for entry in journal:
        if entry["form"].get("Body") == case.text:
            yield entry["epoch"], f"provider: POST, fault {entry['fault']}, answered {entry['status']}"


def _documents(case: Case, stage: Stage) -> Iterator[str]:
    with closing(sqlite3.connect(f"file:{stage.ledger}?mode=ro", uri=True)) as ledger:
        for report in case.reports:
            row = ledger.execute("SELECT data FROM messages WHERE id = ?", (report.id,)).fetchone()
            yield f"  ledger document {report.id}: {row[0] if row else None}"
