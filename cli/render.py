"""What people see: tables, one line for a reason, and nothing that a terminal could take for markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

ARRIVED = frozenset({"delivered", "read"})
ON_THE_WAY = frozenset({"accepted", "scheduled", "queued", "sending", "sent"})
WAITING = "waiting"


def status(word: str) -> Text:
    style = (
        "green" if word in ARRIVED or word == "ACTIVE" else "yellow" if word in ON_THE_WAY or word == WAITING else "red"
    )
    return Text(word, style)


def reason(error: Mapping[str, Any] | None) -> str:
    """Who refused and why, with the provider's own code and link."""
    if not error:
        return ""
    code = f"{error['code']}: " if "code" in error else ""
    words = f"{error['source']} {error['kind']} · {code}{error['message']}"
    return " · ".join([words, *error.get("evidence", []), *([error["moreInfo"]] if "moreInfo" in error else [])])


def table(titles: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """Columns whose title begins with `#` are numbers."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in titles:
        made.add_column(title.lstrip("#"), justify="right" if title.startswith("#") else "left", overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return made


def facts(pairs: Iterable[tuple[str, str | Text]]) -> Table:
    """Names and values, one a line."""
    made = Table.grid(padding=(0, 2))
    for name, value in pairs:
        made.add_row(Text(name, "dim"), value if isinstance(value, Text) else Text(value))
    return made


def results(rows: Iterable[Mapping[str, Any]], *, ids: bool = True) -> Table:
    """Of a send: one line a record."""
    return table(
        ("#row", "to", "status", "#segments", *(["id"] if ids else []), "reason"),
        (
            (
                str(row["index"] + 1),
                row["to"] or "",
                status(row["status"]),
                str(row["segments"]),
                *([row["id"] or ""] if ids else []),
                reason(row["error"]),
            )
            for row in rows
        ),
    )


def messages(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Of the ledger: one line a message."""
    return table(
        ("created", "id", "to", "sender", "status", "#segments", "reason"),
        (
            (
                moment(row["createdAt"]),
                row["id"],
                row["to"],
                row["sender"],
                status(row["status"]),
                str(row["segments"]),
                reason(row["error"]),
            )
            for row in rows
        ),
    )


def message(row: Mapping[str, Any]) -> Table:
    tracked = "final" if row["final"] else "may still change"
    pairs: list[tuple[str, str | Text]] = [
        ("id", row["id"]),
        ("status", Text.assemble(status(row["status"]), f" ({tracked})")),
        ("to", row["to"]),
        ("sender", row["sender"]),
        ("provider's id", row["providerMessageId"] or "–"),
        ("segments", f"{row['segments']} {row['encoding'] or ''}"),
        ("created", moment(row["createdAt"])),
        ("sent", moment(row["sentAt"])),
        ("updated", moment(row["updatedAt"])),
    ]
    if row["error"]:
        pairs.append(("reason", reason(row["error"])))
    return facts(pairs)


def history(entries: Iterable[Mapping[str, Any]]) -> Table:
    return table(
        ("at", "status", "heard by", "provider's word"),
        (
            (moment(entry["at"]), status(entry["status"]), entry["source"], entry["providerStatus"] or "")
            for entry in entries
        ),
    )


def campaign(row: Mapping[str, Any]) -> Table:
    because = f": {row['reason']}" * bool(row["reason"])
    pairs: list[tuple[str, str | Text]] = [
        ("id", row["id"]),
        *((label, row[label]) for label in ("name", "reference", "origin") if row.get(label)),
        ("state", Text.assemble(state(row["state"]), because)),
        ("sender", row["sender"]),
        *([("message", row["message"])] if row.get("message") else []),
        *([("mapping", _mapping(row["mapping"]))] if row.get("mapping") else []),
        ("records", Text.assemble(f"{row['total']:,}: ", summary(row["counts"] | _waiting(row)))),
        ("segments", f"{row['segments']:,} ({encodings(row['encodings'])})"),
        ("created", moment(row["createdAt"])),
    ]
    if row["source"]:
        pairs.append(("source", row["source"]))
    if row["rate"] and not row["doneAt"]:
        pairs.append(("rate", f"{row['rate']:.1f} messages a second"))
    ends = [("done", row["doneAt"]), ("estimated end", row["estimatedEnd"])]
    return facts([*pairs, *((name, moment(at)) for name, at in ends if at)])


def _mapping(entries: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={field}" for name, field in entries.items())


def _waiting(row: Mapping[str, Any]) -> dict[str, int]:
    return {WAITING: row["waiting"]} if row["waiting"] else {}


def campaigns(rows: Iterable[Mapping[str, Any]]) -> Table:
    return table(
        ("created", "id", "name", "state", "#records", "#refused", "#segments", "sender", "reason"),
        (
            (
                moment(row["createdAt"]),
                row["id"],
                row.get("name") or "",
                state(row["state"]),
                f"{row['total']:,}",
                f"{row['refused']:,}",
                f"{row['segments']:,}",
                row["sender"],
                row["reason"] or "",
            )
            for row in rows
        ),
    )


def plan(answer: Mapping[str, Any]) -> list[RenderableType]:
    """What a campaign would be: its flaws first."""
    forecast, right = answer["forecast"], answer["total"] - answer["refused"]
    sender_rate = forecast["senderRate"]
    pairs: list[tuple[str, str | Text]] = [
        ("records", f"{answer['total']:,}, {answer['refused']:,} of them can't be sent"),
        ("segments", f"{answer['segments']:,} ({encodings(answer['encodings'])})"),
        ("handed over in", f"{duration(forecast['handOverSeconds'])}, {forecast['rate']:g} messages a second"),
        (
            "the sender sends",
            f"{sender_rate:g} segment{'s' * (sender_rate != 1)} a second"
            if sender_rate
            else "at a rate nobody has published",
        ),
        ("longest wait", duration(forecast["longestWaitSeconds"])),
        ("estimated end", moment(forecast["estimatedEnd"])),
    ]
    if answer["wouldBeRefused"]:
        pairs.append(("would be refused", Text(answer["wouldBeRefused"], "red")))
    flaws = table(
        ("#row", "to", "field", "reason"),
        (
            (
                str(each["index"] + 1),
                each["to"] or "",
                _field_name(each["field"]),
                f"{each['kind']} · {each['message']}",
            )
            for each in answer["refusals"]
        ),
    )
    more = answer["refused"] - len(answer["refusals"])
    shown: list[RenderableType] = [flaws] if answer["refusals"] else []
    shown += [f"… and {more:,} more"] if more else []
    return [*shown, facts(pairs), f"{right:,} messages; nothing was sent"]


def _field_name(path: str) -> str:
    return path.partition(".")[2] if path.startswith("records[") else path


def callbacks(rows: Iterable[Mapping[str, Any]]) -> Table:
    return table(
        ("created", "id", "message", "url", "state", "#attempts", "last error"),
        (
            (
                moment(row["createdAt"]),
                row["id"],
                row["message"],
                row["url"],
                state(row["state"]),
                str(row["attempts"]),
                row["lastError"] or "",
            )
            for row in rows
        ),
    )


def state(word: str) -> Text:
    """Of a campaign or a callback."""
    good = word in ("done", "delivered")
    return Text(word, "green" if good else "red" if word in ("canceled", "given_up") else "yellow")


def encodings(counts: Mapping[str, int]) -> str:
    """`58 messages in GSM-7, 40 messages in UCS-2`."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{count:,} messages in {encoding}" for encoding, count in ordered) or "no messages"


def duration(seconds: float) -> str:
    """`3 h 20 min`, `45 s`."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(text: str | None) -> str:
    """`2026-01-01T00:00:00.000Z` as `2026-01-01 00:00:00`; times stay in UTC, as in every log beside them."""
    return text[:19].replace("T", " ") if text else "–"


def summary(counts: Mapping[str, int]) -> Text:
    """`97 delivered · 2 error`."""
    parts = [
        Text.assemble(f"{count} ", status(word)) for word, count in sorted(counts.items(), key=lambda item: -item[1])
    ]
    return Text(" · ").join(parts) if parts else Text("nothing sent")
