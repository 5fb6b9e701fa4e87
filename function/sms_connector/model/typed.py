"""Turn plain data into typed values, in any thread.

msgspec builds its description of a struct at the type's first use, and does so without a lock: a second thread that
uses the type at that moment reads a half-built description and the process crashes (0.22.0; tests/model/test_typed.py
shows it). So one thread builds it here before any other may use it.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")

_ready: set[Hashable] = set()
_building = threading.Lock()


def convert(value: Any, kind: type[T], *, strict: bool = True) -> T:
    """Return the value as `kind`. Raises msgspec.ValidationError."""
    key = cast(Hashable, kind)
    if key not in _ready:
        with _building:
            if key not in _ready:
                msgspec.json.Decoder(kind)
                _ready.add(key)
    return msgspec.convert(value, kind, strict=strict)
