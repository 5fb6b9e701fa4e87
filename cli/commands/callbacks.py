"""`replay`: callbacks to callers that were given up, and telling them again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import render
from cli.client import Client, in_path
from cli.commands.options import Limit
from cli.context import context_of
from cli.errors import Misused

CALLBACKS = "/v1/callbacks"
GIVEN_UP = "given_up"


def replay(
    ctx: typer.Context,
    callback_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="The callback's id: cb_…")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All that were given up.")] = False,
    limit: Limit = 100,
) -> None:
    """Post a notification again. Without an id: list those that were given up."""
    run = context_of(ctx)
    if callback_id is not None and everything:
        raise Misused("name one callback, or --all")
    if callback_id is not None:
        found = [_replay(run.client, callback_id)]
    else:
        found = list(run.client.pages(CALLBACKS, "callbacks", limit=10**9 if everything else limit, state=GIVEN_UP))
    if everything:
        with run.output.progress() as bar:
            found = [_replay(run.client, each["id"]) for each in bar.track(found, description="telling again")]
    run.output.show({"callbacks": found}, render.callbacks(found) if found else "no callback was given up")


def _replay(client: Client, callback_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.call("POST", f"{CALLBACKS}/{in_path(callback_id)}:replay")
    return answer
