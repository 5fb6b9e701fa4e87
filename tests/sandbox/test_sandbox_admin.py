from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from sandbox import AdminClient, Options, Sandbox
from sandbox.__main__ import parse
from sandbox.client import AdminCallError
from sandbox.journal import most_in_window
from sandbox.limits import Gate
from sandbox.options import CallbackBehaviour, Settings
from tests.sandbox.support import BASE, ROOT, TO, Api, OpenApiDocuments


def test_the_journal(api: Api, admin: AdminClient) -> None:
    api.create(Body="a&b ü", MediaUrl=["https://x/1.png", "https://x/2.png"])
    api.list(To=TO)
    first, second = admin.journal()
    assert (first["method"], first["path"], first["status"], first["fault"]) == (
        "POST",
        f"{BASE}/Messages.json",
        201,
        None,
    )
    assert first["form"]["Body"] == "a&b ü"
    assert first["form"]["MediaUrl"] == ["https://x/1.png", "https://x/2.png"]
    assert first["headers"]["Authorization"] == "Basic ***"
    assert (second["query"], second["form"]) == ({"To": TO}, {})
    assert first["monotonic"] < second["monotonic"]
    assert first["epoch"] < second["epoch"]
    assert (first["sequence"], second["sequence"]) == (1, 2)


def test_no_secret_is_in_the_journal(api: Api, admin: AdminClient) -> None:
    api.create()
    assert "Basic QU" not in json.dumps(admin.journal())


def test_the_journal_filtered(api: Api, admin: AdminClient) -> None:
    api.create()
    api.create(To="nobody")
    api.create(headers={"X-Sandbox-Fault": "429"})
    api.list()
    numbers: list[tuple[dict[str, Any], list[int]]] = [
        ({"method": "POST"}, [1, 2, 3]),
        ({"method": "GET"}, [4]),
        ({"status": 400}, [2]),
        ({"fault": "429"}, [3]),
        ({"since": 2}, [3, 4]),
        ({"limit": 1}, [1]),
        ({"path": r"Messages\.json$", "method": "GET"}, [4]),
        ({"path": "Balance"}, []),
    ]
    for filters, expected in numbers:
        assert [entry["sequence"] for entry in admin.journal(**filters)] == expected, filters


def test_the_summary_and_the_starts(api: Api, admin: AdminClient) -> None:
    for _ in range(3):
        api.create()
    api.fetch(api.created()["sid"])
    summary = admin.summary()
    assert summary["routes"] == {
        "GET /2010-04-01/Accounts/{sid}/Messages/{sid}.json": 1,
        "POST /2010-04-01/Accounts/{sid}/Messages.json": 4,
    }
    assert (summary["total"], summary["statuses"], summary["faults"]) == (5, {"200": 1, "201": 4}, {})
    assert summary["mostStartsInOneSecond"] == 5
    starts = admin.starts(method="POST")
    assert starts == sorted(starts)
    assert len(starts) == 4


def test_lists_one_document_per_line(api: Api, sandbox: Sandbox) -> None:
    for _ in range(2):
        api.create()
    text = requests.get(f"{sandbox.url}/_sandbox/messages?format=ndjson", timeout=5).text
    assert [json.loads(line)["sequence"] for line in text.splitlines()] == [1, 2]


def test_messages_since(api: Api, admin: AdminClient) -> None:
    for _ in range(3):
        api.create()
    assert [message["sequence"] for message in admin.messages(since=1)] == [2, 3]


def test_reset(api: Api, admin: AdminClient) -> None:
    api.create()
    admin.fault("429")
    admin.advance(1000)
    before = admin.settings(latencySeconds=0.001)
    admin.post("accounts", {"sid": "AC" + "2" * 32, "authToken": "x"})
    admin.reset()
    assert (admin.messages(), admin.journal(), admin.get("faults"), admin.callbacks()) == ([], [], [], [])
    assert admin.get("settings") == before | {"latencySeconds": 0.0}
    assert admin.get("clock")["skipped"] == 0
    assert len(admin.get("accounts")) == 1
    assert api.created()["status"] == "queued"


def test_settings_are_changed_one_by_one(admin: AdminClient) -> None:
    changed = admin.settings(deliverySeconds=7, callbacks={"repeat": 2, "reorder": True})
    assert (changed["deliverySeconds"], changed["callbacks"]["repeat"], changed["callbacks"]["reorder"]) == (7, 2, True)
    assert admin.settings(rateLimit=5)["deliverySeconds"] == 7
    assert admin.settings(rateLimit=None)["rateLimit"] is None
    assert admin.settings(callbacks={"statuses": ["sent"]})["callbacks"]["statuses"] == ["sent"]


