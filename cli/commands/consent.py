"""`optouts` and `inbound`: who is not written to, and what came in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from cli import render
from cli.client import in_path
from cli.commands.options import Limit
from cli.context import context_of

Number = Annotated[str, typer.Argument(help="In E.164 form: +15558675310.")]

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
        (render.moment(each["receivedAt"]), each["sender"], each["to"], each["text"], each["keyword"] or "")
        for each in found
    )
    run.output.show({"inboundMessages": found}, render.table(("received", "from", "to", "text", "keyword"), rows))


def _opt_outs(found: Iterable[Mapping[str, Any]]) -> Table:
    rows = ((each["number"], each["source"], each["reason"] or "", render.moment(each["createdAt"])) for each in found)
    return render.table(("number", "source", "reason", "since"), rows)
