"""`send` and `preview`: one message, or a file of records with a template."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import following, render
from cli.commands.options import (
    Attempts,
    CallbackUrl,
    Country,
    Csv,
    Duplicates,
    Encoding,
    Interval,
    Map,
    Media,
    Message,
    Ndjson,
    SendAt,
    SenderAddress,
    Strict,
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
from cli.errors import INTERRUPTED, NOT_DELIVERED, REFUSED, Interrupted, Misused, Refused
from cli.following import CAMPAIGNS, Campaign
from cli.sending import Followed, Result, follow
from cli.upload import CSV, NDJSON, Upload, packed

SEND, PREVIEW = "/v1/messages:send", "/v1/messages:preview"


class OnInvalid(StrEnum):
    REFUSE = "refuse"
    REPORT = "report"


Invalid = Annotated[
    OnInvalid | None,
    typer.Option(help="A record that is wrong: refuse all before any is sent, or report it and send the others."),
]
Key = Annotated[
    str | None,
    typer.Option(help="Idempotency key. The same file with the same key, within 24 hours, repeats nothing."),
]


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
    default_country: Country = None,
    sender: SenderAddress = None,
    media: Media = None,
    wait: Annotated[bool, typer.Option(help="Wait until tracking ends, or only until each was called.")] = True,
    interval: Interval = None,
    attempts: Attempts = None,
    validity: Validity = None,
    send_at: SendAt = None,
    callback_url: CallbackUrl = None,
    on_unknown: Unknown = None,
    on_invalid: Invalid = None,
    duplicates: Duplicates = None,
    strict: Strict = False,
    key: Key = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, render and count segments; send nothing.")] = False,
) -> None:
    """Send one message (--to), or one to each record of a file (--csv, --ndjson).

    A file becomes a campaign. Ctrl-C cancels what is not sent yet; a second one ends at once.
    """
    run = context_of(ctx)
    path, content_type = _source(to, csv, ndjson)
    options = given(
        {
            **name_text(message, template),
            "sender": sender,
            "mediaUrls": media or None,
            "defaultCountry": default_country,
            "onUnknown": on_unknown and on_unknown.value,
            "validitySeconds": validity,
            "sendAt": send_at,
            "callbackUrl": callback_url,
            "duplicates": duplicates and duplicates.value,
            "strict": strict or None,
        }
    )
    tracking = given({"retryIntervalMillis": to_millis(interval), "retryAttempts": attempts})
    key = key or uuid.uuid4().hex
    if path is None:
        if read_mapping(mapping):
            raise Misused("--map has nothing to map without a file")
        dry = {"dryRun": True} if dry_run else {}
        _send_one(run, {**options, "to": to, "tracking": {**tracking, "wait": wait}, **dry}, key=key)
        return
    query = given({**options, **tracking, "mapping": _write_mapping(mapping), "charset": encoding})
    with packed(path, content_type) as upload:
        if dry_run:
            _show_dry(run, upload, query)
            return
        _send_file(run, upload, query, key=key, wait=wait, refuse=on_invalid is not OnInvalid.REPORT)


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
    default_country: Country = None,
    sender: SenderAddress = None,
    strict: Strict = False,
) -> None:
    """Show what would be sent, its encoding and segments, and everything that is wrong with it. A file's first 100 records only.

    Exit code 2 when something is wrong.
    """
    run = context_of(ctx)
    text = name_text(message, template)
    options = given({**text, "defaultCountry": default_country, "sender": sender, "strict": strict or None})
    if to is None and csv is None and ndjson is None:
        answer = run.client.post(PREVIEW, options)
    else:
        path, content_type = _source(to, csv, ndjson)
        if path is None:
            answer = run.client.post(PREVIEW, {**options, "to": to})
        else:
            query = given({**options, "mapping": _write_mapping(mapping), "charset": encoding})
            with packed(path, content_type) as upload:
                answer = _preview_file(run, upload, query)
    run.output.show(answer, render.preview(answer["results"]))
    run.output.note(*render.warnings(answer.get("warnings", ())))
    if any(result["errors"] for result in answer["results"]):
        raise typer.Exit(REFUSED)


def _source(to: str | None, csv: Path | None, ndjson: Path | None) -> tuple[Path | None, str]:
    """Return the file and what it is; no file where there is one recipient instead."""
    if sum(source is not None for source in (to, csv, ndjson)) != 1:
        raise Misused("name one of --to, --csv and --ndjson")
    return csv or ndjson, NDJSON if csv is None else CSV


def _write_mapping(pairs: Sequence[str] | None) -> str | None:
    mapping = read_mapping(pairs)
    return json.dumps(mapping) if mapping else None


def _send_one(run: Context, document: Mapping[str, Any], *, key: str) -> None:
    if "dryRun" in document:
        answer = run.client.post(SEND, document)
        run.output.show(answer, render.texts(answer["results"]), "nothing was sent")
        run.output.note(*render.warnings(answer["warnings"]))
        return
    run.output.note(f"--key {key} (the same command with this key sends nothing twice)")
    with _interruptible(f"it may have been sent: `sms messages --to {document['to']}` shows it", key):
        answer = run.client.post(SEND, document, key=key)
    _show_sent(run, {"key": key}, answer["results"])
    run.output.note(*render.warnings(answer.get("warnings", ())))
    _exit_by(answer["results"])


def _preview_file(run: Context, upload: Upload, query: Mapping[str, Any]) -> Any:
    return run.client.upload(PREVIEW, upload.file, headers=upload.headers, query=query)


def _plan(run: Context, upload: Upload, query: Mapping[str, Any]) -> Any:
    return run.client.upload(CAMPAIGNS, upload.file, headers=upload.headers, query={**query, "dryRun": True})


def _show_dry(run: Context, upload: Upload, query: Mapping[str, Any]) -> None:
    plan = _plan(run, upload, query)
    kept = ("message", "template", "mapping", "charset", "defaultCountry", "sender", "strict")
    shown = _preview_file(run, upload, {name: query[name] for name in kept if name in query})["results"]
    texts = [result for result in shown if not result["errors"]][: render.SHOWN_TEXTS]
    run.output.show({**plan, "results": texts}, render.preview(texts), *render.plan(plan))
    run.output.note(*render.warnings(plan["warnings"]))
    if plan["wouldBeRefused"]:
        raise typer.Exit(REFUSED)


def _refuse_wrong_records(run: Context, upload: Upload, query: Mapping[str, Any]) -> None:
    """Raises Refused with every record that can't be sent, before any is sent. A duplicate is skipped, not refused."""
    plan = _plan(run, upload, query)
    wrong = [each for each in plan["refusals"] if each["kind"] != "DUPLICATE"]
    if wrong:
        message = (
            f"{plan['refused']:,} of {plan['total']:,} records can't be sent; correct them, or use --on-invalid report"
        )
        raise Refused(400, {"error": {"message": message, "details": [*wrong, {"message": message}]}})


