"""`status`, `messages`, `cancel`, `redact`: messages that were sent before."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from cli import render
from cli.client import in_path
from cli.context import Context, context_of
from cli.errors import NOT_DELIVERED

MessageId = Annotated[str, typer.Argument(metavar="ID", help="The connector's own id: msg_…")]


def show_status(
    ctx: typer.Context,
    message_id: MessageId,
    *,
    history: Annotated[bool, typer.Option("--history", help="Every report on it.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Ask until its status is final.")] = False,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two questions of --watch.")] = 2.0,
) -> None:
    """Show one message. Exit code 1 when it will not be delivered."""
    run = context_of(ctx)
    answer = run.client.get(f"/v1/messages/{in_path(message_id)}")
    if watch:
        answer = _follow(run, answer, interval)
    entries = [render.history(answer["history"])] if history else []
    run.output.show(answer, render.message(answer), *entries)
    if answer["final"] and answer["status"] not in render.ARRIVED:
        raise typer.Exit(NOT_DELIVERED)


def _follow(run: Context, answer: dict[str, Any], interval: float) -> dict[str, Any]:
    """Return the message once it is final; on the way, each change is shown."""
    shown = None
    while not answer["final"]:
        if answer["status"] != shown:
            run.output.note(f"{render.moment(answer['updatedAt'])} {answer['status']}")
        shown = answer["status"]
        time.sleep(interval)
        answer = run.client.get(f"/v1/messages/{in_path(answer['id'])}")
    return answer


def list_messages(
    ctx: typer.Context,
    *,
    to: Annotated[str | None, typer.Option(help="Only messages to this number, of campaigns too.")] = None,
    status: Annotated[str | None, typer.Option(help="Only messages in this status.")] = None,
    reference: Annotated[str | None, typer.Option(help="Only messages with this reference.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Only messages of this campaign.")] = None,
    provider_id: Annotated[str | None, typer.Option(help="The provider's own id.")] = None,
    after: Annotated[str | None, typer.Option(help="Created after this time (RFC 3339).")] = None,
    before: Annotated[str | None, typer.Option(help="Created before this time (RFC 3339).")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows at most, newest first.")] = 25,
) -> None:
    """List messages of requests and campaigns, newest first."""
    run = context_of(ctx)
    query = {
        "to": to,
        "status": status,
        "reference": reference,
        "campaign": campaign,
        "providerMessageId": provider_id,
        "createdAfter": after,
        "createdBefore": before,
    }
    found = list(run.client.pages("/v1/messages", "messages", limit=limit, **query))
    run.output.show({"messages": found}, render.messages(found))


def cancel(ctx: typer.Context, message_id: MessageId) -> None:
    """Take back a message that was not sent yet."""
    _change(ctx, message_id, "cancel")


def redact(ctx: typer.Context, message_id: MessageId) -> None:
    """Have the provider forget the text of a message."""
    _change(ctx, message_id, "redact")


def _change(ctx: typer.Context, message_id: str, verb: str) -> None:
    run = context_of(ctx)
    answer = run.client.post(f"/v1/messages/{in_path(message_id)}:{verb}")
    run.output.show(answer, render.message(answer))
