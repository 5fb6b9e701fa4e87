"""One soak of a rotation: a token is rotated, by a rotator that is killed again and again, while a campaign is sent at the full rate.

What counts: no send fails, no callback is rejected, every node has the new token within a minute, and the old one is dead in the
end.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import requests

from sandbox.providers import simulator
from tests.fixtures.processes import FunctionProcess

from .campaign_client import CampaignClient
from .campaign_plan import plan_campaigns
from .campaign_run import TRACKING, is_settled, provider_counts
from .campaign_stage import HURRIED, Cast, on_sqlite, on_stage
from .run import Outcome
from .stage import Killer

PATIENCE_SECONDS = 600.0
SETTLE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class RotationScenario:
    """`messages` at 25 a second have to take longer than the rotation: some three minutes."""

    messages: int = 5000
    workers: int = 1
    secret: str = "auth-token"
    pause: tuple[float, float] = (1.0, 12.0)


def soak_rotation(scenario: RotationScenario, folder: Path, *, seed: int) -> Outcome:
    begun = time.monotonic()
    with on_stage(folder, Cast.of(scenario.workers), backend=on_sqlite, seed=seed) as stage:
        client = CampaignClient(stage.url, seed, TRACKING)
        rotator = FunctionProcess(HURRIED, stage.victims[0].environ, folder / "rotator.log", target="rotator")
        orders = plan_campaigns(scenario.messages, campaigns=1, seed=seed, plain=True)
        created = client.create(orders)
        with rotator.running():
            killer = Killer((rotator,), scenario.pause, random.Random(f"{seed}/kills"))
            with killer.at_work():
                seconds = _rotate(rotator.url, scenario.secret)
        during = client.get(f"/v1/campaigns/{created[0].id}")
        documents = client.await_campaigns(created, is_settled, seconds=SETTLE_SECONDS + scenario.messages / 20)
        counts = Counter({f"status {status}": number for status, number in documents[0]["counts"].items()})
        counts["seconds of the rotation"] = round(seconds)
        counts["messages left to send when it ended"] = during["waiting"]
        refused = stage.sandbox.summary(status=401)["total"]
        rejected = sum("callback_rejected" in line for log in folder.glob("*.log") for line in log.open())
        flaws = list(client.flaws)
        wrong = {name: number for name, number in documents[0]["counts"].items() if name != "delivered"}
        flaws += [f"not delivered: {wrong}"] if wrong else []
        flaws += [f"{rejected} callbacks were rejected"] if rejected else []
        flaws += ["the old token still works"] if _old_token_works(stage.sandbox.url) else []
        flaws += ["the rotation ended after the last send: nothing was shown"] if not during["waiting"] else []
        counts["calls answered 401 and repeated"] = refused
        counts += client.counts + provider_counts(stage)
    return Outcome(flaws, [], [], counts, len(killer.kills), time.monotonic() - begun)


def _rotate(url: str, secret: str) -> float:
    """Ask until it is done, as notices do. Return how long it took."""
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE_SECONDS:
        try:
            answer = requests.post(f"{url}/v1/rotations:run", json={"secret": secret}, timeout=10)
            if answer.ok and answer.json()["state"] == "DONE":
                return time.monotonic() - begun
        except requests.RequestException:
            pass
        time.sleep(1.0)
    raise RuntimeError(f"the rotation does not end: {answer.text}")


def _old_token_works(sandbox_url: str) -> bool:
    secrets = simulator("twilio").secrets
    sid = secrets["account-sid"]
    url = f"{sandbox_url}/2010-04-01/Accounts/{sid}/Messages.json"
    return requests.get(url, auth=(sid, secrets["auth-token"]), timeout=10).ok
