"""One way of sending, in a process of its own: a line on its input is a round, a line on its output the CPU seconds of it.

yes | head -5 | python -m tests.benchmarks.cpu_worker <way> <sandbox url> <messages> [<parallel calls>]
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sandbox.twilio.accounts import ACCOUNT_SID, AUTH_TOKEN
from tests.fixtures.processes import SENDER

from .node import compose, make_request
from .records import recipient, text

Round = Callable[[int], None]


def make_connector(url: str, folder: Path, parallel: int) -> Round:
    """Ours, all of it: intents, lease, calls, outcomes in a durable SQLite ledger."""
    from sms_connector.model.policy import Policy

    node = compose(folder, url, rate=None, policy=Policy(max_parallel_calls=parallel))

    def run(count: int) -> None:
        records = node.engine.sender.send(make_request(count))
        assert all(record.provider_message_id for record in records)

    return run


def make_transport(url: str, folder: Path, parallel: int) -> Round:
    """Our provider room over our transport, without ledger and engine."""
    from sms_connector.model.message import OutboundMessage

    provider = compose(folder, url, rate=None).provider

    def run(count: int) -> None:
        for number in range(count):
            provider.send([OutboundMessage(str(number), recipient(number), SENDER, text(number))])

    return run


def make_sdk(url: str, folder: Path, parallel: int) -> Round:
    """The official SDK, its base URL turned to the sandbox, as its documentation shows it: one client, messages.create."""
    from twilio.base.domain import Domain
    from twilio.rest import Client

    client = Client(ACCOUNT_SID, AUTH_TOKEN)
    # The SDK has no setting for its host; its domain object has.
    domain: Domain = client.api
    domain.base_url = url

    def run(count: int) -> None:
        for number in range(count):
            assert client.messages.create(to=recipient(number), from_=SENDER, body=text(number)).sid

    return run


def make_session(url: str, folder: Path, parallel: int) -> Round:
    """A bare `requests.Session` posting the same form and reading the same answer; no ledger, no outcome kept."""
    import requests

    session = requests.Session()
    session.auth = (ACCOUNT_SID, AUTH_TOKEN)
    address = f"{url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"

    def run(count: int) -> None:
        for number in range(count):
            form = {"To": recipient(number), "From": SENDER, "Body": text(number)}
            assert session.post(address, data=form, timeout=(5, 15)).json()["sid"]

    return run


WAYS = {
    "connector": make_connector,
    "transport": make_transport,
    "sdk": make_sdk,
    "session": make_session,
}


def main(way: str, url: str, messages: int, parallel: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = WAYS[way](url, Path(folder), parallel)
        run(messages // 4)  # connections, caches and code paths are warm for everybody
        for _ in sys.stdin:
            begun, wall = time.process_time(), time.perf_counter()
            run(messages)
            print(json.dumps({"cpu": time.process_time() - begun, "wall": time.perf_counter() - wall}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 100)
