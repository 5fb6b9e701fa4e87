"""A calm run of campaigns, as deployed: no faults, no kills; how even the rate is, and how many calls a message costs.

Measured where the provider is: arrivals in the simulator's journal. A call that is held up on the way between comes nearer to
the next one, so a busy machine makes these seconds fuller than those the nodes let go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.figures import most_in_a_second

from .campaign_client import CampaignClient
from .campaign_plan import plan_campaigns
from .campaign_run import CampaignScenario, is_settled, provider_counts
from .campaign_stage import BACKENDS, DEPLOYED, CampaignStage, Cast, on_stage
from .campaign_story import host_of

# A node that was idle may start with a second's worth at once.
SETTLE = 2.0


@dataclass(frozen=True, slots=True)
class Pace:
    """`sustained`: messages a second while every node had work. `calls` by everybody, for so many `settled` messages."""

    sustained: float
    fullest: int
    fullest_of_a_node: dict[str, int]
    seconds: float
    calls: int
    settled: int

    def lines(self) -> Iterator[str]:
        yield f"sustained {self.sustained:.2f} messages a second over {self.seconds:.1f} s"
        yield f"fullest second: {self.fullest} calls of all nodes; of each: {self.fullest_of_a_node}"
        yield f"{self.calls} provider calls for {self.settled} settled messages: {self.calls / self.settled:.3f}"


def measure(scenario: CampaignScenario, folder: Path, *, seed: int, connection_rate: int | None = None) -> Pace:
    """Raises RuntimeError where not every message was settled."""
    settings = {"SMS_CONNECTION_RATE": str(connection_rate)} if connection_rate else {}
    cast, backend = Cast.of(scenario.workers, DEPLOYED), BACKENDS[scenario.backend]
    with on_stage(folder, cast, backend=backend, seed=seed, settings=settings) as stage:
        client = CampaignClient(stage.url, seed)
        created = client.create(plan_campaigns(scenario.messages, campaigns=1, seed=seed, plain=True))
        [document] = client.await_campaigns(created, is_settled, seconds=scenario.patience)
        if not is_settled(document):
            raise RuntimeError(f"not settled: {document}")
        return _measure(stage, settled=sum(document["counts"].values()))


def _measure(stage: CampaignStage, *, settled: int) -> Pace:
    journal = stage.sandbox.journal()
    calls: defaultdict[str, list[float]] = defaultdict(list)
    sends: defaultdict[str, list[float]] = defaultdict(list)
    for entry in journal:
        node = stage.nodes.get(host_of(entry), "?")
        calls[node].append(entry["monotonic"])
        if entry["method"] == "POST":
            sends[node].append(entry["monotonic"])
    begun = max(each[0] for each in sends.values()) + SETTLE
    ended = min(each[-1] for each in sends.values())
    seconds = ended - begun
    return Pace(
        sustained=sum(begun <= at < ended for each in sends.values() for at in each) / seconds,
        fullest=most_in_a_second(sorted(at for each in calls.values() for at in each)),
        fullest_of_a_node={node: most_in_a_second(sorted(each)) for node, each in sorted(calls.items())},
        seconds=seconds,
        calls=provider_counts(stage)["provider: calls"],
        settled=settled,
    )
