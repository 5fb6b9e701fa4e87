"""`make run` as people start it: its own process, its end, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from cli.errors import Misused, Unavailable
from cli.stack import running_stack

ROOT = Path(__file__).parents[2]


def start(temporary: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "--json", *words],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary), "SMS_PROVIDER": "a setting of the caller's that must not matter"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job ignores Ctrl-C, and so would its children.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def test_the_example_from_end_to_end(tmp_path: Path) -> None:
    process = start(tmp_path, "demo")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    document = json.loads(out)
    results = document["results"]
    assert Counter(result["status"] for result in results) == {"delivered": 97, "error": 2, "undelivered": 1}
    assert sorted(result["error"]["kind"] for result in results if result["error"]) == [
        "BLOCKED",
        "INVALID_RECIPIENT",
        "OPTED_OUT",
    ]
    assert {result["encoding"] for result in results} == {"GSM-7", "UCS-2", None}
    assert [result["index"] for result in results] == list(range(100))
    assert document["callbacks"] >= document["finalByCallbacks"] > 90
    assert 98 <= document["providerCalls"] <= 1.1 * 98
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_with_all_it_started(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path, "serve", "--port", "0", "--sandbox-port", "0")
    assert process.stdout
    document = process.stdout.readline()
    while not document.rstrip().endswith("}\n}"):
        document += process.stdout.readline()
    assert set(json.loads(document)["urls"]) == {"connector", "worker", "webhook", "rotator", "sandbox", "inbound"}
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 4
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert [child for child in children if Path(f"/proc/{child}").exists()] == []
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(Misused, match=f"port {port} for the connector"),
            running_stack(tmp_path, ports={"connector": port}),
        ):
            pytest.fail("it must not start")


def test_a_connector_that_does_not_start_is_told_with_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(Unavailable, match="SMS_NODE_RATE"),
        running_stack(tmp_path, settings={"SMS_NODE_RATE": "26"}),
    ):
        pytest.fail("it must not start")
