"""A file that is sent as a campaign, followed to its end; the first Ctrl-C cancels it, the second ends at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cli import following
from cli.client import Client, Notify
from cli.errors import Refused
from cli.following import Campaign, Sleep, path_of

Result = dict[str, Any]
STOPPING = "stopping: nothing more is sent, what is under way is waited for; Ctrl-C again ends at once"


@dataclass(frozen=True, slots=True)
class Followed:
    """The campaign as it was last seen."""

    campaign: Campaign
    interrupted: bool = False


def follow(
    client: Client,
    campaign: Campaign,
    *,
    wait: bool,
    progress: Callable[[Campaign], None],
    notify: Notify,
    sleep: Sleep = time.sleep,
) -> Followed:
    """Follow a campaign until it has ended or paused; without `wait` until every record was called. Ctrl-C cancels it."""
    seen = campaign
    try:
        for seen in following.follow(client, campaign, sleep=sleep):
            progress(seen)
            if seen["state"] == "paused" or not (wait or seen["waiting"]):
                break
        return Followed(seen)
    except KeyboardInterrupt:
        notify(STOPPING)
    return Followed(_cancel(client, seen, sleep=sleep), interrupted=True)


def _cancel(client: Client, campaign: Campaign, *, sleep: Sleep) -> Campaign:
    """Cancel it and wait for the calls under way: until two looks show the same."""
    path = path_of(campaign["id"])
    try:
        seen: Campaign = client.post(f"{path}:cancel", {"reason": "interrupted at the command line"})
    except Refused:  # it has ended meanwhile
        seen = client.get(path)
    before = -1
    while called(seen) != before:
        before = called(seen)
        sleep(following.LOOK_SECONDS)
        seen = client.get(path)
    return seen


def called(campaign: Campaign) -> int:
    """Return the number of records that were called, or refused before."""
    return sum(count for word, count in campaign["counts"].items() if word != "canceled")
