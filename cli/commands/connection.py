"""`test`, `connection`, `senders`, `limits`, `suspend`, `resume`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from cli import render
from cli.context import context_of
from cli.errors import NOT_DELIVERED, Misused

ACTIVE = "ACTIVE"

connection = typer.Typer(help="The connection: what it is, and its addresses.")


def test(ctx: typer.Context) -> None:
    """Ask the provider whether it is there and knows us; nothing is sent. Exit code 0 only when ACTIVE."""
    run = context_of(ctx)
    answer = run.client.post("/v1/connection:test")
    run.output.show(
        answer,
        render.facts(
            (
                ("state", render.status(answer["state"])),
                ("description", answer["description"]),
                ("latency", f"{answer['latencyMillis']} ms"),
            )
        ),
    )
    if answer["state"] != ACTIVE:
        raise typer.Exit(NOT_DELIVERED)


@connection.callback(invoke_without_command=True)
def describe(ctx: typer.Context) -> None:
    """Show the connection: provider, senders, nodes, proxy, what the provider can do, whether it is suspended."""
    if ctx.invoked_subcommand is not None:
        return
    run = context_of(ctx)
    answer = run.client.get("/v1/connection")
    run.output.show(answer, _describe(answer))


@connection.command("addresses")
def show_addresses(ctx: typer.Context) -> None:
    """Show the addresses that the provider calls, and where to enter each at the provider. Keep them secret."""
    run = context_of(ctx)
    answer = run.client.get("/v1/connection/addresses")
    lines = [
        line
        for each in answer["addresses"]
        for line in (f"{each['kind']:<8} {each['url']}", f"         {each['enterAt']}")
    ]
    run.output.show(answer, *(lines or ["none: the connection has no webhook (SMS_WEBHOOK_URL), statuses are polled"]))


def rotate(
    ctx: typer.Context,
    *,
    secret: Annotated[str, typer.Argument(help="Such as auth-token, api-key-secret or api-key.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show where it stands and what would be done.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until it is done; the old credential is kept an hour.")
    ] = False,
    rotator_url: Annotated[str, typer.Option(envvar="SMS_CLI_ROTATOR_URL", help="The rotator's address.")] = "",
) -> None:
    """Make a new credential at the provider and put it in the old one's place, with no failed send and no gap.

    It goes on with each call and each notice of Secret Manager; one that broke off is carried on.
    """
    run = context_of(ctx)
    if not rotator_url:
        raise Misused(
            "name the rotator's address with --rotator-url or SMS_CLI_ROTATOR_URL; `make serve` prints it, a stack has it as an output"
        )
    client = run.client_of(rotator_url)
    while True:
        answer = client.call("POST", "/v1/rotations:run", document={"secret": secret, "dryRun": dry_run})
        if not wait or dry_run or answer["state"] == "DONE":
            break
        run.output.note(f"{answer['stage']}; on in {answer['retryAfterSeconds']:.0f} s")
        time.sleep(answer["retryAfterSeconds"] + 0.5)
    stages = answer["stages"]
    done = len(stages) if answer["state"] == "DONE" else stages.index(answer["stage"])
    marks = ["done" if place < done else "now" if place == done else "then" for place in range(len(stages))]
    on = f"on in {answer['retryAfterSeconds']:.0f} s, by the same command or the next notice"
    summary = {"DONE": "done", "PLANNED": "nothing was done", "WAITING": on}[answer["state"]]
    run.output.show(answer, *(f"{mark:<5} {stage}" for mark, stage in zip(marks, stages, strict=True)), summary)


def senders(ctx: typer.Context) -> None:
    """List the senders, and what the provider can do for each."""
    run = context_of(ctx)
    answer = run.client.get("/v1/senders")
    run.output.show(answer, render.senders(answer["senders"]))


def limits(ctx: typer.Context) -> None:
    """Show what is left of the rates, in calls to the provider."""
    run = context_of(ctx)
    answer = run.client.get("/v1/limits")
    node, whole = answer["node"], answer["connection"]
    pairs = [
        ("node", f"{node['startedLastSecond']} of {node['ratePerSecond']} calls in the last second"),
        ("free now", str(node["availableNow"])),
        ("queued", f"{node['queued']}, a call that comes now waits {node['waitMillis']} ms"),
        ("refused above", f"{node['queueLimitMillis']} ms of waiting"),
    ]
    if whole:
        share = whole["share"]
        pairs.append(("connection", f"{whole['ratePerSecond']} calls a second, this node's share: {share}"))
    run.output.show(answer, render.facts(pairs))


def suspend(
    ctx: typer.Context, *, reason: Annotated[str, typer.Option(help="Shown to callers who send meanwhile.")] = ""
) -> None:
    """Send nothing until resumed. Callbacks and inbound messages still work."""
    run = context_of(ctx)
    answer = run.client.post("/v1/connection:suspend", {"reason": reason} if reason else {})
    run.output.show(answer, _describe(answer))


def resume(ctx: typer.Context) -> None:
    """Send again."""
    run = context_of(ctx)
    answer = run.client.post("/v1/connection:resume")
    run.output.show(answer, _describe(answer))


def _describe(answer: Mapping[str, Any]) -> Table:
    state = render.status(answer["state"])
    if answer["state"] != ACTIVE:
        state.append(f" since {render.moment(answer['since'])}" + f": {answer['reason']}" * bool(answer["reason"]))
    nodes, proxy, can = answer["nodes"], answer["proxy"], answer["capabilities"]
    return render.facts(
        (
            ("name", answer["name"]),
            ("business unit", answer["businessUnit"] or "–"),
            ("state", state),
            ("description", answer["description"] or "–"),
            ("labels", ", ".join(f"{name}={value}" for name, value in answer["labels"].items()) or "–"),
            ("provider", answer["provider"]),
            ("region", answer["region"] or "–"),
            ("nodes", "–" if nodes["max"] is None else f"{nodes['min'] or 0} to {nodes['max']}"),
            ("proxy", f"{proxy['url']} (auth {proxy['auth']}, ssl {proxy['ssl']})" if proxy else "none"),
            (
                "senders",
                ", ".join(render.sender(each) for each in answer["senders"]) or "none by default",
            ),
            ("statuses by", "callbacks" if answer["callbacks"] else "polling"),
            ("can", ", ".join(sorted(name for name, value in can.items() if value is True)) or "–"),
        )
    )
