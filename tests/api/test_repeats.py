"""A repeat with its Idempotency-Key gets the stored answer, whatever has changed meanwhile; one that still runs says when to ask again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from sms_connector.ports import Write
from sms_connector.sending.idempotency import COLLECTION, key_id
from tests.fixtures.campaign_api import CAMPAIGNS_PATH, CSV, JSON, TO, CampaignApi

POOL = "MG" + "0" * 32
SEND = "/v1/messages:send"
TEMPLATE = "/v1/templates/shipped"
ROWS = b"to,name\n+15558675310,Ann\n"
KEY = {"Idempotency-Key": "order-1"}
RECORDS = [{"to": TO, "name": "Ann"}]


def soon(api: CampaignApi, seconds: float = 600) -> str:
    return datetime.fromtimestamp(api.world.clock.time() + seconds, UTC).isoformat()


def post(api: CampaignApi, path: str, body: Any, form: str = JSON, key: dict[str, str] = KEY) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.client.post(path, data=content, headers={"Content-Type": form, **key})


def save(api: CampaignApi, message: str, **others: Any) -> None:
    assert api.client.put(TEMPLATE, json={"message": message, **others}).status_code in (200, 201)


def pass_by(api: CampaignApi, seconds: float) -> None:
    api.world.clock.now += seconds


def delete(api: CampaignApi) -> None:
    assert api.client.delete(TEMPLATE).status_code == 200


@dataclass(frozen=True)
class Repeat:
    """`body` is what is posted twice, `change` what happens between."""

    reason: str
    path: str
    body: Callable[[CampaignApi], Any]
    change: Callable[[CampaignApi], None]
    form: str = JSON


def scheduled(api: CampaignApi) -> dict[str, Any]:
    return {"to": TO, "message": "x", "sender": POOL, "sendAt": soon(api)}


def scheduled_campaign(api: CampaignApi) -> dict[str, Any]:
    return {"records": RECORDS, "message": "x", "sender": POOL, "sendAt": soon(api)}


def of_template(api: CampaignApi) -> dict[str, Any]:
    return {"template": "shipped", "records": RECORDS}


FILE = "?template=shipped"
REPEATS = [
    Repeat("sendAt is too near meanwhile", SEND, scheduled, lambda api: pass_by(api, 400)),
    Repeat("sendAt is past meanwhile", SEND, scheduled, lambda api: pass_by(api, 4000)),
    Repeat("the template was deleted", SEND, of_template, delete),
    Repeat("the template has changed", SEND, of_template, lambda api: save(api, "Hi <name>!")),
    Repeat("the template needs another value", SEND, of_template, lambda api: save(api, "Hi <surname>")),
    Repeat("a file's template was deleted", SEND + FILE, lambda _: ROWS, delete, CSV),
    Repeat("campaign: sendAt is too near", CAMPAIGNS_PATH, scheduled_campaign, lambda api: pass_by(api, 400)),
    Repeat("campaign: sendAt is past", CAMPAIGNS_PATH, scheduled_campaign, lambda api: pass_by(api, 4000)),
    Repeat("campaign: the template was deleted", CAMPAIGNS_PATH, of_template, delete),
    Repeat("campaign: the template has changed", CAMPAIGNS_PATH, of_template, lambda api: save(api, "Hi <name>!")),
    Repeat("campaign: a file's template was deleted", CAMPAIGNS_PATH + FILE, lambda _: ROWS, delete, CSV),
]


@pytest.fixture
def api() -> CampaignApi:
    return CampaignApi()


@pytest.mark.parametrize("repeat", [pytest.param(each, id=each.reason) for each in REPEATS])
def test_the_same_request_gets_the_stored_answer(api: CampaignApi, repeat: Repeat) -> None:
    save(api, "Hi <name>")
    body = repeat.body(api)
    first = post(api, repeat.path, body, repeat.form)
    assert first.status_code in (200, 202), first.text
    repeat.change(api)
    again = post(api, repeat.path, body, repeat.form)
    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers.get("Location") == first.headers.get("Location")


@pytest.mark.parametrize("path", [SEND, CAMPAIGNS_PATH])
def test_another_request_or_key_is_refused_for_what_is_wrong_with_it(api: CampaignApi, path: str) -> None:
    save(api, "Hi <name>")
    body = of_template(api)
    assert post(api, path, body).status_code in (200, 202)
    delete(api)
    assert post(api, path, {**body, "validitySeconds": 60}).status_code == 400
    assert post(api, path, body, key={"Idempotency-Key": "order-2"}).status_code == 400
    assert post(api, path, body, key={}).status_code == 400
    assert post(api, path, body, key={"Idempotency-Key": "order 1"}).status_code == 400


@pytest.mark.parametrize("path", [SEND, CAMPAIGNS_PATH])
def test_a_refused_request_stores_nothing(api: CampaignApi, path: str) -> None:
    body = of_template(api)
    assert post(api, path, body).status_code == 400
    save(api, "Hi <name>")
    sent = post(api, path, body)
    assert sent.status_code in (200, 202)
    assert "Idempotency-Replayed" not in sent.headers


@pytest.mark.parametrize("path", [SEND, CAMPAIGNS_PATH])
def test_what_broke_off_and_is_refused_by_now_is_not_called_unsent(api: CampaignApi, path: str) -> None:
    """Its node died before the answer was kept: messages may have left, so a plain refusal would be a lie."""
    save(api, "Hi <name>")
    body = of_template(api)
    assert post(api, path, body).status_code in (200, 202)
    [kept] = api.world.ledger.get(COLLECTION, [key_id("order-1")])
    assert kept is not None
    api.world.ledger.commit([Write(COLLECTION, kept.id, {**kept.data, "state": "running", "holder": ""})])
    delete(api)
    answer = post(api, path, body)
    assert answer.status_code == 422
    assert "broke off" in answer.json["error"]["message"]
    assert "shipped" in answer.json["error"]["message"]
    [detail] = answer.json["error"]["details"]
    assert (detail["kind"], detail["retry"]) == ("UNKNOWN_OUTCOME", "unknown_outcome")


@pytest.mark.parametrize("path", [SEND, CAMPAIGNS_PATH])
def test_a_repeat_after_a_day_is_a_new_request(api: CampaignApi, path: str) -> None:
    body = (scheduled if path == SEND else scheduled_campaign)(api)
    assert post(api, path, body).status_code in (200, 202)
    pass_by(api, 86_401)
    assert post(api, path, body).status_code == 400


@pytest.mark.parametrize("path", [SEND, CAMPAIGNS_PATH])
@pytest.mark.parametrize("change", [lambda _: None, delete], ids=["still right", "refused by now"])
def test_while_the_first_one_runs_the_answer_says_when_to_ask_again(
    api: CampaignApi, path: str, change: Callable[[CampaignApi], None]
) -> None:
    save(api, "Hi <name>")
    body = of_template(api)
    assert post(api, path, body).status_code in (200, 202)
    [kept] = api.world.ledger.get(COLLECTION, [key_id("order-1")])
    assert kept is not None
    still_running = {**kept.data, "state": "running"}
    api.world.ledger.commit([Write(COLLECTION, kept.id, still_running)])
    change(api)
    busy = post(api, path, body)
    assert (busy.status_code, busy.headers["Retry-After"]) == (409, "2")
    [detail] = busy.json["error"]["details"]
    assert (detail["kind"], detail["retry"], detail["retryAfterMillis"]) == ("IN_PROGRESS", "safe", 2000)
