"""Files that commands read and write whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from cli.errors import Misused


def read_object(path: Path) -> Mapping[str, Any]:
    """Return the JSON object a file holds. Raises Misused."""
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise Misused(f"{path} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise Misused(f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Misused(f"{path} has to hold one JSON object")
    return document


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` when it is complete. Raises Misused."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise Misused(f"{path} can't be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
