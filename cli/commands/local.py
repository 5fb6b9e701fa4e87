"""`demo` and `serve`: the connector on this machine, with a sandbox in the provider's place. They need a checkout."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Annotated

import typer

from cli.context import context_of
from cli.errors import NOT_DELIVERED

PORT, SANDBOX_PORT = 8080, 8800


def demo(ctx: typer.Context) -> None:
    """Send 100 example records as a campaign to a sandbox, and show what became of each."""
    from cli.demo import run_demo

    run = context_of(ctx)
    if not run_demo(run.output, run.environ):
        raise typer.Exit(NOT_DELIVERED)


def serve(
    ctx: typer.Context,
    *,
    port: Annotated[int, typer.Option(help="Of the connector; 0 takes a free one.")] = PORT,
    sandbox_port: Annotated[int, typer.Option(help="Of the sandbox; 0 takes a free one.")] = SANDBOX_PORT,
    worker_port: Annotated[int, typer.Option(help="Of the worker, which carries campaigns out.")] = 0,
    webhook_port: Annotated[int, typer.Option(help="Of the webhook, which the provider calls back.")] = 0,
    delivery_seconds: Annotated[float, typer.Option(min=0, help="How long the sandbox takes to deliver.")] = 2.0,
    folder: Annotated[
        Path | None, typer.Option(help="For ledger, queue, secrets and logs, kept; else a temporary one, thrown away.")
    ] = None,
) -> None:
    """Keep connector, worker, webhook and sandbox up until interrupted, and print their addresses."""
    from cli.stack import running_stack

    run = context_of(ctx)
    with tempfile.TemporaryDirectory(prefix="sms-serve-") as temporary:
        place = folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        ports = {"sandbox": sandbox_port, "connector": port, "worker": worker_port, "webhook": webhook_port}
        with running_stack(place, delivery_seconds=delivery_seconds, ports=ports) as stack:
            addresses = {**stack.urls, "sandbox": stack.sandbox_url}
            people = [f"{name:<10} {url}" for name, url in addresses.items()]
            run.output.show({"urls": addresses}, *people, *_examples(stack.url, place))
            threading.Event().wait()


def _examples(url: str, folder: Path) -> tuple[str, ...]:
    return (
        f"ledger and logs in {folder}; Ctrl-C ends all of it",
        "",
        f"curl -s {url}/v1/messages:send -H 'Content-Type: application/json' \\",
        """  -d '{"to": "+15558675310", "message": "Your code is 1234", "tracking": {"wait": true}}'""",
        f"curl -s {url}/v1/messages",
        f"""export SMS_CLI_URL={url}; .venv/bin/sms send --to +15558675310 --message "Your code is 1234\"""",
        """.venv/bin/sms campaign create examples/customers.csv --message "Hello <Vorname>" --map to=Mobilnummer""",
        f"{url}/openapi.json describes everything",
    )
