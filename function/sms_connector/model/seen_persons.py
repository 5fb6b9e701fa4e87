"""Persons who were named before in the same request or campaign."""

from __future__ import annotations

from array import array

_SMALLEST = 1 << 11
_GROWTH = 4
_DIGEST = (1 << 64) - 1


class SeenPersons:
    """Where each person came first: an open-addressing table of 8-byte digests, 12 bytes a slot, 24 MiB for a million
    persons.

    A set of Python's own objects would take three times as much. Two of a million persons share a digest once in 37
    million campaigns.
    """

    def __init__(self) -> None:
        self._count = 0
        self._reserve(_SMALLEST)

    def find_first(self, person: str, place: int) -> int | None:
        """Return the place at which the person came before; None where this is the first, which is remembered."""
        digest = hash(person) & _DIGEST or 1
        slot = self._find(digest)
        if self._digests[slot]:
            return self._places[slot]
        self._digests[slot], self._places[slot] = digest, place
        self._count += 1
        if 3 * self._count > 2 * len(self._digests):
            self._grow()
        return None

    def _find(self, digest: int) -> int:
        """Return the digest's slot, or the free one where it belongs."""
        digests, mask = self._digests, self._mask
        slot = digest & mask
        while (found := digests[slot]) and found != digest:
            slot = slot + 1 & mask
        return slot

    def _grow(self) -> None:
        digests, places = self._digests, self._places
        self._reserve(_GROWTH * len(digests))
        for digest, place in zip(digests, places, strict=True):
            if digest:
                slot = self._find(digest)
                self._digests[slot], self._places[slot] = digest, place

    def _reserve(self, slots: int) -> None:
        self._mask = slots - 1
        self._digests = array("Q", [0]) * slots  # without a copy beside it: it is the peak of a large campaign's memory
        self._places = array("I", [0]) * slots
