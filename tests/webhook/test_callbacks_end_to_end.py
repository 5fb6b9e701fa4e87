"""The three functions as processes, the simulator as provider, a receiver as caller: callbacks in become callbacks out."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from standardwebhooks import Webhook

from sandbox import AdminClient
from sms_connector.callbacks.callback_address import CallbackAddress
from sms_connector.local.clock import SystemClock
from sms_connector.local.secrets import FileSecrets
from tests.fixtures.functions import Received, answering
from tests.fixtures.processes import (
    ROOT,
    SENDER,
    FunctionProcess,
    connector_environ,
    find_port,
    sandbox_process,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATIENCE = 30.0
REPLIER = "+15558670003"


@dataclass
class Stack:
    connector: str
    webhook: str
    sandbox: AdminClient
    address: CallbackAddress
    logs: Path
    received: list[Received] = field(default_factory=list)

    def post(self, path: str, document: Any) -> Any:
        return requests.post(self.connector + path, json=document, timeout=30).json()

    def get(self, path: str) -> Any:
        return requests.get(self.connector + path, timeout=30).json()

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(each.body)["data"] for each in list(self.received)]


def until(holds: Callable[[], Any]) -> Any:
    """What it says once it says anything."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if said := holds():
            return said
        time.sleep(0.05)
    raise AssertionError("it did not come about in time")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    received: list[Received] = []

    def keep(request: Received) -> int:
        received.append(request)
        return 204

    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        receiver = closing.enter_context(answering(keep))
        sandbox = closing.enter_context(sandbox_process("--delivery-seconds=0.4"))
        port = find_port()
        public = f"http://127.0.0.1:{port}"
        environ = connector_environ(
            folder,
            sandbox.url,
            SMS_QUEUE=f"sqlite:{folder / 'queue.db'}",
            SMS_WEBHOOK_URL=public,
            SMS_CALLBACK_URL=f"{receiver}/results",
            SMS_CALLBACK_PRIVATE_HOSTS="127.0.0.1",
            SMS_HELP_REPLY="Call 0800 1234",
            SMS_CONNECTION_RATE="40",
        )
        (folder / "secrets" / "webhook-key").write_text("k" * 32)
        (folder / "secrets" / "callback-secret").write_text(SECRET)
        urls = {}
        for target in ("connector", "worker", "webhook"):
            own = port if target == "webhook" else find_port()
            log = folder / f"{target}.log"
            function = FunctionProcess(ROOT / "function" / "main.py", environ, log, target=target, port=own)
            urls[target] = closing.enter_context(function.running()).url
        secrets = FileSecrets(folder / "secrets", clock=SystemClock())
        address = CallbackAddress(public, provider="twilio", connection="local", secrets=secrets)
        _post(sandbox, "numbers", {"number": SENDER, "smsUrl": address.of_kind("inbound")})
        yield Stack(urls["connector"], public, sandbox, address, folder, received)


def _post(sandbox: AdminClient, call: str, document: dict[str, Any]) -> Any:
    return requests.post(f"{sandbox.url}/_sandbox/{call}", json=document, timeout=30).json()


def test_a_final_state_reaches_the_caller_signed(stack: Stack) -> None:
    answer = stack.post("/v1/messages:send", {"to": "+15558675310", "message": "Your code is 1234"})
    [sent] = answer["results"]
    until(lambda: [each for each in stack.told() if each["id"] == sent["id"]])
    told = next(each for each in stack.received if sent["id"].encode() in each.body)
    headers = {name.lower(): value for name, value in told.headers.items()}
    document = Webhook(SECRET).verify(told.body, headers)
    assert (document["type"], document["data"]["status"]) == ("message.final", "delivered")
    message = stack.get(f"/v1/messages/{sent['id']}")
    assert {entry["source"] for entry in message["history"]} == {"send", "callback"}, "no question was asked"
    # The receiver has the notification before its state is stored.
    [listed] = until(lambda: stack.get("/v1/callbacks?state=delivered&pageSize=1")["callbacks"])
    assert listed["attempts"] == 1


def test_a_campaign_is_told_message_by_message(stack: Stack) -> None:
    records = [{"to": f"+155586720{number:02d}"} for number in range(60)]
    campaign = stack.post(
        "/v1/campaigns", {"message": "Hello", "records": records, "tracking": {"retryIntervalMillis": 500}}
    )
    until(lambda: stack.get(f"/v1/campaigns/{campaign['id']}")["state"] == "done")
    results = stack.get(f"/v1/campaigns/{campaign['id']}/results?pageSize=200")["results"]
    assert {each["status"] for each in results} == {"delivered"}
    ids = {each["id"] for each in results}
    until(lambda: ids <= {each["id"] for each in stack.told()})


@pytest.mark.parametrize(
    ("text", "keyword", "replies"), [("HELP", "help", 1), ("Thanks!", None, 0), ("Stop", "stop", 0)]
)
def test_an_inbound_message_is_kept_and_answered(stack: Stack, text: str, keyword: str | None, replies: int) -> None:
    said = _post(stack.sandbox, "inbound", {"to": SENDER, "from": REPLIER, "body": text})
    assert (said["webhook"]["status"], len(said["replies"])) == (200, replies)
    kept = until(lambda: [each for each in stack.get("/v1/inboundMessages")["inboundMessages"] if each["text"] == text])
    assert [each["keyword"] for each in kept] == [keyword]
    opted_out = stack.get(f"/v1/optOuts/{REPLIER}")
    assert ("error" in opted_out) is (keyword != "stop")


def test_a_forged_callback_changes_nothing(stack: Stack) -> None:
    [sent] = stack.post(
        "/v1/messages:send",
        {"to": "+15558675311", "message": "x", "tracking": {"wait": True, "retryIntervalMillis": 500}},
    )["results"]
    before = stack.get(f"/v1/messages/{sent['id']}")
    body = {"MessageSid": sent["providerMessageId"], "MessageStatus": "failed", "To": "+15558675311"}
    url = stack.address.of_message(sent["id"])
    forged = requests.post(url, data=body, headers={"X-Twilio-Signature": "AAAA"}, timeout=30)
    assert forged.status_code == 204, "the door does not tell"
    until(lambda: "callback_rejected" in (stack.logs / "worker.log").read_text())
    assert stack.get(f"/v1/messages/{sent['id']}") == before
