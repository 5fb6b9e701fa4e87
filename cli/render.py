"""What people see: tables, one line for a reason, and nothing that a terminal could take for markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cli.wording import in_commands, locate

ARRIVED = frozenset({"delivered", "read"})
ON_THE_WAY = frozenset({"accepted", "scheduled", "queued", "sending", "sent"})
WAITING = "waiting"
SHOWN_TEXTS = 20
SHOWN_WARNINGS = 10


def status(word: str) -> Text:
    style = (
        "green" if word in ARRIVED or word == "ACTIVE" else "yellow" if word in ON_THE_WAY or word == WAITING else "red"
    )
    return Text(word, style)


def reason(error: Mapping[str, Any] | None) -> str:
    """Describe the refusal, with the provider's code and link."""
    if not error:
        return ""
    code = f"{error['code']}: " if "code" in error else ""
    words = f"{error['source']} {error['kind']} · {code}{in_commands(error['message'])}"
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


def sender(row: Mapping[str, Any]) -> str:
    """Return a sender in a few words: `Orders +15551234567 (long_code)`."""
    named = f"{row['name']} {row['address']}" if row["name"] else row["address"]
    return f"{named} ({row['kind']})"


def senders(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Of a connection: one line a sender, in the order in which they are chosen."""
    return table(
        ("name", "address", "kind", "business unit", "for", "channels", "#segments/s", "replies"),
        (
            (
                row["name"] or "",
                row["address"],
                row["kind"],
                row["businessUnit"] or "",
                ", ".join([*row["countries"], *(["all others"] if row["default"] else [])]) or "requests that name it",
                ", ".join(row["can"]["channels"]),
                "" if row["can"]["segmentsPerSecond"] is None else f"{row['can']['segmentsPerSecond']:g}",
                "yes" if row["can"]["inbound"] else "no",
            )
            for row in rows
        ),
    )


def results(rows: Iterable[Mapping[str, Any]], *, ids: bool = True) -> Table:
    """Of a send: one line a record."""
    listed = list(rows)
    return table(
        (_place_title(listed), "to", "status", "#segments", *(["id"] if ids else []), "reason"),
        (
            (
                place(row),
                row["to"] or "",
                status(row["status"]),
                str(row["segments"]),
                *([row["id"] or ""] if ids else []),
                reason(row["error"]),
            )
            for row in listed
        ),
    )


def place(row: Mapping[str, Any]) -> str:
    """Return a record's line in its file; without a file its index in the request."""
    return str(row["line"] if "line" in row else row["index"])


def _place_title(rows: Sequence[Mapping[str, Any]]) -> str:
    return "#line" if any("line" in row for row in rows) else "#index"


def preview(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return what each record becomes, and what is wrong with it."""
    return table(
        (_place_title(rows), "to", "sender", "#segments", "encoding", "text", "remarks"),
        (
            (
                place(row),
                row["to"] or "",
                row.get("sender") or "",
                str(row["segments"]),
                row["encoding"] or "",
                row["text"] or "",
                " · ".join([*filter(None, [row["reason"]]), *(_error(row, each) for each in row["errors"])]),
            )
            for row in rows
        ),
    )


def _error(row: Mapping[str, Any], error: Mapping[str, Any]) -> str:
    field = _field_name(error["field"]) if "line" in row else error["field"]
    return f"{field}: {in_commands(error['message'])}"


def texts(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Of a dry run."""
    return table(
        ("to", "#segments", "encoding", "text"),
        ((row["to"], str(row["segments"]), row["encoding"] or "", row["text"]) for row in rows),
    )


def warnings(found: Sequence[Mapping[str, Any]]) -> list[Text]:
    """Return a line each, for those that fit a screen."""
    lines = [Text(f"warning: {locate(each)}: {each['message']}", "yellow") for each in found[:SHOWN_WARNINGS]]
    left = len(found) - SHOWN_WARNINGS
    return [*lines, Text(f"… and {left} more warnings", "yellow")] if left > 0 else lines


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
    pairs += [(name, row[name]) for name in ("key", "reference") if row.get(name)]
    if row.get("redacted"):
        pairs.append(("redacted", "the provider has been asked to forget the text"))
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
    because = f": {in_commands(row['reason'])}" if row["reason"] else ""
    pairs: list[tuple[str, str | Text]] = [
        ("id", row["id"]),
        *((label, row[label]) for label in ("name", "reference", "origin") if row.get(label)),
        ("state", Text.assemble(state(row["state"]), because)),
        ("sender", _senders_of(row)),
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


def _senders_of(row: Mapping[str, Any]) -> str:
    """Return a campaign's sender; of several, how many messages each has."""
    shares = row.get("senders", {}).items()
    return row["sender"] or ", ".join(f"{sender} ({count:,})" for sender, count in shares) or "–"


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
                _senders_of(row),
                row["reason"] or "",
            )
            for row in rows
        ),
    )


def plan(answer: Mapping[str, Any]) -> list[RenderableType]:
    """Return what a campaign would be: its refusals first."""
    forecast, right = answer["forecast"], answer["total"] - answer["refused"]
    sender_rate, parts = forecast["senderRate"], forecast.get("senders", ())
    pairs: list[tuple[str, str | Text]] = [
        ("records", f"{answer['total']:,}, {answer['refused']:,} of them can't be sent"),
        *(
            [("duplicates", f"{answer['duplicates']:,} records whose person came before")]
            if answer.get("duplicates")
            else []
        ),
        ("segments", f"{answer['segments']:,} ({encodings(answer['encodings'])})"),
        ("handed over in", f"{duration(forecast['handOverSeconds'])}, {forecast['rate']:g} messages a second"),
        (
            "the sender sends",
            f"{sender_rate:g} segment{'s' * (sender_rate != 1)} a second"
            if sender_rate
            else "at a rate that is not published",
        ),
        *([("senders", _loads(parts))] if len(parts) > 1 else []),
        ("longest wait", duration(forecast["longestWaitSeconds"])),
        ("estimated end", moment(forecast["estimatedEnd"])),
    ]
    if answer["wouldBeRefused"]:
        pairs.append(("would be refused", Text(answer["wouldBeRefused"], "red")))
    refusals = table(
        (_place_title(answer["refusals"]), "to", "field", "reason"),
        (
            (
                place(each),
                each["to"] or "",
                _field_name(each["field"]),
                f"{each['kind']} · {in_commands(each['message'])}",
            )
            for each in answer["refusals"]
        ),
    )
    more = answer["refused"] - len(answer["refusals"])
    shown: list[RenderableType] = [refusals] if answer["refusals"] else []
    shown += [f"… and {more:,} more"] if more else []
    return [*shown, facts(pairs), f"{right:,} messages; nothing was sent"]


def _loads(parts: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(f"{part['sender']} ({part['messages']:,})" for part in parts)


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
