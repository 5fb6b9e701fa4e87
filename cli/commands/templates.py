"""`templates`: list, show, save and delete saved templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli import render
from cli.client import in_path
from cli.commands.options import (
    MESSAGE,
    Attempts,
    CallbackUrl,
    Interval,
    Limit,
    Map,
    SenderAddress,
    Unknown,
    Validity,
    given,
    read_mapping,
    to_millis,
)
from cli.context import context_of
from cli.errors import Misused
from cli.files import read_object

TEMPLATES = "/v1/templates"
_OPTIONS = (
    *("mapping", "defaultCountry", "sender", "tracking", "onUnknown", "onInvalid", "mediaUrls", "validitySeconds"),
    *("callbackUrl", "duplicates", "strict"),
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits and hyphens.")]

templates = typer.Typer(help="Messages saved with their mapping, sender and options.", no_args_is_help=True)


@templates.command("list")
def list_templates(ctx: typer.Context, *, limit: Limit = 100) -> None:
    """List saved templates, in the order of their names."""
    run = context_of(ctx)
    found = list(run.client.pages(TEMPLATES, "templates", limit=limit))
    run.output.show({"templates": found}, _table(found) if found else "no template is saved")


@templates.command("show")
def show(ctx: typer.Context, name: Name) -> None:
    """Show one template."""
    run = context_of(ctx)
    answer = run.client.get(_path(name))
    run.output.show(answer, _facts(answer))


@templates.command("save")
def save(
    ctx: typer.Context,
    name: Name,
    *,
    message: Annotated[str | None, MESSAGE] = None,
    mapping: Map = None,
    sender: SenderAddress = None,
    interval: Interval = None,
    attempts: Attempts = None,
    validity: Validity = None,
    callback_url: CallbackUrl = None,
    on_unknown: Unknown = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The whole template as JSON, instead of the other options.")
    ] = None,
) -> None:
    """Save a template, checked as a send would be. It replaces the one of that name and is its next version."""
    run = context_of(ctx)
    tracking = given({"retryIntervalMillis": to_millis(interval), "retryAttempts": attempts})
    document = given(
        {
            "message": message,
            "mapping": read_mapping(mapping) or None,
            "sender": sender,
            "tracking": tracking or None,
            "validitySeconds": validity,
            "callbackUrl": callback_url,
            "onUnknown": on_unknown and on_unknown.value,
        }
    )
    if file is not None and document:
        raise Misused(f"{file} is a whole template: {', '.join(sorted(document))} stands in it, or nowhere")
    if file is None and message is None:
        raise Misused("--message is missing: what is to be saved; or name a JSON file with --file")
    answer = run.client.call("PUT", _path(name), document=document if file is None else _read(file))
    run.output.show(answer, _facts(answer))


@templates.command("delete")
def delete(ctx: typer.Context, name: Name) -> None:
    """Delete a template. Campaigns keep the text they were created with."""
    run = context_of(ctx)
    answer = run.client.call("DELETE", _path(name))
    run.output.show(answer, f"{name} is deleted")


def _path(name: str) -> str:
    return f"{TEMPLATES}/{in_path(name)}"


def _read(file: Path) -> Mapping[str, Any]:
    """Return the file's document; what a connector adds to a template it shows (name, version, times) is left out."""
    shown = ("name", "version", "placeholders", "createdAt", "updatedAt")
    return {member: value for member, value in read_object(file).items() if member not in shown}


def _table(found: Iterable[Mapping[str, Any]]) -> Table:
    rows = ((each["name"], str(each["version"]), render.moment(each["updatedAt"]), each["message"]) for each in found)
    return render.table(("name", "#version", "saved", "message"), rows)


def _facts(saved: Mapping[str, Any]) -> Table:
    pairs = [
        ("name", saved["name"]),
        ("version", f"{saved['version']}, saved {render.moment(saved['updatedAt'])}"),
        ("message", saved["message"]),
        *((each, _text(saved[each])) for each in _OPTIONS if each in saved),
    ]
    return render.facts(pairs)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} = {inner}" for name, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
