"""10: campaigns by worker processes, callbacks and all: a thousand messages by one, and the rate of four together."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.soak.campaign_rate import CALLS_A_MESSAGE, NODE_RATE, OF_NODES, Pace, measure
from tests.soak.campaign_run import CampaignScenario

from .figures import Figure, Figures

TITLE = "campaigns by worker processes, with callbacks"
NODES = 4


def run(*, quick: bool) -> list[Figure]:
    one, many = (100, 1000) if quick else (1000, 3000)
    alone, together = _measure(one, workers=1), _measure(many, workers=NODES)
    figures = Figures(10)
    return [
        figures.at_least(
            f"{one} by one worker: N/25 ÷ time from the request to the last start",
            one / NODE_RATE / alone.sending,
            0.98,
            digits=3,
        ),
        figures.at_most("provider calls per settled message", alone.calls / alone.settled, CALLS_A_MESSAGE, digits=3),
        figures.at_least(
            f"{NODES} workers: sustained over {together.seconds:.0f} s",
            together.sustained,
            OF_NODES * NODES * NODE_RATE,
            "/s",
        ),
        figures.at_most(
            "most calls of one node in any 1 s, on the wire",
            max(together.fullest_of_a_node.values()),
            NODE_RATE,
            digits=0,
        ),
    ]


def _measure(messages: int, *, workers: int) -> Pace:
    with tempfile.TemporaryDirectory() as folder:
        return measure(CampaignScenario(messages=messages, workers=workers), Path(folder), seed=1)
