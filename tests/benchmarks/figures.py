"""What a benchmark found, held against its bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Verdict = Literal["met", "MISSED", ""]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `verdict` is empty where there is no bar: the number is for the reader."""

    bench: int
    what: str
    measured: str
    bar: str = ""
    verdict: Verdict = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """Makes the figures of one benchmark. Numbers are shown with `digits` after the point and the unit as it is given."""

    bench: int

    def at_least(self, what: str, value: float, bar: float, unit: str = "", *, digits: int = 2) -> Figure:
        return self._judged(what, value, f"≥ {bar:g}{unit}", value >= bar, shown=_show(value, unit, digits))

    def at_most(self, what: str, value: float, bar: float, unit: str = "", *, digits: int = 2) -> Figure:
        return self._judged(what, value, f"≤ {bar:g}{unit}", value <= bar, shown=_show(value, unit, digits))

    def note(self, what: str, value: float, unit: str = "", *, digits: int = 2) -> Figure:
        return Figure(self.bench, what, _show(value, unit, digits))

    def _judged(self, what: str, value: float, bar: str, holds: bool, *, shown: str) -> Figure:
        return Figure(self.bench, what, shown, bar, "met" if holds else "MISSED")


def _show(value: float, unit: str, digits: int) -> str:
    return f"{value:,.{digits}f}".replace(",", " ") + unit


def paired_ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    """The median of the ratios of runs that were neighbours: what slows a busy machine slows both of a pair."""
    return median(one / other for one, other in zip(ones, others, strict=True))


def most_in_a_second(stamps: Sequence[float]) -> int:
    """The most of the ascending `stamps` within any half-open window of one second."""
    first, most = 0, 0
    for last, stamp in enumerate(stamps):
        while stamp - stamps[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def sustained_rate(stamps: Sequence[float]) -> float:
    """Starts a second after the first second, which an idle node may begin with a burst."""
    loaded = [stamp for stamp in stamps if stamp >= stamps[0] + 1.0]
    return (len(loaded) - 1) / (loaded[-1] - loaded[0])
