"""`opt-outs` and `inbound`: who is not written to, and what came in."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli import render
from cli.client import in_path
from cli.commands.options import Limit
from cli.context import context_of
from cli.errors import REFUSED, Misused, Refused
from cli.upload import CSV, packed

Number = Annotated[str, typer.Argument(help="Such as +15558675310.")]

OptOutFile = Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file.")]
Column = Annotated[str, typer.Option(help="Which column has the numbers.")]
Reason = Annotated[str, typer.Option(help="Why, for all; left out: the file's column 'reason'.")]
COLUMNS = ("number", "source", "reason", "since")

opt_outs = typer.Typer(help="Who is never written to.", no_args_is_help=True)


@opt_outs.command("list")
def list_opt_outs(ctx: typer.Context, *, limit: Limit = 100) -> None:
    """Show opt-outs, newest first."""
    run = context_of(ctx)
    found = list(run.client.pages("/v1/optOuts", "optOuts", limit=limit))
    run.output.show({"optOuts": found}, _opt_outs(found))


@opt_outs.command("add")
def add_opt_out(ctx: typer.Context, number: Number, *, reason: Annotated[str, typer.Option()] = "") -> None:
    """Never write to this recipient again."""
    run = context_of(ctx)
    body = {"reason": reason} if reason else {}
    answer = run.client.call("PUT", f"/v1/optOuts/{in_path(number)}", document=body)
    run.output.show(answer, _opt_outs([answer]))


@opt_outs.command("show")
def show_opt_out(ctx: typer.Context, number: Number) -> None:
    """Show a person's consent with every change: when, why, and by which message or caller."""
    run = context_of(ctx)
    answer = run.client.call("GET", f"/v1/optOuts/{in_path(number)}")
    rows = (
        (
            render.moment(each["at"]),
            "opted out" if each["optedOut"] else "consent given again",
            each["source"],
            each["reason"] or "",
            each["messageId"] or each["caller"] or "",
        )
        for each in answer["history"]
    )
    state = "has opted out" if answer["optedOut"] else "may be written to"
    run.output.show(
        answer, f"{answer['number']} {state}", render.table(("when", "what", "source", "reason", "by"), rows)
    )


@opt_outs.command("export")
def export_opt_outs(ctx: typer.Context, file: OptOutFile) -> None:
    """Write all opt-outs to a CSV file: number, source, reason, since."""
    run = context_of(ctx)
    count = 0
    try:
        with file.open("w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            for each in run.client.pages("/v1/optOuts", "optOuts", limit=sys.maxsize):
                writer.writerow((each["number"], each["source"], each["reason"] or "", each["createdAt"]))
                count += 1
    except OSError as error:
        raise Misused(f"{file} can't be written: {error.strerror}") from None
    run.output.show({"exported": count, "file": str(file)}, f"{count} opt-outs written to {file}")


@opt_outs.command("import")
def import_opt_outs(ctx: typer.Context, file: OptOutFile, *, column: Column = "number", reason: Reason = "") -> None:
    """Add every number of a CSV file as an opt-out; invalid numbers are shown, the others are added."""
    run = context_of(ctx)
    with packed(file, CSV) as upload:
        query = {"column": column, "reason": reason or None}
        try:
            answer = run.client.upload("/v1/optOuts:import", upload.file, headers=upload.headers, query=query)
        except Refused as error:
            if str(error).startswith("column:"):
                raise Misused(f"{file}: {error}; name the right one with --column") from None
            raise
    problems = [f"line {each['line']}: {each['message']}" for each in answer["problems"]]
    said = f"{answer['added']} opt-outs added, {answer['unchanged']} had opted out already, {answer['refused']} refused"
    run.output.show(answer, said, *problems)
    if answer["refused"]:
        raise typer.Exit(REFUSED)


@opt_outs.command("remove")
def remove_opt_out(ctx: typer.Context, number: Number) -> None:
    """Allow messages to this recipient again."""
    run = context_of(ctx)
    answer = run.client.call("DELETE", f"/v1/optOuts/{in_path(number)}")
    run.output.show(answer, f"{number} may be written to again")


def inbound(
    ctx: typer.Context,
    *,
    sender: Annotated[str | None, typer.Option("--from", help="Only messages of this number.")] = None,
    limit: Limit = 25,
) -> None:
    """Show inbound messages, newest first."""
    run = context_of(ctx)
    found = list(run.client.pages("/v1/inboundMessages", "inboundMessages", limit=limit, sender=sender))
    rows = (
        (
            render.moment(each["receivedAt"]),
            each["sender"],
            each["to"],
            each["text"],
            each["keyword"] or "",
            each["inReplyTo"] or "",
            "\n".join(each["mediaUrls"]),
        )
        for each in found
    )
    titles = ("received", "from", "to", "text", "keyword", "in reply to", "media")
    run.output.show({"inboundMessages": found}, render.table(titles, rows))


def _opt_outs(found: Iterable[Mapping[str, Any]]) -> Table:
    rows = ((each["number"], each["source"], each["reason"] or "", render.moment(each["createdAt"])) for each in found)
    return render.table(("number", "source", "reason", "since"), rows)
