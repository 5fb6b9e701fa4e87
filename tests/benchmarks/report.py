"""The table at the end of a run, and the same table in docs/performance.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .figures import Figure

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
BEGIN, END = "<!-- numbers: written by make bench -->", "<!-- end of numbers -->"
STYLES = {"met": "green", "MISSED": "bold red", "": ""}


def show(figures: Iterable[Figure], titles: Mapping[int, str]) -> None:
    table = Table(title=f"Benchmarks on {describe_machine()}", title_justify="left", expand=False)
    for column, justify in (("what", "left"), ("bar", "right"), ("measured", "right"), ("verdict", "left")):
        table.add_column(column, justify="right" if justify == "right" else "left")
    shown = 0
    for figure in figures:
        if figure.bench != shown:
            table.add_section()
            table.add_row(f"[bold]{figure.bench}. {titles[figure.bench]}[/bold]", "", "", "")
            shown = figure.bench
        verdict = f"[{STYLES[figure.verdict]}]{figure.verdict}[/]" if figure.verdict else ""
        table.add_row(f"   {figure.what}", figure.bar, figure.measured, verdict)
    Console(width=None if os.isatty(1) else 130).print(table)


def write(figures: Iterable[Figure], titles: Mapping[int, str], *, document: Path = DOCUMENT) -> None:
    """Put the numbers between the document's marks."""
    text = document.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    document.write_text(f"{head}{BEGIN}\n\n{_markdown(figures, titles)}\n{END}{tail}", encoding="utf-8")


def _markdown(figures: Iterable[Figure], titles: Mapping[int, str]) -> str:
    lines = [f"Last run: {describe_machine()}.", "", "| | what | bar | measured | verdict |", "|---|---|---|---|---|"]
    shown = 0
    for figure in figures:
        if figure.bench != shown:
            lines.append(f"| **{figure.bench}** | **{titles[figure.bench]}** | | | |")
            shown = figure.bench
        lines.append(f"| | {figure.what} | {figure.bar} | {figure.measured} | {figure.verdict} |")
    return "\n".join([*lines, ""])


def describe_machine() -> str:
    """Processor, cores, Python: what a reader has to know to compare; nothing that names the machine."""
    name = "unknown processor"
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    load = os.getloadavg()[0]
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, load at the end {load:.1f}"