def _send_file(run: Context, upload: Upload, query: Mapping[str, Any], *, key: str, wait: bool, refuse: bool) -> None:
    if refuse:
        _refuse_wrong_records(run, upload, query)
    run.output.note(f"--key {key} (the same command with this key sends nothing twice)")
    with _interruptible("the file may have been taken: `sms campaign list` shows it", key):
        campaign: Campaign = run.client.upload(CAMPAIGNS, upload.file, headers=upload.headers, query=query, key=key)
    run.output.note(*render.warnings(campaign.get("warnings", ())))
    with run.output.progress() as bar:
        task = bar.add_task("sending", total=campaign["total"])

        def show(seen: Campaign) -> None:
            bar.update(task, completed=following.settled(seen), description=following.describe(seen))

        followed = follow(run.client, campaign, wait=wait, progress=show, notify=run.output.note)
    path = following.path_of(campaign["id"], "/results")
    results = list(run.client.pages(path, "results", limit=campaign["total"]))
    _show_sent(run, {"key": key, "campaign": campaign["id"]}, results)
    _end(run, followed, results)


def _end(run: Context, followed: Followed, results: Sequence[Result]) -> None:
    campaign = followed.campaign
    if followed.interrupted:
        left = sum(result["status"] == "canceled" for result in results)
        run.output.note(f"interrupted: {left} of {len(results)} records were not sent, and will not be")
        raise typer.Exit(INTERRUPTED)
    if campaign["state"] == "paused":
        why = f": {campaign['reason']}" if campaign["reason"] else ""
        run.output.note(f"paused{why}; `sms campaign resume {campaign['id']}` goes on")
        raise typer.Exit(NOT_DELIVERED)
    _exit_by(results)


def _exit_by(results: Sequence[Result]) -> None:
    if any(result["status"] not in render.ARRIVED | render.ON_THE_WAY for result in results):
        raise typer.Exit(NOT_DELIVERED)


def _show_sent(run: Context, head: Mapping[str, Any], results: Sequence[Result]) -> None:
    """Return one message in full; of many, those that have not arrived."""
    summary = dict(Counter(result["status"] for result in results))
    shown = [each for each in results if each["status"] not in render.ARRIVED or len(results) == 1]
    run.output.show(
        {**head, "results": results, "summary": summary},
        *([render.results(shown)] if shown else []),
        render.summary(summary),
    )


@contextmanager
def _interruptible(outcome: str, key: str) -> Any:
    """Ctrl-C while a request is under way: it is unknown whether it was carried out."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted: {outcome}; the same command with --key {key} sends nothing twice") from None
