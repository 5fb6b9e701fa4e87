"""`send` and `preview`: one message, or a file of records with a template."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import render
from cli.commands.options import (
    Attempts,
    CallbackUrl,
    Csv,
    Encoding,
    Interval,
    Map,
    Message,
    Ndjson,
    SendAt,
    SenderAddress,
    Template,
    To,
    Unknown,
    Validity,
    given,
    name_text,
    read_mapping,
    to_millis,
)
from cli.context import Context, context_of
from cli.errors import NOT_DELIVERED, CliError, Misused
from cli.records import Record, read_csv, read_ndjson
from cli.sending import BATCH_SIZE, Batch, Sent, make_batches, send_batches

SHOWN_TEXTS = 20


class OnInvalid(StrEnum):
    REFUSE = "refuse"
    REPORT = "report"


def send(
    ctx: typer.Context,
    *,
    message: Message = None,
    template: Template = None,
    to: To = None,
    csv: Csv = None,
    ndjson: Ndjson = None,
    mapping: Map = None,
    encoding: Encoding = None,
    sender: SenderAddress = None,
    wait: Annotated[bool, typer.Option(help="Wait until tracking ends, or only until each is accepted.")] = True,
    interval: Interval = None,
    attempts: Attempts = None,
    validity: Validity = None,
    send_at: SendAt = None,
    callback_url: CallbackUrl = None,
    on_unknown: Unknown = None,
    on_invalid: Annotated[
        OnInvalid | None,
        typer.Option(help="A record that is wrong: refuse all before any is sent, or report it and send the others."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Idempotency key. The same file with the same key, within 24 hours, repeats nothing."),
    ] = None,
    parallel: Annotated[
        int, typer.Option(min=1, max=32, help=f"How many requests of {BATCH_SIZE} records at once.")
    ] = 6,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, render and count segments; send nothing.")] = False,
) -> None:
    """Send one message (--to), or one to each record of a file (--csv, --ndjson)."""
    run = context_of(ctx)
    tracking = {
        "retryIntervalMillis": to_millis(interval),
        "retryAttempts": attempts,
        "wait": wait,
    }
    options = {
        **name_text(message, template),
        "sender": sender,
        "tracking": given(tracking),
        "onUnknown": on_unknown and on_unknown.value,
        "onInvalid": on_invalid and on_invalid.value,
        "validitySeconds": validity,
        "sendAt": send_at,
        "callbackUrl": callback_url,
    }
    records = _read_records(to, csv, ndjson, encoding=encoding)
    key = key or uuid.uuid4().hex
    batches = _plan(given(options), to, records, mapping=read_mapping(mapping), key=key)
    if dry_run:
        _show_dry(run, _dry(run, batches))
        return
    run.output.note(f"--key {key} (the same command with this key sends nothing twice)")
    if on_invalid is not OnInvalid.REPORT and len(batches) > 1:  # one batch is refused as a whole anyway
        _dry(run, batches)
    _send(run, batches, key=key, parallel=parallel)


def preview(
    ctx: typer.Context,
    *,
    message: Message = None,
    template: Template = None,
    to: To = None,
    csv: Csv = None,
    ndjson: Ndjson = None,
    mapping: Map = None,
    encoding: Encoding = None,
) -> None:
    """Show what would be sent, its encoding and segments, and everything that is wrong with it. A file's first records only."""
    run = context_of(ctx)
    body: dict[str, Any] = name_text(message, template)
    if to is not None or csv is not None or ndjson is not None:
        records = _read_records(to, csv, ndjson, encoding=encoding)
        body |= {"to": to} if records is None else {"records": records[:BATCH_SIZE], "mapping": read_mapping(mapping)}
    answer = run.client.post("/v1/messages:preview", body)
    rows = (
        (
            str(each["index"] + 1),
            each["to"] or "",
            str(each["segments"]),
            each["encoding"] or "",
            each["text"] or "",
            " · ".join(
                [
                    *([each["reason"]] if each["reason"] else []),
                    *(f"{e['field']}: {e['message']}" for e in each["errors"]),
                ]
            ),
        )
        for each in answer["results"]
    )
    run.output.show(answer, render.table(("#row", "to", "#segments", "encoding", "text", "remarks"), rows))


