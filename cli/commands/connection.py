"""`test`, `connection`, `limits`, `suspend`, `resume`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from cli import render
from cli.context import context_of
from cli.errors import NOT_DELIVERED

ACTIVE = "ACTIVE"


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


def describe(ctx: typer.Context) -> None:
    """Show the connection: provider, senders, nodes, proxy, what the provider can do, whether it is suspended."""
    run = context_of(ctx)
    answer = run.client.get("/v1/connection")
    run.output.show(answer, _describe(answer))


def limits(ctx: typer.Context) -> None:
    """Show what is left of the rates, in calls to the provider."""
    run = context_of(ctx)
    answer = run.client.get("/v1/limits")
    node, connection = answer["node"], answer["connection"]
    pairs = [
        ("node", f"{node['startedLastSecond']} of {node['ratePerSecond']} calls in the last second"),
        ("free now", str(node["availableNow"])),
        ("queued", f"{node['queued']}, a call that comes now waits {node['waitMillis']} ms"),
        ("refused above", f"{node['queueLimitMillis']} ms of waiting"),
    ]
    if connection:
        share = connection["share"]
        pairs.append(("connection", f"{connection['ratePerSecond']} calls a second, this node's share: {share}"))
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


def _describe(connection: Mapping[str, Any]) -> Table:
    state = render.status(connection["state"])
    if connection["state"] != ACTIVE:
        state.append(
            f" since {render.moment(connection['since'])}" + f": {connection['reason']}" * bool(connection["reason"])
        )
    nodes, proxy, can = connection["nodes"], connection["proxy"], connection["capabilities"]
    return render.facts(
        (
            ("name", connection["name"]),
            ("state", state),
            ("description", connection["description"] or "–"),
            ("labels", ", ".join(f"{name}={value}" for name, value in connection["labels"].items()) or "–"),
            ("provider", connection["provider"]),
            ("region", connection["region"] or "–"),
            ("nodes", "–" if nodes["max"] is None else f"{nodes['min'] or 0} to {nodes['max']}"),
            ("proxy", f"{proxy['url']} (auth {proxy['auth']}, ssl {proxy['ssl']})" if proxy else "none"),
            (
                "senders",
                ", ".join(f"{each['address']} ({each['kind']})" for each in connection["senders"]) or "none by default",
            ),
            ("statuses by", "callbacks" if connection["callbacks"] else "polling"),
            ("can", ", ".join(sorted(name for name, value in can.items() if value is True)) or "–"),
        )
    )
