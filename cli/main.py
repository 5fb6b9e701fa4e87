"""The root command: options that hold for every command, and the one place where errors become exit codes."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli.client import open_client
from cli.commands import callbacks, campaign, connection, consent, entities, local, messages, send, templates
from cli.context import Connect, Context, Output
from cli.errors import INTERRUPTED, CliError

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
JSON_OPTION = "--json"
DEFAULT_URL = "http://127.0.0.1:8080"
HELP = """Send SMS through your connector, and see what became of them.

The connector's address comes from --url or SMS_CLI_URL. On another machine it is called with your identity token
(gcloud, a service account, or SMS_CLI_TOKEN).

Exit codes: 0 done · 1 some message was not delivered, or the connection is not ACTIVE · 2 refused: an option, a file or
a request is wrong · 3 the connector can't be reached, does not let us in, or failed · 130 interrupted.
"""


class Commands(TyperGroup):
    """Runs a command; what it raises becomes a few clear lines and an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take --json wherever it stands; behind `--message` it is a text."""
        end = args.index("--") if "--" in args else len(args)
        moved = [i for i in range(end) if args[i] == JSON_OPTION and (i == 0 or args[i - 1] not in ("--message", "-m"))]
        rest = [arg for i, arg in enumerate(args) if i not in moved]
        return super().parse_args(ctx, [JSON_OPTION, *rest] if moved else rest)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CliError as error:
            (ctx.find_object(Context) or _context(DEFAULT_URL, as_json=False)).output.fail(error)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:  # a second one: what was said about the first holds
            raise typer.Exit(INTERRUPTED) from None


def _show_version(wanted: bool) -> None:
    if wanted:
        project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
        typer.echo(f"sms {project['version']}")
        raise typer.Exit


app = typer.Typer(cls=Commands, help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def root(
    ctx: typer.Context,
    *,
    url: Annotated[str, typer.Option(envvar="SMS_CLI_URL", help="The connector's address.")] = DEFAULT_URL,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option(JSON_OPTION, help="Results as JSON on standard output, for programs.")
    ] = False,
) -> None:
    connect: Connect = ctx.obj or open_client
    ctx.obj = _context(url, as_json=as_json, connect=connect)


def _context(url: str, *, as_json: bool, connect: Connect = open_client) -> Context:
    return Context(url, Output(as_json=as_json), environ=os.environ, connect=connect)


app.command("send", rich_help_panel="Messages")(send.send)
app.command("preview", rich_help_panel="Messages")(send.preview)
app.command("status", rich_help_panel="Messages")(messages.show_status)
app.command("messages", rich_help_panel="Messages")(messages.list_messages)
app.command("cancel", rich_help_panel="Messages")(messages.cancel)
app.command("redact", rich_help_panel="Messages")(messages.redact)
app.add_typer(campaign.campaigns, name="campaign", rich_help_panel="Messages")
app.add_typer(templates.templates, name="templates", rich_help_panel="Messages")
app.command("replay", rich_help_panel="Messages")(callbacks.replay)
app.command("test", rich_help_panel="Connection")(connection.test)
app.add_typer(connection.connection, name="connection", rich_help_panel="Connection")
app.command("rotate", rich_help_panel="Connection")(connection.rotate)
app.command("senders", rich_help_panel="Connection")(connection.senders)
app.command("limits", rich_help_panel="Connection")(connection.limits)
app.command("suspend", rich_help_panel="Connection")(connection.suspend)
app.command("resume", rich_help_panel="Connection")(connection.resume)
app.command("inbound", rich_help_panel="Recipients")(consent.inbound)
app.add_typer(consent.opt_outs, name="opt-outs", rich_help_panel="Recipients")
app.add_typer(consent.opt_outs, name="optouts", hidden=True)  # as it was called first
app.add_typer(entities.entities, name="entities", rich_help_panel="The provider's data")
app.command("query", rich_help_panel="The provider's data")(entities.query)
app.command("demo", rich_help_panel="On this machine")(local.demo)
app.command("serve", rich_help_panel="On this machine")(local.serve)
app.command("proxy", rich_help_panel="On this machine")(local.proxy)
app.add_typer(local.sandbox, name="sandbox", rich_help_panel="On this machine")