def _read_records(
    to: str | None, csv: Path | None, ndjson: Path | None, *, encoding: str | None
) -> list[Record] | None:
    """The file's records; None where there is one recipient instead."""
    if sum(source is not None for source in (to, csv, ndjson)) != 1:
        raise Misused("name one of --to, --csv and --ndjson")
    if to is not None:
        return None
    records = read_csv(csv, encoding) if csv else read_ndjson(ndjson or Path(), encoding)
    if not records:
        raise Misused(f"{csv or ndjson} has no records")
    return records


def _plan(
    options: Mapping[str, Any],
    to: str | None,
    records: Sequence[Record] | None,
    *,
    mapping: Mapping[str, str],
    key: str,
) -> list[Batch]:
    if records is None:
        if mapping:
            raise Misused("--map has nothing to map: there is no file")
        return [Batch(0, 1, {**options, "to": to}, key)]
    return make_batches({**options, "mapping": mapping}, records, key=key)


def _dry(run: Context, batches: Sequence[Batch]) -> Sent:
    """Every batch checked and rendered by the connector. Raises what it refuses."""
    dry = [Batch(batch.first, batch.size, {**batch.document, "dryRun": True}, None) for batch in batches]
    checked = send_batches(run.client, dry, parallel=1)
    if checked.failures:
        raise checked.failures[0]
    return checked


def _show_dry(run: Context, checked: Sent) -> None:
    wrong = [result for result in checked.results if result["error"]]
    right = [result for result in checked.results if not result["error"]]
    segments = sum(result["segments"] for result in right)
    rows = (
        (str(result["index"] + 1), result["to"], str(result["segments"]), result["encoding"], result["text"])
        for result in right[:SHOWN_TEXTS]
    )
    run.output.show(
        {"results": checked.results, "segments": segments, "dryRun": True},
        render.table(("#row", "to", "#segments", "encoding", "text"), rows),
        *([f"… and {len(right) - SHOWN_TEXTS} more"] if len(right) > SHOWN_TEXTS else []),
        *([render.results(wrong)] if wrong else []),
        f"{len(right)} messages, {segments} segments; nothing was sent",
    )


def _send(run: Context, batches: Sequence[Batch], *, key: str, parallel: int) -> None:
    total = sum(batch.size for batch in batches)
    with run.output.progress() as bar:
        task = bar.add_task("sending", total=total)
        sent = send_batches(run.client, batches, parallel=parallel, progress=lambda count: bar.advance(task, count))
    if sent.results:
        _show_sent(run, sent, key=key)
    if sent.failures:
        raise _explain(sent, key=key, total=total)
    if any(result["status"] not in render.ARRIVED | render.ON_THE_WAY for result in sent.results):
        raise typer.Exit(NOT_DELIVERED)


def _show_sent(run: Context, sent: Sent, *, key: str) -> None:
    """One message in full; of many, those that have not arrived."""
    shown = [each for each in sent.results if each["status"] not in render.ARRIVED or len(sent.results) == 1]
    run.output.show(
        {"key": key, "results": sent.results, "summary": sent.summary},
        *([render.results(shown)] if shown else []),
        render.summary(sent.summary),
    )


def _explain(sent: Sent, *, key: str, total: int) -> CliError:
    """The first failure; and where part of the file is out already, how to go on."""
    failure = sent.failures[0]
    if sent.results:
        left = total - len(sent.results)
        failure.add_note(
            f"{left} of {total} records have no outcome yet: the same command with --key {key} goes on with them"
        )
    return failure
