"""The messages all benchmarks send: recipients and texts of their own."""

from __future__ import annotations


def recipient(number: int) -> str:
    return f"+1555{8_000_000 + number % 1_000_000:07d}"


def text(number: int) -> str:
    return f"Hello Ann, order A-{number} ships today."
