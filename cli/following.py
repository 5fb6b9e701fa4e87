"""A campaign from its creation to its end, as the command line follows it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.progress import Progress

from cli import render
from cli.client import Client, in_path

CAMPAIGNS = "/v1/campaigns"
ENDED = frozenset({"done", "canceled"})
LOOK_SECONDS = 1.0
# A short campaign ends within the first looks.
FIRST_LOOK_SECONDS = 0.1
# What takes less is seen on the bar.
WORTH_TELLING = 60.0

Campaign = dict[str, Any]
Sleep = Callable[[float], None]


def path_of(campaign_id: str, what: str = "") -> str:
    """`what` is `/results` or a verb, such as `:pause`."""
    return f"{CAMPAIGNS}/{in_path(campaign_id)}{what}"


def follow(
    client: Client, campaign: Campaign, *, interval: float = LOOK_SECONDS, sleep: Sleep = time.sleep
) -> Iterator[Campaign]:
    """Yield the campaign as it is until it has ended; the time between two looks grows up to `interval`, seconds."""
    yield campaign
    pause = FIRST_LOOK_SECONDS
    while campaign["state"] not in ENDED:
        sleep(min(pause, interval))
        pause *= 2
        campaign = client.get(path_of(campaign["id"]))
        yield campaign


def watch(client: Client, campaign: Campaign, bar: Progress, *, interval: float = LOOK_SECONDS) -> Campaign:
    """Follow it with a bar, which is full when every message is final; the campaign at its end."""
    task = bar.add_task(campaign["state"], total=campaign["total"])
    seen = campaign
    for seen in follow(client, campaign, interval=interval):
        bar.update(task, total=seen["total"], completed=settled(seen), description=describe(seen))
    return seen


def settled(campaign: Mapping[str, Any]) -> int:
    """Return the number of final records."""
    return int(campaign["total"] - campaign["waiting"] - campaign["open"])


def describe(campaign: Mapping[str, Any]) -> str:
    """`paused · 20 delivered · 3 sent · 24.9/s · 5 min left`."""
    rate, waiting = campaign["rate"], campaign["waiting"]
    parts = [campaign["state"]] if campaign["state"] != "running" else []
    parts += [render.summary(campaign["counts"]).plain] if campaign["counts"] else []
    parts += [f"{rate:.1f}/s"] if rate and waiting else []
    parts += [f"{render.duration(waiting / rate)} left"] if rate and waiting / rate >= WORTH_TELLING else []
    return " · ".join(parts) or campaign["state"]


def arrived(campaign: Mapping[str, Any]) -> bool:
    """Return True if no record has failed: each has arrived, or may still."""
    return set(campaign["counts"]) <= render.ARRIVED | render.ON_THE_WAY