@pytest.mark.parametrize(
    ("call", "word"),
    [
        pytest.param(("POST", "settings", {"speed": 1}), "no such setting: speed", id="an unknown setting"),
        pytest.param(("POST", "settings", {"callbacks": {"x": 1}}), "settings.callbacks: no such", id="one inside"),
        pytest.param(("POST", "settings", {"callbacks": 1}), "settings.callbacks: an object", id="not an object"),
        pytest.param(("POST", "settings", {"deliverySeconds": -1}), "deliverySeconds: a number", id="negative"),
        pytest.param(("POST", "settings", {"deliverySeconds": None}), "deliverySeconds: a number", id="null"),
        pytest.param(("POST", "settings", {"callbacks": {"statuses": "x"}}), "a list", id="not a list"),
        pytest.param(("POST", "clock", {"advanceSeconds": -1}), "only moves forward", id="back in time"),
        pytest.param(("POST", "accounts", {"sid": "AC2"}), "authToken", id="a new account without a token"),
        pytest.param(("POST", "numbers", {}), "number: a text", id="no number"),
        pytest.param(("GET", "journal?since=x", None), "since: a whole number", id="a number in words"),
        pytest.param(("GET", "journal?path=(", None), "path: not a pattern", id="a pattern that is none"),
        pytest.param(("GET", "nothing", None), "no such admin call", id="an unknown call"),
    ],
)
def test_admin_calls_that_are_refused(admin: AdminClient, call: tuple[str, str, Any], word: str) -> None:
    method, path, document = call
    with pytest.raises(AdminCallError) as refused:
        admin.call(method, path, json.dumps(document).encode() if document is not None else b"")
    assert word in str(refused.value)


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_admin_bodies_that_are_no_object(admin: AdminClient, body: bytes) -> None:
    with pytest.raises(AdminCallError, match="body:"):
        admin.call("POST", "settings", body)


def test_accounts_are_shown_without_secrets(admin: AdminClient) -> None:
    assert "0123456789abcdef" not in json.dumps(admin.get("accounts"))


def test_the_concurrency_limit(api: Api, admin: AdminClient) -> None:
    admin.settings(concurrencyLimit=2, latencySeconds=0.2)
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: Api(api.url, None).create(), range(5)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == 3
    assert {answer.json()["code"] for answer in refused} == {20429}
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    assert max(int(answer.headers["Twilio-Concurrent-Requests"]) for answer in answers) >= 3
    assert len(admin.messages()) == 2


def test_the_rate_limit(api: Api, admin: AdminClient) -> None:
    admin.settings(rateLimit=3)
    answers = [api.create() for _ in range(5)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429, 429]
    assert answers[-1].headers["Retry-After"] == "1"


@given(st.lists(st.floats(0, 5), max_size=40), st.integers(1, 5))
def test_no_second_lets_in_more_than_the_rate(times: list[float], limit: int) -> None:
    gate, settings = Gate(), Settings(rate_limit=limit)
    admitted = [at for at in sorted(times) if gate.retry_after(settings, at) is None]
    assert most_in_window(admitted, 1.0) <= limit


@given(st.lists(st.integers(0, 50).map(lambda tenths: tenths / 10), max_size=40))
def test_the_most_in_a_window_is_that_of_a_plain_count(times: list[float]) -> None:
    times.sort()
    plain = max((sum(start <= at < start + 1.0 - 1e-9 for at in times) for start in times), default=0)
    assert most_in_window(times, 1.0) == plain


def test_the_same_seed_makes_the_same_ids() -> None:
    def ids(seed: int) -> list[str]:
        with Sandbox(Options(seed=seed)) as sandbox:
            api = Api(sandbox.url, None)
            return [api.created()["sid"] for _ in range(3)]

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)


def test_an_unopened_sandbox_has_no_address() -> None:
    with pytest.raises(RuntimeError, match="with block"):
        _ = Sandbox().url


def test_the_command_line() -> None:
    assert parse([]) == Options(port=8800)
    assert parse(["--port", "0", "--instant", "--seed", "7", "--rate-limit", "9"]) == Options(
        port=0, seed=7, settings=Settings(delivery_seconds=0.0, rate_limit=9)
    )
    assert parse(["--delivery-seconds", "0.5"]).settings.callbacks == CallbackBehaviour()


def test_the_command_serves_until_it_is_stopped(documents: OpenApiDocuments) -> None:
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--instant"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            words, _, url = line.rpartition(" ")
            assert words == "sandbox listening on"
            assert Api(url, documents).created()["status"] == "queued"
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()
