"""A calm run of campaigns, as deployed: no faults, one kill at most; how even the rate is, and how many calls a message costs.

Measured as calls leave, by the kernel's stamps (`tests.fixtures.wiretap`); where that is not allowed, by the simulator's journal, which
dates a call when the simulator gets round to it: then a busy machine makes seconds look fuller than they were.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.figures import most_in_a_second
from tests.fixtures.processes import FunctionProcess
from tests.fixtures.wiretap import Wiretap, can_tap, tapping

from .campaign_client import CampaignClient
from .campaign_plan import plan_campaigns
from .campaign_run import CampaignScenario, is_done, is_settled, provider_counts
from .campaign_stage import BACKENDS, DEPLOYED, CampaignStage, Cast, on_stage
from .campaign_story import host_of

# A node that was idle may start with a second's worth at once.
SETTLE = 2.0
NODE_RATE = 25
DIES_AFTER, JOINS_AFTER = 30.0, 10.0
# Of what the nodes may start together, this much at least; where one rate holds for all of them, they keep more distance.
OF_NODES, OF_CONNECTION = 0.99, 0.975
CALLS_A_MESSAGE = 1.05


@dataclass(frozen=True, slots=True)
class Call:
    """One call to the provider, as it left or arrived."""

    node: str
    at: float
    is_send: bool


@dataclass(frozen=True, slots=True)
class Pace:
    """`allowed`: calls a second of all nodes together. `sustained`: messages a second while every node had work. `calls` by
    everybody, for so many `settled` messages. `sending`: seconds from the request that creates the campaign to the last send."""

    allowed: int
    connection_wide: bool
    sustained: float
    fullest: int
    fullest_of_a_node: dict[str, int]
    seconds: float
    calls: int
    settled: int
    sending: float

    def lines(self) -> Iterator[str]:
        yield f"sustained {self.sustained:.2f} messages a second over {self.seconds:.1f} s"
        yield f"fullest second: {self.fullest} calls of all nodes; of each: {self.fullest_of_a_node}"
        yield f"{self.calls} provider calls for {self.settled} settled messages: {self.calls / self.settled:.3f}"

    def flaws(self) -> Iterator[str]:
        least = self.allowed * (OF_CONNECTION if self.connection_wide else OF_NODES)
        if not least <= self.sustained <= self.allowed * (2 - OF_NODES):
            yield f"sustained {self.sustained:.2f} messages a second instead of {least:g} to {self.allowed}"
        if self.connection_wide and self.fullest > self.allowed:
            yield f"{self.fullest} calls of all nodes in one second"
        for node, fullest in self.fullest_of_a_node.items():
            if fullest > NODE_RATE:
                yield f"{fullest} calls of {node} in one second"
        if self.calls > CALLS_A_MESSAGE * self.settled:
            yield f"{self.calls} calls for {self.settled} messages"


def measure(
    scenario: CampaignScenario, folder: Path, *, seed: int, connection_rate: int | None = None, kill: bool = False
) -> Pace:
    """Raises RuntimeError where not every message was settled. `kill`: in the middle of it a worker dies, and another joins."""
    settings = {"SMS_CONNECTION_RATE": str(connection_rate)} if connection_rate else {}
    cast, backend = Cast.of(scenario.workers, DEPLOYED), BACKENDS[scenario.backend]
    with on_stage(folder, cast, backend=backend, seed=seed, settings=settings) as stage:
        port = int(stage.sandbox.url.rpartition(":")[2])
        client = CampaignClient(stage.url, seed)
        with tapping(port) if can_tap() else nullcontext() as tap:
            begun = time.time() if tap is not None else time.monotonic()
            created = client.create(plan_campaigns(scenario.messages, campaigns=1, seed=seed, plain=True))
            if kill:
                _die_and_join(stage.victims[-1])
            ends = is_done if kill else is_settled  # what a killed worker was calling is looked into for a while
            [document] = client.await_campaigns(created, ends, seconds=scenario.patience)
        if not ends(document):
            raise RuntimeError(f"not settled: {document}")
        calls = [Call(stage.nodes.get(host, "?"), at, method == "POST") for host, at, method in _seen(stage, tap)]
        return _judge(
            calls,
            allowed=connection_rate or NODE_RATE * scenario.workers,
            connection_wide=connection_rate is not None,
            total=provider_counts(stage)["provider: calls"],
            settled=sum(document["counts"].values()),
            sending=max(call.at for call in calls if call.is_send) - begun,
        )


def _die_and_join(worker: FunctionProcess) -> None:
    time.sleep(DIES_AFTER)
    worker.kill()
    time.sleep(JOINS_AFTER)
    worker.start()


def _seen(stage: CampaignStage, tap: Wiretap | None) -> Iterator[tuple[str, float, str]]:
    if tap is not None:
        yield from ((each.host, each.at, each.method) for each in tap.departures)
    else:
        yield from ((host_of(entry), entry["monotonic"], entry["method"]) for entry in stage.sandbox.journal())


def _judge(
    calls: Sequence[Call], *, allowed: int, connection_wide: bool, total: int, settled: int, sending: float
) -> Pace:
    by_node: defaultdict[str, list[Call]] = defaultdict(list)
    for call in sorted(calls, key=lambda call: call.at):
        by_node[call.node].append(call)
    sends = [[call.at for call in each if call.is_send] for each in by_node.values()]
    begun = max(each[0] for each in sends if each) + SETTLE
    ended = min(each[-1] for each in sends if each)
    return Pace(
        allowed=allowed,
        connection_wide=connection_wide,
        sustained=sum(begun <= at < ended for each in sends for at in each) / (ended - begun),
        fullest=most_in_a_second(sorted(call.at for call in calls)),
        fullest_of_a_node={
            node: most_in_a_second([call.at for call in each]) for node, each in sorted(by_node.items())
        },
        seconds=ended - begun,
        calls=total,
        settled=settled,
        sending=sending,
    )
