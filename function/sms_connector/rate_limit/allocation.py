"""Who may start how many calls a second: one document, changed by compare-and-set, and the arithmetic of sharing.

Shares are whole numbers and never add up to more than the rate. A share is a lease: it counts until everybody can be sure
that its node has stopped, which takes no comparison of clocks: whoever has seen an entry unchanged for the length of its lease
and a window more, on a clock of its own, knows that its node has started nothing for a window (the node counts from before the
entry was written).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sms_connector.ports import Document, Json

# An entry whose end is so long past that no two clocks differ as much: a node that comes alone need not watch it first.
LONG_PAST = 60.0


class NodeShare(msgspec.Struct, frozen=True):
    """One node's share. `want` is what it could use, `limit` what it may start at most; `lease` seconds; `beat` changes with
    every renewal; `until` is the end by the node's own clock (epoch seconds)."""

    share: int
    want: int
    limit: int
    lease: float
    beat: int
    until: float

    def to_json(self) -> list[float]:
        return [self.share, self.want, self.limit, self.lease, self.beat, self.until]

    @classmethod
    def of(cls, data: list[float]) -> NodeShare:
        share, want, limit, lease, beat, until = data
        return cls(int(share), int(want), int(limit), float(lease), int(beat), float(until))


Entries = Mapping[str, NodeShare]


def read_entries(document: Document | None) -> dict[str, NodeShare]:
    nodes: Json = document.data["nodes"] if document is not None else {}
    return {node: NodeShare.of(data) for node, data in nodes.items()}


class Watch(msgspec.Struct):
    """What one node has seen of the others' entries, by its own monotonic clock."""

    window: float
    seen: dict[str, tuple[int, float]] = msgspec.field(default_factory=dict)

    def living(self, entries: Entries, *, monotonic: float, time: float) -> dict[str, NodeShare]:
        """Those of the others' entries that may still count. `monotonic` is now, after they were read."""
        for node, entry in entries.items():
            beat, _ = self.seen.get(node, (None, 0.0))
            if beat != entry.beat:
                self.seen[node] = (entry.beat, monotonic)
        self.seen = {node: seen for node, seen in self.seen.items() if node in entries}
        return {node: entry for node, entry in entries.items() if not self._is_over(node, entry, monotonic, time)}

    def _is_over(self, node: str, entry: NodeShare, monotonic: float, time: float) -> bool:
        watched = monotonic - self.seen[node][1]
        return watched > entry.lease + self.window or time > entry.until + LONG_PAST


def fair_share(rate: int, entries: Entries, node: str) -> int:
    """What falls to the node: first everybody's wants, evenly; then what is left, evenly, for whatever comes next."""
    wants = _share_out(rate, {name: min(entry.want, entry.limit) for name, entry in entries.items()})
    room = {name: entry.limit - wants[name] for name, entry in entries.items()}
    more = _share_out(rate - sum(wants.values()), room)
    return wants[node] + more[node]


def _share_out(rate: int, wants: Mapping[str, int]) -> dict[str, int]:
    """Nobody gets more than it wants, and nobody less than another while it wants more. What can't be divided goes to the
    first by name."""
    shares = dict.fromkeys(sorted(wants), 0)
    hungry = [name for name in shares if wants[name] > 0]
    left = rate
    while left > 0 and hungry:
        each, over = divmod(left, len(hungry))
        for position, name in enumerate(hungry):
            part = min(each + (position < over), wants[name] - shares[name])
            shares[name] += part
            left -= part
        hungry = [name for name in hungry if wants[name] > shares[name]]
    return shares
