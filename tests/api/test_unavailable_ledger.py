"""A ledger or a queue out of reach is a 503 that tells what a repetition may do; repeated with its key, a request is carried out once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from sms_connector.errors import LedgerUnavailable, QueueUnavailable, StoreMisconfigured
from sms_connector.ports import Task
from tests.fixtures.campaign_api import CampaignApi
from tests.fixtures.campaign_world import number, run_in
from tests.fixtures.memory_ledger import OUTAGES, Fate
from tests.fixtures.memory_queue import MemoryQueue

SEND: dict[str, Any] = {"message": "Hello", "records": [{"to": number(index)} for index in range(3)]}
KEYED = {"Idempotency-Key": "key"}
NUMBER = "+15558675310"
RECORD = "msg_1"


def out_of_reach() -> LedgerUnavailable:
    error = LedgerUnavailable()
    error.__cause__ = TimeoutError(f"10.0.0.1 and {NUMBER}")
    return error


def events(api: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in api.log.getvalue().splitlines()]


# What the engine was asked when it failed, and by which request.
REQUESTS = [
    pytest.param("get", "GET", f"/v1/messages/{RECORD}", None, id="look up"),
    pytest.param("list", "GET", "/v1/messages", None, id="list"),
    pytest.param("cancel", "POST", f"/v1/messages/{RECORD}:cancel", None, id="cancel"),
    pytest.param("optOuts.get", "GET", f"/v1/optOuts/{NUMBER}", None, id="opt-out"),
    pytest.param("optOuts.put", "PUT", f"/v1/optOuts/{NUMBER}", {}, id="new opt-out"),
    pytest.param("inbound.list", "GET", "/v1/inboundMessages", None, id="inbound"),
    pytest.param("callbacks.list", "GET", "/v1/callbacks", None, id="callbacks"),
    pytest.param("suspended", "GET", "/v1/connection", None, id="connection"),
    pytest.param("suspend", "POST", "/v1/connection:suspend", {}, id="suspend"),
    pytest.param("require_active", "POST", "/v1/messages:send", SEND, id="send, before anything was done"),
]


@pytest.mark.parametrize(("asked", "method", "path", "body"), REQUESTS)
def test_a_request_that_may_be_repeated_as_it_is(api: Any, asked: str, method: str, path: str, body: Any) -> None:
    api.double.fail_with[asked] = out_of_reach()
    answer = api.client.open(path, method=method, json=body)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json["error"] == {
        "code": 503,
        "status": "UNAVAILABLE",
        "message": str(LedgerUnavailable()),
        "details": [{"kind": "UNAVAILABLE", "retry": "safe", "retryAfterMillis": 2000}],
    }


def test_it_is_one_line_in_the_log_and_no_fault_of_ours(api: Any) -> None:
    api.double.fail_with["get"] = out_of_reach()
    api.get(f"/v1/messages/{RECORD}")
    told, request = events(api)
    assert (told["severity"], told["message"], told["cause"]) == ("WARNING", "ledger_unavailable", "TimeoutError")
    assert "stack" not in told
    assert (request["message"], request["status"]) == ("request", 503)
    assert NUMBER[2:] not in api.log.getvalue()


def test_what_has_to_be_mended_is_told_to_the_log_alone(api: Any) -> None:
    api.double.fail_with["get"] = StoreMisconfigured(
        "the Firestore database projects/p/databases/sms may not be used: grant …"
    )
    answer = api.get(f"/v1/messages/{RECORD}")
    assert (answer.status_code, answer.json["error"]["status"]) == (500, "INTERNAL")
    assert "databases/sms" not in answer.text
    [told] = [event for event in events(api) if event["severity"] == "ERROR"]
    assert told["message"] == "store_misconfigured"
    assert told["fix"].endswith("may not be used: grant …")


@pytest.mark.parametrize(
    ("headers", "retry", "after", "told"),
    [
        pytest.param(KEYED, "safe", "2", "ask again as you did", id="with a key: it is carried on"),
        pytest.param({}, "unknown_outcome", None, "it is unknown how far", id="without: it may be sent twice"),
    ],
)
def test_a_send_that_had_begun(api: Any, headers: dict[str, str], retry: str, after: str | None, told: str) -> None:
    api.double.fail_with["send"] = out_of_reach()
    answer = api.client.post("/v1/messages:send", json=SEND, headers=headers)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, after)
    [detail] = answer.json["error"]["details"]
    assert (detail["kind"], detail["retry"]) == ("UNAVAILABLE", retry)
    assert told in answer.json["error"]["message"]
    assert api.double.calls[-1] == ("release" if headers else "send"), "the key is left for whoever asks again"
    assert events(api)[0]["cause"] == "TimeoutError"


# --- with the real engine, at every step ------------------------------------------------------------------------------

CREATIONS = [
    pytest.param("/v1/messages:send", id="send"),
    pytest.param("/v1/campaigns", id="campaign"),
]


def ask(api: CampaignApi, client: Any, path: str) -> Any:
    return run_in(api.world.clock, partial(client.post, path, json=SEND, headers=KEYED))


def steps_of(path: str) -> int:
    api, fate = CampaignApi(), Fate()
    assert ask(api, api.make_client(api.world.node(fate=fate)), path).status_code < 300
    return fate.steps


def ask_until_done(api: CampaignApi, client: Any, path: str) -> Any:
    for _ in range(4):
        answer = ask(api, client, path)
        if answer.status_code < 300:
            return answer
        assert answer.status_code == 409, "the first one may still be at it"
        run_in(api.world.clock, partial(api.world.clock.sleep, api.world.policy.lease_seconds / 2))
    raise AssertionError("the key stays in progress")


@pytest.mark.parametrize("outage", ["out of reach once", "out of reach from then on"])
@pytest.mark.parametrize("path", CREATIONS)
def test_repeated_with_its_key_it_is_carried_out_once(path: str, outage: str) -> None:
    error, fails = OUTAGES[outage]
    refused = 0
    for step in range(1, steps_of(path) + 1):
        api, fate = CampaignApi(), Fate(fail_at=step, fails=fails, error=error)
        client = api.make_client(api.world.node(fate=fate))
        first = ask(api, client, path)
        if first.status_code >= 300:
            refused += 1
            assert (first.status_code, first.headers["Retry-After"]) == (503, "2"), first.text
            assert first.json["error"]["details"][0]["retry"] == "safe"
        fate.fail_at = None
        check(api, ask_until_done(api, client, path).json)
    assert refused > 3


def check(api: CampaignApi, answer: Any) -> None:
    """What the provider has is the witness: each once, and where it has none, nobody says so."""
    run_in(api.world.clock, partial(api.world.run_chunks, api.node))
    results = answer["results"] if "results" in answer else api.results(answer["id"])
    sent = Counter(stored.message.id for stored in api.world.network.stored)
    assert set(sent.values()) <= {1}
    assert {result["id"] for result in results if result["providerMessageId"]} == set(sent)
    assert not any(result["final"] for result in results if result["id"] not in sent), "its outcome is looked into"
    assert "id" not in answer or len(sent) == 3, "a campaign that was taken is carried out"


class NoChunks(MemoryQueue):
    """One of the two queues is out of reach: found out when the records are kept."""

    def enqueue(self, tasks: Sequence[Task]) -> None:
        if self.out and any(task.queue == "chunks" for task in tasks):
            raise QueueUnavailable
        self.tasks += tasks


@pytest.mark.parametrize(
    ("headers", "retry", "after", "campaigns"),
    [
        pytest.param(KEYED, "safe", "2", 1, id="with a key: it is the same campaign"),
        pytest.param({}, "unknown_outcome", None, 2, id="without: it would be another one"),
    ],
)
def test_a_campaign_whose_tasks_the_queue_did_not_take(
    headers: dict[str, str], retry: str, after: str | None, campaigns: int
) -> None:
    api, queue = CampaignApi(), NoChunks(out=True)
    api.world.queue = queue  # type: ignore[assignment]  # a queue is a queue
    client = api.make_client(api.world.node())
    create = partial(client.post, "/v1/campaigns", json=SEND, headers=headers)
    first = run_in(api.world.clock, create)
    assert (first.status_code, first.headers.get("Retry-After")) == (503, after)
    [detail] = first.json["error"]["details"]
    assert (detail["kind"], detail["retry"]) == ("UNAVAILABLE", retry)
    queue.out = False
    assert run_in(api.world.clock, create).status_code == 202
    assert len(client.get("/v1/campaigns").json["campaigns"]) == campaigns


def test_while_it_is_away_nothing_is_sent() -> None:
    api, fate = CampaignApi(), Fate(fail_at=1, fails=OUTAGES["out of reach from then on"][1])
    client = api.make_client(api.world.node(fate=fate))
    answer = run_in(api.world.clock, partial(client.post, "/v1/messages:send", json=SEND))
    assert (answer.status_code, answer.json["error"]["details"][0]["retry"]) == (503, "safe")
    assert api.world.network.stored == []
