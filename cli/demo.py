"""`make run`: the main job from end to end, with nothing but this machine.

The example's records go through the connector's HTTP API to the sandbox: a template and a mapping, names in several
alphabets, and three records that can't arrive, each for a reason of its own.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.progress import Progress

from cli import render
from cli.client import Client, in_path, open_client
from cli.context import Output
from cli.records import read_csv
from cli.sending import SEND, Result
from cli.stack import ROOT, Stack, running_stack

EXAMPLES = ROOT / "examples"
# Beside the bad number and the one the sandbox's carrier refuses, which are in the file.
OPTED_OUT = "+33639980042"
DELIVERY_SECONDS = 2.0
LOOK_EVERY_SECONDS = 0.1
NODE_RATE = 25
HOW_TO_GO_ON = """Try it yourself: `make serve` keeps both up; then, for example,
  .venv/bin/sms send --to +15558675310 --message "Your code is 1234"
  curl -s localhost:8080/v1/messages:send -H 'Content-Type: application/json' \\
    -d '{"to": "+15558675310", "message": "Your code is 1234"}'"""


def run_demo(output: Output, environ: Mapping[str, str]) -> bool:
    """Whether every message reached a final status."""
    request = json.loads((EXAMPLES / "customers.json").read_text(encoding="utf-8"))
    request["records"] = read_csv(EXAMPLES / "customers.csv")
    output.note("starting the connector, and a sandbox in the provider's place …")
    with (
        tempfile.TemporaryDirectory(prefix="sms-demo-") as folder,
        running_stack(Path(folder), delivery_seconds=DELIVERY_SECONDS) as stack,
    ):
        client = open_client(stack.url, environ, output.note)
        client.call("PUT", f"/v1/optOuts/{in_path(OPTED_OUT)}", document={"reason": "asked for it on the phone"})
        begun = time.monotonic()
        results = _send(client, request, output)
        _show(output, results, stack=stack, seconds=time.monotonic() - begun)
    return all(result["final"] for result in results)


def _send(client: Client, request: Mapping[str, Any], output: Output) -> list[Result]:
    """One request for all records, which answers when tracking has ended; the bar is what the ledger says meanwhile."""
    pool = ThreadPoolExecutor(1)
    try:
        with output.progress() as bar:
            task = bar.add_task("sending", total=len(request["records"]))
            answer = pool.submit(client.post, SEND, request)
            while not answer.done():
                time.sleep(LOOK_EVERY_SECONDS)
                _look(client, bar, task)
            results: list[Result] = answer.result()["results"]
            bar.update(task, completed=len(results))
        return results
    finally:
        pool.shutdown(wait=False)  # interrupted: the request ends with the connector, which ends next


def _look(client: Client, bar: Progress, task: Any) -> None:
    found = list(client.pages("/v1/messages", "messages", limit=200))
    counts = Counter(message["status"] for message in found)
    bar.update(task, completed=sum(message["final"] for message in found), description=render.summary(counts).plain)


def _show(output: Output, results: Sequence[Result], *, stack: Stack, seconds: float) -> None:
    arrived = [result for result in results if result["status"] in render.ARRIVED]
    others = [result for result in results if result["status"] not in render.ARRIVED]
    calls = stack.sandbox.summary()["total"]
    segments = sum(result["segments"] for result in results if result["providerMessageId"])
    totals = render.facts(
        (
            ("records", render.summary(Counter(result["status"] for result in results))),
            ("segments", f"{segments} ({_encodings(results)})"),
            ("provider calls", f"{calls} ({calls / len(arrived):.2f} for each delivered message)"),
            (
                "time",
                f"{seconds:.1f} s: a node makes {NODE_RATE} calls a second, the sandbox delivers after {DELIVERY_SECONDS:.0f} s",
            ),
        )
    )
    document = {"results": results, "segments": segments, "providerCalls": calls, "seconds": round(seconds, 3)}
    output.show(
        document,
        f"\n{len(arrived)} delivered; the others:",
        render.results(others, ids=False),
        "",
        totals,
        "",
        HOW_TO_GO_ON,
    )


def _encodings(results: Sequence[Result]) -> str:
    counts = Counter(result["encoding"] for result in results if result["providerMessageId"])
    return ", ".join(f"{count} messages in {encoding}" for encoding, count in counts.most_common())
