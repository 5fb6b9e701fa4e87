"""Files that a command reads and writes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO

from cli.errors import Misused


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` when it is complete."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise Misused(f"{path} can't be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def write_csv(path: Path, rows: Iterator[Mapping[str, Any]], columns: Sequence[str] | None = None) -> int:
    """Write rows as they come, those of `columns` or all that the first row has; return their number.

    Raises Misused.
    """
    count = 0
    with replacing(path) as file, TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        writer = csv.writer(text)
        if columns is not None:
            writer.writerow(columns)
        for row in rows:
            if columns is None:
                columns = list(row)
                writer.writerow(columns)
            writer.writerow([write_value(row[name]) for name in columns])
            count += 1
    return count


def write_value(value: Any) -> str:
    """Return a value of JSON as a text; null is empty."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def read_object(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file. Raises Misused."""
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise Misused(f"{file} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise Misused(f"{file} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Misused(f"{file} has to hold one JSON object")
    return document
