"""`demo` and `serve`: the connector on this machine, with a sandbox in the provider's place. They need a checkout.

`proxy`: a deployed connector at an address of this machine.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import context_of
from cli.errors import NOT_DELIVERED, Misused, Unavailable

if TYPE_CHECKING:
    from cli.stack import Stack

PORT, PROXY_PORT, SANDBOX_PORT = 8080, 8090, 8800
SANDBOX_URL = f"http://127.0.0.1:{SANDBOX_PORT}"
PROVIDER = "twilio"
Provider = Annotated[str, typer.Option(help="The simulated provider.")]

sandbox = typer.Typer(help="The simulator in the provider's place.", no_args_is_help=True)


def demo(ctx: typer.Context, *, provider: Provider = PROVIDER) -> None:
    """Send 100 example records as a campaign to a sandbox, and show what became of each."""
    from cli.demo import run_demo

    run = context_of(ctx)
    if not run_demo(run.output, run.environ, provider=provider):
        raise typer.Exit(NOT_DELIVERED)


def serve(
    ctx: typer.Context,
    *,
    provider: Provider = PROVIDER,
    port: Annotated[int, typer.Option(help="Of the connector; 0 takes a free one.")] = PORT,
    sandbox_port: Annotated[int, typer.Option(help="Of the sandbox; 0 takes a free one.")] = SANDBOX_PORT,
    worker_port: Annotated[int, typer.Option(help="Of the worker, which carries campaigns out.")] = 0,
    webhook_port: Annotated[int, typer.Option(help="Of the webhook, which the provider calls back.")] = 0,
    rotator_port: Annotated[int, typer.Option(help="Of the rotator, which rotates credentials.")] = 0,
    delivery_seconds: Annotated[float, typer.Option(min=0, help="How long the sandbox takes to deliver.")] = 2.0,
    folder: Annotated[
        Path | None, typer.Option(help="For ledger, queue, secrets and logs, kept; else a temporary one, thrown away.")
    ] = None,
) -> None:
    """Keep connector, worker, webhook, rotator and sandbox up until interrupted, and print their addresses."""
    from cli.stack import ROTATOR, TARGETS, running_stack

    run = context_of(ctx)
    with tempfile.TemporaryDirectory(prefix="sms-serve-") as temporary:
        place = folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        ports = {"sandbox": sandbox_port, "connector": port, "worker": worker_port, "webhook": webhook_port}
        ports[ROTATOR] = rotator_port
        targets = (*TARGETS, ROTATOR)
        with running_stack(
            place, provider=provider, delivery_seconds=delivery_seconds, ports=ports, targets=targets
        ) as stack:
            addresses = {**stack.urls, "sandbox": stack.sandbox_url, "inbound": stack.inbound_url}
            people = [f"{name:<10} {url}" for name, url in addresses.items()]
            run.output.show({"urls": addresses}, *people, *_examples(stack, place))
            threading.Event().wait()


def proxy(
    ctx: typer.Context,
    *,
    port: Annotated[int, typer.Option(help="On 127.0.0.1; 0 takes a free one.")] = PROXY_PORT,
    certificate: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="PEM, of 127.0.0.1 or localhost: to be called by https. Needs --key."),
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="The certificate's private key, as PEM.")] = None,
) -> None:
    """Let agents on this machine call the connector: each request is forwarded with your identity token in it.

    For clients that send an access token or none. While it runs, every program on this machine can call the connector
    as you; web pages can't.
    """
    from cli.client import open_session
    from cli.identity import IdentityToken, check_url
    from cli.proxy import open_proxy

    run = context_of(ctx)
    session = open_session(run.url, run.environ)
    if (certificate is None) != (key is None):
        raise Misused("--certificate and --key belong together")
    if isinstance(session.auth, IdentityToken):
        session.auth.read()  # who is not logged in learns it now
    pair = None if certificate is None or key is None else (certificate, key)
    server = open_proxy(check_url(run.url), session, port, certificate=pair)
    address = f"{'https' if pair else 'http'}://127.0.0.1:{server.port}"
    document = {"url": address, "connector": run.url}
    run.output.show(document, f"{address} → {run.url}", "Ctrl-C ends it")
    server.serve_forever()


@sandbox.command("inbound")
def send_inbound(
    ctx: typer.Context,
    *,
    sender: Annotated[str, typer.Option("--from", help="Whose text it is, such as +15558675310.")],
    body: Annotated[str, typer.Option(help="The text, such as STOP.")],
    to: Annotated[str | None, typer.Option(help="Which of our numbers it is sent to; else that of `serve`.")] = None,
    provider: Provider = PROVIDER,
    url: Annotated[str, typer.Option("--sandbox", help="The sandbox's address.")] = SANDBOX_URL,
) -> None:
    """Text one of our numbers: the sandbox calls the webhook, signed, as the provider would."""
    from sandbox import AdminClient
    from sandbox.client import AdminCallError
    from sandbox.providers import simulator

    run = context_of(ctx)
    try:
        number = to or simulator(provider).sender
        answer = AdminClient(url, patience=1.0).inbound(provider=provider, from_=sender, to=number, body=body)
    except KeyError:
        raise Misused(f"no provider is called {provider!r}") from None
    except AdminCallError as error:
        raise Misused(str(error)) from None
    except OSError as error:
        raise Unavailable(
            f"no sandbox answers at {url} ({error}); start one with `make serve`, or name it with --sandbox"
        ) from None
    webhook = answer["webhook"]
    if webhook is None or webhook["status"] is None or webhook["status"] >= 300:
        reason = (
            "the number has no inbound address" if webhook is None else webhook["error"] or f"HTTP {webhook['status']}"
        )
        raise Unavailable(f"the webhook did not take the message: {reason}", answer)
    replies = [f"answered with {len(answer['replies'])} message(s)"] if answer["replies"] else []
    run.output.show(answer, f"{sender} → {number}: {body}", f"the webhook took it ({webhook['status']})", *replies)


def _examples(stack: Stack, folder: Path) -> tuple[str, ...]:
    url = stack.url
    other_sandbox = "" if stack.sandbox_url == SANDBOX_URL else f" --sandbox {stack.sandbox_url}"
    return (
        f"ledger and logs in {folder}; Ctrl-C ends all of it",
        "",
        f"curl -s {url}/v1/messages:send -H 'Content-Type: application/json' \\",
        """  -d '{"to": "+15558675310", "message": "Your code is 1234", "tracking": {"wait": true}}'""",
        f"curl -s {url}/v1/messages",
        f"""export SMS_CLI_URL={url}; .venv/bin/sms send --to +15558675310 --message "Your code is 1234\"""",
        """.venv/bin/sms campaign create examples/customers.csv --message "Hello <Vorname>" --map to=Mobilnummer""",
        f".venv/bin/sms sandbox inbound --from +15558675310 --body STOP{other_sandbox}    # what a recipient replies",
        f"{url}/openapi.json describes everything",
    )
