"""`campaign`: create, show, watch, pause, resume, cancel, retry, list, results."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import following, render
from cli.commands.options import (
    MESSAGE,
    Attempts,
    CallbackUrl,
    Country,
    Duplicates,
    Encoding,
    Interval,
    Limit,
    Map,
    Media,
    SendAt,
    SenderAddress,
    Strict,
    Template,
    Unknown,
    Validity,
    given,
    name_text,
    read_mapping,
    to_millis,
)
from cli.context import Context, context_of
from cli.errors import INTERRUPTED, NOT_DELIVERED, REFUSED, Misused
from cli.files import replacing
from cli.following import CAMPAIGNS, Campaign, path_of
from cli.identity import is_loopback
from cli.upload import JSON, PIECE, content_type_of, packed

# cloud.google.com/run/quotas: the largest HTTP/1 request. A local run has no such limit.
PLATFORM_BYTES = 32 * 1024 * 1024
ELSEWHERE = ("gs://", "file:")

CampaignId = Annotated[str, typer.Argument(metavar="ID", help="The campaign's id: cmp_…")]
File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help=(
            "Records as .csv or .ndjson; a whole request as .json; each also as .gz. "
            "Or what the connector reads by itself: gs://bucket/object."
        ),
    ),
]
Watch = Annotated[bool, typer.Option(help="Follow it to its end.")]
LookEvery = Annotated[float, typer.Option("--every", min=0.1, help="Seconds between two looks at it.")]
Reason = Annotated[str, typer.Option(help="Kept with the campaign.")]

campaigns = typer.Typer(help="Up to 1 000 000 records, carried out by the queue.", no_args_is_help=True)


@campaigns.command("create")
def create(
    ctx: typer.Context,
    file: File,
    *,
    message: Annotated[str | None, MESSAGE] = None,
    template: Template = None,
    mapping: Map = None,
    encoding: Encoding = None,
    default_country: Country = None,
    sender: SenderAddress = None,
    media: Media = None,
    interval: Interval = None,
    attempts: Attempts = None,
    validity: Validity = None,
    send_at: SendAt = None,
    callback_url: CallbackUrl = None,
    on_unknown: Unknown = None,
    duplicates: Duplicates = None,
    strict: Strict = False,
    name: Annotated[str | None, typer.Option(help="Of the campaign, for people.")] = None,
    reference: Annotated[str | None, typer.Option(help="Your own name for the campaign.")] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Idempotency key. The same file with the same key, within 24 hours, is one campaign."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, count and forecast; send nothing.")] = False,
    watch: Watch = True,
    every: LookEvery = following.LOOK_SECONDS,
) -> None:
    """Send a file. Exit code 1 when some record was not delivered; with --no-watch it ends when all records are kept.

    With --dry-run, exit code 2 when the same command without it would be refused.
    """
    run = context_of(ctx)
    options = {
        "message": message,
        "template": template,
        "name": name,
        "reference": reference,
        "mapping": read_mapping(mapping) or None,
        "charset": encoding,
        "defaultCountry": default_country,
        "sender": sender,
        "mediaUrls": media or None,
        "retryIntervalMillis": to_millis(interval),
        "retryAttempts": attempts,
        "validitySeconds": validity,
        "sendAt": send_at,
        "callbackUrl": callback_url,
        "onUnknown": on_unknown and on_unknown.value,
        "duplicates": duplicates and duplicates.value,
        "strict": strict or None,
        "dryRun": dry_run or None,
    }
    key = key or uuid.uuid4().hex
    if not dry_run:
        run.output.note(f"--key {key} (the same command with this key sends nothing twice)")
    answer = _create(run, file, given(options), key=None if dry_run else key)
    _show_created(run, answer, watch=watch, every=every)


def _show_created(run: Context, answer: Mapping[str, Any], *, watch: bool, every: float) -> None:
    run.output.note(*render.warnings(answer.get("warnings", ())))
    if "forecast" in answer:
        run.output.show(answer, *render.plan(answer))
        if answer["wouldBeRefused"]:
            raise typer.Exit(REFUSED)
    elif watch:
        _watch(run, dict(answer), every)
    else:
        run.output.show(answer, render.campaign(answer))


@campaigns.command("show")
def show(ctx: typer.Context, campaign_id: CampaignId) -> None:
    """Show a campaign: its message, its state and its counts."""
    run = context_of(ctx)
    found = run.client.get(path_of(campaign_id))
    run.output.show(found, render.campaign(found))


@campaigns.command("watch")
def watch_campaign(ctx: typer.Context, campaign_id: CampaignId, *, every: LookEvery = following.LOOK_SECONDS) -> None:
    """Follow a campaign to its end. Exit code 1 when some record was not delivered."""
    run = context_of(ctx)
    _watch(run, run.client.get(path_of(campaign_id)), every)


@campaigns.command("pause")
def pause(ctx: typer.Context, campaign_id: CampaignId, *, reason: Reason = "") -> None:
    """Stop sending for now. What was called already keeps its outcome."""
    _move(ctx, campaign_id, "pause", reason)


@campaigns.command("resume")
def resume(ctx: typer.Context, campaign_id: CampaignId, *, reason: Reason = "") -> None:
    """Go on where it was paused."""
    _move(ctx, campaign_id, "resume", reason)


@campaigns.command("cancel")
def cancel(ctx: typer.Context, campaign_id: CampaignId, *, reason: Reason = "") -> None:
    """Send nothing more of it, for good."""
    _move(ctx, campaign_id, "cancel", reason)


@campaigns.command("retry")
def retry(
    ctx: typer.Context, campaign_id: CampaignId, *, watch: Watch = True, every: LookEvery = following.LOOK_SECONDS
) -> None:
    """Send the records that failed and can safely be sent now, as a new campaign. The same command again sends nothing twice."""
    run = context_of(ctx)
    answer = run.client.post(path_of(campaign_id, ":retry"), {})
    if watch:
        _watch(run, answer, every)
    else:
        run.output.show(answer, render.campaign(answer))


@campaigns.command("list")
def list_campaigns(
    ctx: typer.Context,
    *,
    state: Annotated[str | None, typer.Option(help="Only those: accepting, running, paused, done, canceled.")] = None,
    limit: Limit = 25,
) -> None:
    """List campaigns, newest first."""
    run = context_of(ctx)
    found = list(run.client.pages(CAMPAIGNS, "campaigns", limit=limit, state=state))
    run.output.show({"campaigns": found}, render.campaigns(found))


@campaigns.command("results")
def results(
    ctx: typer.Context,
    campaign_id: CampaignId,
    *,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all of them there, as CSV.")] = None,
    status: Annotated[str | None, typer.Option(help="Only those, such as delivered, failed or error.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows at most, in the order of the records.")] = 100,
) -> None:
    """Show what became of each record, or write it to a file."""
    run = context_of(ctx)
    if csv is None:
        found = list(run.client.pages(path_of(campaign_id, "/results"), "results", limit=limit, status=status))
        run.output.show({"results": found}, render.results(found))
        return
    with replacing(csv) as into:
        run.client.download(path_of(campaign_id, "/results"), "text/csv", into, status=status)
        size = into.tell()
    run.output.show({"file": str(csv), "bytes": size}, f"{csv}: {size:,} bytes")


def _create(run: Context, file: str, options: Mapping[str, Any], *, key: str | None) -> Campaign:
    """Return the campaign; for a dry run, what it would be."""
    if file.startswith(ELSEWHERE):
        answer: Campaign = run.client.post(CAMPAIGNS, _to_document(file, options), key=key)
        return answer
    path = Path(file)
    is_document = content_type_of(path) == JSON
    if is_document and options:
        raise Misused(f"{path} is a whole request: {', '.join(sorted(options))} stands in it, or nowhere")
    if not is_document:
        name_text(options.get("message"), options.get("template"))
    query = {**options, "mapping": json.dumps(options["mapping"])} if "mapping" in options else options
    with run.output.progress() as bar:
        task = bar.add_task("reading, in pieces", total=-(-_size_of(path) // PIECE))
        with packed(path, content_type_of(path), progress=lambda _: bar.advance(task)) as upload:
            if upload.size > PLATFORM_BYTES and not is_loopback(run.url):
                raise Misused(
                    f"{path} has {upload.size:,} bytes when packed, and the platform takes {PLATFORM_BYTES:,}: put it into a bucket "
                    "that the connector may read, and name it instead: gs://bucket/object"
                )
            bar.update(task, description="handing over")
            created: Campaign = run.client.upload(CAMPAIGNS, upload.file, headers=upload.headers, query=query, key=key)
            return created


def _to_document(source: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as a JSON request has them: tracking is an object of its own there."""
    document = {"source": source, **options}
    tracking = {name: document.pop(name) for name in ("retryIntervalMillis", "retryAttempts") if name in document}
    return {**document, "tracking": tracking} if tracking else document


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise Misused(f"{path} can't be read: {error.strerror}") from None


def _watch(run: Context, campaign: Campaign, every: float) -> None:
    try:
        with run.output.progress() as bar:
            campaign = following.watch(run.client, campaign, bar, interval=every)
    except KeyboardInterrupt:
        run.output.note(
            f"it goes on by itself; `sms campaign watch {campaign['id']}` follows it, `sms campaign pause {campaign['id']}` stops it"
        )
        raise typer.Exit(INTERRUPTED) from None
    run.output.show(campaign, render.campaign(campaign))
    if not following.arrived(campaign):
        run.output.note(f"`sms campaign results {campaign['id']}` shows the outcome of each record")
        raise typer.Exit(NOT_DELIVERED)


def _move(ctx: typer.Context, campaign_id: str, verb: str, reason: str) -> None:
    run = context_of(ctx)
    answer = run.client.post(path_of(campaign_id, f":{verb}"), {"reason": reason} if reason else {})
    run.output.show(answer, render.campaign(answer))
