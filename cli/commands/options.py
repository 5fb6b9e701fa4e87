"""Options that several commands have, and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.errors import Misused


class OnUnknown(StrEnum):
    REPORT = "report"
    RESEND = "resend"


class DuplicatesOption(StrEnum):
    SEND = "send"
    SKIP = "skip"
    REFUSE = "refuse"


MESSAGE = typer.Option(
    "--message", "-m", help="The text; <name> is a placeholder, filled from each record's field of that name."
)
Message = Annotated[str | None, MESSAGE]
Template = Annotated[
    str | None, typer.Option("--template", help="A saved template instead of --message; options given here go first.")
]
To = Annotated[str | None, typer.Option(help="One recipient, in E.164 form: +15558675310.")]
Csv = Annotated[Path | None, typer.Option(metavar="FILE", help="Records; the first line names the fields.")]
Ndjson = Annotated[Path | None, typer.Option(metavar="FILE", help="Records, one JSON object a line.")]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="NAME=FIELD", help="`to` or a placeholder → a field. May be repeated."),
]
Encoding = Annotated[
    str | None, typer.Option(help="Of the file, where it is not UTF-8 or UTF-16 with its mark: windows-1252, …")
]
Country = Annotated[
    str | None, typer.Option(metavar="CODE", help="Country (ISO 3166) by which numbers in national form are read: DE.")
]
Media = Annotated[
    list[str] | None, typer.Option(metavar="URL", help="Address of a picture or another file to send. May be repeated.")
]
Duplicates = Annotated[
    DuplicatesOption | None,
    typer.Option(help="A person who comes twice: send both (default), skip the second, or refuse the file."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse what would be a warning, such as {name} in the text.")]
SenderAddress = Annotated[
    str | None, typer.Option(help="Number, id or friendly name, instead of the one chosen by country.")
]
Interval = Annotated[float | None, typer.Option(help="Seconds between two status questions.")]
Attempts = Annotated[int | None, typer.Option(help="Status polls at most.")]
Validity = Annotated[int | None, typer.Option(help="Seconds after which the provider stops trying to deliver.")]
SendAt = Annotated[str | None, typer.Option(help="When (RFC 3339), where the provider can schedule.")]
CallbackUrl = Annotated[str | None, typer.Option(help="Where the connector posts results.")]
Unknown = Annotated[
    OnUnknown | None, typer.Option(help="An outcome that stays unknown: report it (default), or send again.")
]
Limit = Annotated[int, typer.Option(min=1, help="Rows at most, newest first.")]


def name_text(message: str | None, template: str | None) -> dict[str, Any]:
    """Return the text, or the saved template that has it. Raises Misused where neither is given."""
    if message is None and template is None:
        raise Misused("--message is missing: what is to be sent; or name a saved template with --template")
    return given({"message": message, "template": template})


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that say something."""
    return {name: value for name, value in options.items() if value is not None}


def read_mapping(pairs: Sequence[str] | None) -> dict[str, str]:
    """Raises Misused."""
    mapping = {}
    for pair in pairs or ():
        name, equals, field = pair.partition("=")
        if not (name and equals and field):
            raise Misused(f'--map: {pair!r} has to be NAME=FIELD, such as to=mobile or "first name=firstName"')
        mapping[name] = field
    return mapping


def to_millis(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
