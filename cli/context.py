"""What every command works with: the client, made when first used, and where its output goes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from cli.client import Client, Notify, open_client
from cli.errors import CliError

# A pipe has no width of its own; ids and reasons are longer than a terminal's default.
PIPE_WIDTH = 160

Connect = Callable[[str, Mapping[str, str], Notify], Client]


class Output:
    """Results go to standard output, all that is said on the way to standard error. With `as_json`, results are JSON only."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._out = _console(sys.stdout)
        self._notes = _console(sys.stderr)

    def show(self, document: Any, *people: RenderableType) -> None:
        """Print the same result for programs and for people."""
        if self.as_json:
            sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
            return
        for each in people:
            self._out.print(each)

    def note(self, *people: RenderableType) -> None:
        for each in people:
            self._notes.print(each)

    def fail(self, error: CliError) -> None:
        if self.as_json:
            sys.stdout.write(json.dumps(error.document, ensure_ascii=False, indent=2) + "\n")
        for line in error.lines():
            self._notes.print(f"error: {line}", style="red", soft_wrap=True)

    def progress(self) -> Progress:
        """Show a bar on standard error, removed at the end; nothing where that is not a terminal."""
        return Progress(
            SpinnerColumn(),
            BarColumn(bar_width=12),
            MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=7)),
            TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            expand=True,
            console=self._notes,
            transient=True,
            disable=self.as_json or not self._notes.is_terminal,
        )


class Context:
    """One run of the command. `connect` makes the client; tests hand in their own."""

    def __init__(self, url: str, output: Output, *, environ: Mapping[str, str], connect: Connect = open_client) -> None:
        self.url = url
        self.output = output
        self.environ = environ
        self._connect = connect

    @cached_property
    def client(self) -> Client:
        return self.client_of(self.url)

    def client_of(self, url: str) -> Client:
        """Make a client of another function."""
        return self._connect(url, self.environ, self.output.note)


def context_of(typed: typer.Context) -> Context:
    """Return the run a command belongs to; the root command put it there."""
    found = typed.find_object(Context)
    if found is None:
        raise AssertionError("the root command makes the context")
    return found


def _console(stream: Any) -> Console:
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console
