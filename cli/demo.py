"""`make run`: the main job from end to end, with nothing but this machine.

The example's spreadsheet goes through the connector's HTTP API to the sandbox as a campaign, and the sandbox calls back: a
template and a mapping, names in several alphabets, and three records that can't arrive, each for a reason of its own.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli import following, render
from cli.client import Client, in_path, open_client
from cli.context import Output
from cli.following import CAMPAIGNS, Campaign
from cli.sending import Result
from cli.stack import ROOT, Stack, running_stack
from cli.upload import CSV, packed

EXAMPLES = ROOT / "examples"
# Beside the bad number and the one the sandbox's carrier refuses, which are in the file.
OPTED_OUT = "+33639980042"
DELIVERY_SECONDS = 2.0
LOOK_EVERY_SECONDS = 0.25
NODE_RATE = 25
HOW_TO_GO_ON = """Try it yourself: `make serve` keeps all of it up; then, for example,
  .venv/bin/sms campaign create examples/customers.csv \\
    --message "Hello <Vorname>" --map to=Mobilnummer
  .venv/bin/sms send --to +15558675310 --message "Your code is 1234"
  curl -s localhost:8080/v1/messages:send -H 'Content-Type: application/json' \\
    -d '{"to": "+15558675310", "message": "Your code is 1234"}'"""


@dataclass(frozen=True, slots=True)
class _Traffic:
    """What the sandbox has seen: calls of ours, and its own to our webhook that were taken."""

    sends: int
    questions: int
    callbacks: int

    @property
    def calls(self) -> int:
        return self.sends + self.questions


def run_demo(output: Output, environ: Mapping[str, str], *, provider: str) -> bool:
    """Return True if every message reached a final status."""
    output.note("starting the connector, its worker and its webhook, and a sandbox in the provider's place …")
    with (
        tempfile.TemporaryDirectory(prefix="sms-demo-") as folder,
        running_stack(Path(folder), provider=provider, delivery_seconds=DELIVERY_SECONDS) as stack,
    ):
        client = open_client(stack.url, environ, output.note)
        client.call("PUT", f"/v1/optOuts/{in_path(OPTED_OUT)}", document={"reason": "asked for it on the phone"})
        begun = time.monotonic()
        campaign = _follow(client, _create(client), stack, output)
        seconds = time.monotonic() - begun
        path = following.path_of(campaign["id"], "/results")
        results = list(client.pages(path, "results", limit=campaign["total"]))
        _show(output, results, traffic=_look(stack), seconds=seconds)
    return all(result["final"] for result in results)


def _create(client: Client) -> Campaign:
    request = json.loads((EXAMPLES / "customers.json").read_text(encoding="utf-8"))
    query = {"message": request["message"], "mapping": json.dumps(request["mapping"]), **request["tracking"]}
    with packed(EXAMPLES / "customers.csv", CSV) as upload:
        campaign: Campaign = client.upload(CAMPAIGNS, upload.file, headers=upload.headers, query=query)
    return campaign


def _follow(client: Client, campaign: Campaign, stack: Stack, output: Output) -> Campaign:
    """Follow it with a bar of the campaign's progress and the sandbox's callbacks."""
    seen = campaign
    with output.progress() as bar:
        task = bar.add_task("", total=campaign["total"])
        for seen in following.follow(client, campaign, interval=LOOK_EVERY_SECONDS):
            words = f"{_look(stack).callbacks} callbacks · {following.describe(seen)}"
            bar.update(task, completed=following.settled(seen), description=words)
    return seen


def _look(stack: Stack) -> _Traffic:
    summary = stack.sandbox.summary()
    sends = stack.sandbox.summary(method="POST")["total"]
    taken = sum(200 <= (attempt["status"] or 0) < 300 for attempt in stack.sandbox.callbacks())
    return _Traffic(sends, summary["total"] - sends, taken)


def _show(output: Output, results: Sequence[Result], *, traffic: _Traffic, seconds: float) -> None:
    arrived = [result for result in results if result["status"] in render.ARRIVED]
    others = [result for result in results if result["status"] not in render.ARRIVED]
    called = [result for result in results if result["providerMessageId"]]
    segments = sum(result["segments"] for result in called)
    by_callback = sum(result["final"] and result["attempts"] == 0 for result in called)
    totals = (
        ("records", render.summary(Counter(result["status"] for result in results))),
        ("segments", f"{segments} ({render.encodings(Counter(result['encoding'] for result in called))})"),
        ("provider calls", _describe(traffic, len(arrived))),
        ("callbacks", f"{traffic.callbacks} received; {by_callback} of {len(called)} final states came by them"),
        (
            "time",
            f"{seconds:.1f} s: a node makes {NODE_RATE} calls a second, the sandbox delivers after {DELIVERY_SECONDS:.0f} s",
        ),
    )
    counts = {
        "segments": segments,
        "providerCalls": traffic.calls,
        "callbacks": traffic.callbacks,
        "finalByCallbacks": by_callback,
    }
    output.show(
        {"results": results, **counts, "seconds": round(seconds, 3)},
        f"\n{len(arrived)} delivered; the others:",
        render.results(others, ids=False),
        "",
        render.facts(totals),
        "",
        HOW_TO_GO_ON,
    )


def _describe(traffic: _Traffic, arrived: int) -> str:
    """Of calls to the provider."""
    asked = f"{traffic.questions} asked for a status" if traffic.questions else "no status was asked for"
    return f"{traffic.calls} ({traffic.calls / max(arrived, 1):.2f} for each delivered message): {asked}"
