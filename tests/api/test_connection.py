"""`/v1/connection`, `/v1/limits`, `/health`."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.connection_control import Limits, Suspension
from sms_connector.errors import ErrorKind, PreconditionFailed, Throttled
from sms_connector.rate_limit.throttle import ThrottleState


def test_the_connection_as_it_was_configured(make: Any, profile: Any) -> None:
    told = replace(
        profile,
        description="Order news",
        labels={"team": "shop"},
        region="europe-west3",
        nodes_min=2,
        nodes_max=50,
        proxy_url="http://proxy.example:3128",
        proxy_auth="digest",
        proxy_ssl="tunnel",
        callbacks=True,
        business_unit="Retail",
    )
    assert make(profile=told).get("/v1/connection").json == {
        "name": "sms",
        "businessUnit": "Retail",
        "description": "Order news",
        "labels": {"team": "shop"},
        "provider": "twilio",
        "region": "europe-west3",
        "nodes": {"min": 2, "max": 50},
        "proxy": {"url": "http://proxy.example:3128", "auth": "digest", "ssl": "tunnel"},
        "senders": [
            {
                "address": "+15551234567",
                "name": None,
                "businessUnit": "Retail",
                "kind": "long_code",
                "countries": [],
                "default": True,
            }
        ],
        "capabilities": {
            "textLimit": 1600,
            "recipientsPerCall": 1,
            "statusByPolling": True,
            "statusByCallback": True,
            "inbound": True,
            "cancel": True,
            "redact": True,
            "idempotentSend": False,
            "maxValiditySeconds": 36_000,
            "mediaLimit": 10,
            "schedule": {"earliestSeconds": 300, "latestSeconds": 3_024_000, "needsPool": True},
            "senderKinds": ["alphanumeric", "channel", "long_code", "pool", "short_code", "toll_free"],
            "channels": ["whatsapp"],
        },
        "callbacks": True,
        "state": "ACTIVE",
        "reason": None,
        "since": None,
    }


def test_what_was_not_configured_is_null_or_empty(api_without_sender: Any) -> None:
    told = api_without_sender.get("/v1/connection").json
    assert (told["senders"], told["proxy"], told["nodes"]) == ([], None, {"min": None, "max": None})


@pytest.mark.parametrize(
    ("body", "reason"),
    [(None, None), ({}, None), ({"reason": "an audit"}, "an audit")],
    ids=["no body", "an empty object", "a reason"],
)
def test_suspend_and_resume(api: Any, body: Any, reason: str | None) -> None:
    told = api.post("/v1/connection:suspend", body).json
    assert (told["state"], told["reason"], told["since"]) == ("SUSPENDED", reason, "2026-01-01T00:00:00.000Z")
    told = api.post("/v1/connection:resume").json
    assert (told["state"], told["reason"], told["since"]) == ("ACTIVE", None, None)


def test_a_suspension_by_configuration_has_no_beginning(api: Any) -> None:
    api.double.suspension = Suspension("suspended by configuration", 0.0)
    told = api.get("/v1/connection").json
    assert (told["state"], told["since"]) == ("SUSPENDED", None)


def test_sends_are_refused_while_suspended(api: Any) -> None:
    api.double.fail_with["require_active"] = PreconditionFailed("the connection is suspended", kind=ErrorKind.SUSPENDED)
    answer = api.send({"to": "+15558675310", "message": "x"})
    assert answer.status_code == 422
    assert answer.json["error"]["status"] == "FAILED_PRECONDITION"
    assert answer.json["error"]["details"] == [{"kind": "SUSPENDED"}]
    assert api.double.requests == []


def test_a_test_is_data(api: Any) -> None:
    answer = api.post("/v1/connection:test").json
    assert answer == {"state": "ACTIVE", "description": "the provider accepts the credentials", "latencyMillis": 81}


def test_a_test_waits_its_turn_like_any_call(api: Any) -> None:
    api.double.fail_with["test"] = Throttled("busy", retry_after=0.001)
    answer = api.post("/v1/connection:test")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")


def test_limits_of_the_node(api: Any) -> None:
    assert api.get("/v1/limits").json == {
        "node": {
            "ratePerSecond": 25,
            "startedLastSecond": 3,
            "availableNow": 22,
            "queued": 0,
            "waitMillis": 0,
            "queueLimitMillis": 30_000,
        },
        "connection": None,
    }


def test_limits_of_the_connection(api: Any) -> None:
    api.double.limits = Limits(ThrottleState(10, 10, 0, 7, 30.0, 0.7005), connection_rate=40, share=10)
    told = api.get("/v1/limits").json
    assert told["connection"] == {"ratePerSecond": 40, "share": 10}
    assert told["node"]["waitMillis"] == 700


def test_health_costs_nothing(api: Any) -> None:
    answer = api.get("/health")
    assert (answer.status_code, answer.json) == (200, {"status": "ok", "connection": "sms"})
    assert api.double.calls == []
    assert api.log.getvalue() == ""  # a probe every second is no news
