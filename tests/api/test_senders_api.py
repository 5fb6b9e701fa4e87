"""The sender of each record: named by the request, or chosen by the recipient's country; and `GET /v1/senders`."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.api.services import ConnectionProfile
from sms_connector.model.phone_number import Sender, SenderKind
from sms_connector.model.senders import WITHOUT_ALPHANUMERIC, Senders
from sms_connector.provider import Capabilities
from tests.api.conftest import CAPABILITIES, PROFILE, Api, make_api
from tests.fixtures.campaign_api import CSV, CampaignApi, ndjson
from tests.fixtures.campaign_world import run_in

US, CA, DE, MX = "+12125550123", "+14165550123", "+4915112345678", "+525512345678"
AMERICA = Sender("+15551234567", SenderKind.LONG_CODE, "Orders", "Retail", ("US", "CA"))
ACME = Sender("ACME", SenderKind.ALPHANUMERIC, "Acme Europe", default=True)
SERVICE = Sender("MG" + "0" * 32, SenderKind.POOL, "Service")
SENDERS = Senders((AMERICA, ACME, SERVICE), complete=True)
SEVERAL = replace(PROFILE, senders=SENDERS, business_unit="Head office")


@pytest.fixture
def api() -> Api:
    return make_api(profile=SEVERAL)


def chosen(api: Api) -> list[tuple[str, str]]:
    [request] = api.double.requests
    return [(draft.to, draft.sender) for draft in request.drafts]


@pytest.mark.parametrize(
    ("to", "named", "sender"),
    [
        pytest.param(US, None, AMERICA, id="by country"),
        pytest.param(DE, None, ACME, id="the default"),
        pytest.param(DE, "orders", AMERICA, id="by name"),
        pytest.param(DE, "+1 555 123 4567", AMERICA, id="by address, as people type it"),
        pytest.param(US, "Service", SERVICE, id="one that is never chosen"),
        pytest.param(
            US, "+15017122661", Sender("+15017122661", SenderKind.LONG_CODE), id="a number that is not listed"
        ),
    ],
)
def test_one_message(api: Api, to: str, named: str | None, sender: Sender) -> None:
    body = {"to": to, "message": "x"} | ({} if named is None else {"sender": named})
    [result] = api.send(body).json["results"]
    assert result["sender"] == sender.address
    assert chosen(api) == [(to, sender.address)]
    assert api.get(f"/v1/messages/{result['id']}").json["sender"] == sender.address


def test_each_record_has_its_own(api: Api) -> None:
    answer = api.send({"message": "x", "records": [{"to": to} for to in (US, DE, CA)]})
    assert [result["sender"] for result in answer.json["results"]] == ["+15551234567", "ACME", "+15551234567"]
    assert chosen(api) == [(US, "+15551234567"), (DE, "ACME"), (CA, "+15551234567")]
    assert api.double.requests[0].options.sender is None


def test_a_dry_run_and_a_preview_show_it(api: Api) -> None:
    body = {"message": "x", "records": [{"to": US}, {"to": DE}]}
    for answer in (api.send(body | {"dryRun": True}), api.post("/v1/messages:preview", body)):
        assert [result["sender"] for result in answer.json["results"]] == ["+15551234567", "ACME"]
    named = api.post("/v1/messages:preview", body | {"sender": "orders"})
    assert [result["sender"] for result in named.json["results"]] == ["+15551234567"] * 2
    assert not api.double.requests


def test_a_file_has_them_too(api: Api) -> None:
    path = "/v1/messages:send?message=x&sender=Orders"
    answer = api.client.post(path, data=f"to\n{DE}\n".encode(), content_type=CSV)
    assert answer.status_code == 200, answer.text
    assert chosen(api) == [(DE, "+15551234567")]


@pytest.mark.parametrize("named", [{}, {"sender": "ACME"}, {"sender": "Acme Europe"}])
def test_a_recipient_without_a_usable_sender_is_a_wrong_record(api: Api, named: dict[str, str]) -> None:
    body = {"message": "x", "mapping": {"to": "mobile"}, "records": [{"mobile": DE}, {"mobile": MX}], **named}
    answer = api.send(body)
    assert answer.status_code == 400
    assert answer.json["error"]["details"] == [{"field": "records[1].mobile", "kind": "INVALID_SENDER"}]
    assert "is in MX, which takes no alphanumeric sender ('ACME')" in answer.json["error"]["message"]
    assert not api.double.requests
    reported = api.send(body | {"onInvalid": "report"}).json["results"]
    assert [result["status"] for result in reported] == ["queued", "error"]
    assert (reported[1]["error"]["kind"], reported[1]["error"]["source"]) == ("INVALID_SENDER", "connector")
    assert (reported[1]["error"]["field"], reported[1]["sender"]) == ("records[1].mobile", None)
    [_, previewed] = api.post("/v1/messages:preview", body).json["results"]
    assert [error["field"] for error in previewed["errors"]] == ["records[1].mobile"]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        pytest.param("Ordres", "'Ordres' is neither the name nor the address of a sender", id="a misspelled name"),
        pytest.param("a name that is too long", "is not a sender", id="no address either"),
        pytest.param("messenger:acme", "the provider has no channel 'messenger'", id="a channel of no use"),
    ],
)
def test_a_sender_that_is_none_is_told_once(api: Api, named: str, said: str) -> None:
    for path in ("/v1/messages:send", "/v1/messages:preview", "/v1/campaigns"):
        answer = api.post(path, {"message": "x", "records": [{"to": US}], "sender": named})
        assert answer.status_code == 400, path
        assert answer.json["error"]["details"] == [{"field": "sender", "kind": "INVALID_SENDER"}]
        assert said in answer.json["error"]["message"]


def test_without_any_sender_a_preview_needs_none(api_without_sender: Api) -> None:
    body = {"to": US, "message": "x"}
    [result] = api_without_sender.post("/v1/messages:preview", body).json["results"]
    assert (result["sender"], result["errors"]) == (None, [])
    assert api_without_sender.send(body).json["error"]["details"] == [{"field": "sender", "kind": "INVALID_SENDER"}]


def test_a_later_time_needs_a_pool_whichever_is_chosen(api: Api) -> None:
    later = {"to": US, "message": "x", "sendAt": "2026-01-01T01:00:00Z"}
    assert api.send(later).json["error"]["details"] == [{"field": "sendAt", "kind": "UNSUPPORTED"}]
    assert api.send(later | {"sender": "service"}).status_code == 200


def test_a_template_keeps_the_name(api: Api) -> None:
    saved = api.client.put("/v1/templates/hello", json={"message": "x", "sender": "Orders"})
    assert (saved.status_code, saved.json["sender"]) == (201, "Orders")
    assert api.send({"template": "hello", "to": DE}).json["results"][0]["sender"] == "+15551234567"
    wrong = api.client.put("/v1/templates/hello", json={"message": "x", "sender": "Ordres"})
    assert wrong.json["error"]["details"] == [{"field": "sender", "kind": "INVALID_SENDER"}]


# --- campaigns --------------------------------------------------------------------------------------------------------


def campaign_api() -> CampaignApi:
    return CampaignApi(profile=SEVERAL)


def test_a_campaigns_records_have_their_own() -> None:
    stage = campaign_api()
    records = [{"to": US}, {"to": MX}, *({"to": f"+4915112345{n:03}"} for n in range(3)), {"to": CA}]
    created = stage.create({"message": "x", "records": records}).json
    assert (created["sender"], created["senders"]) == (None, {"+15551234567": 2, "ACME": 3})
    assert (created["total"], created["refused"]) == (6, 1)
    before = stage.results(created["id"])
    assert [result["sender"] for result in before] == ["+15551234567", None, *["ACME"] * 3, "+15551234567"]
    assert (before[1]["error"]["field"], before[1]["error"]["kind"]) == ("records[1].to", "INVALID_SENDER")
    run_in(stage.world.clock, lambda: stage.world.run_chunks(stage.node))
    after = stage.results(created["id"])
    assert [result["sender"] for result in after] == [result["sender"] for result in before]
    assert Counter((stored.message.to[:3], stored.message.sender) for stored in stage.world.network.stored) == {
        ("+12", "+15551234567"): 1,
        ("+49", "ACME"): 3,
        ("+14", "+15551234567"): 1,
    }
    assert stage.client.get(f"/v1/messages/{after[2]['id']}").json["sender"] == "ACME"


@pytest.mark.parametrize("sender", ["Orders", "+15551234567"])
def test_a_campaign_with_a_named_sender_has_it_for_all(sender: str) -> None:
    stage = campaign_api()
    created = stage.create(
        ndjson([{"to": US}, {"to": DE}]), form="application/x-ndjson", message="x", sender=sender
    ).json
    assert (created["sender"], created["senders"]) == ("+15551234567", {"+15551234567": 2})
    assert {result["sender"] for result in stage.results(created["id"])} == {"+15551234567"}


def test_a_forecast_has_each_senders_part() -> None:
    rates = {SenderKind.LONG_CODE: 1.0}
    stage = CampaignApi(profile=SEVERAL, engine_capabilities=replace(CAPABILITIES, sender_rates=rates))
    records = [{"to": US}, {"to": MX}, *({"to": f"+4915112345{n:03}"} for n in range(3)), {"to": CA}]
    forecast = stage.create({"message": "x", "records": records, "dryRun": True}).json["forecast"]
    assert [(each["sender"], each["messages"], each["segments"], each["rate"]) for each in forecast["senders"]] == [
        ("+15551234567", 2, 2, 1.0),
        ("ACME", 3, 3, None),
    ]
    assert (forecast["senderRate"], forecast["longestWaitSeconds"]) == (1.0, 1.92)
    assert [each["longestWaitSeconds"] for each in forecast["senders"]] == [1.92, 0.0]


# --- the list ---------------------------------------------------------------------------------------------------------

NO_RATE = {"segmentsPerSecond": None, "queueSeconds": None}


def test_lists_what_the_provider_can_do_for_each_kind(api: Api) -> None:
    assert api.get("/v1/senders").json == {
        "senders": [
            {
                "address": "+15551234567",
                "name": "Orders",
                "businessUnit": "Retail",
                "kind": "long_code",
                "countries": ["US", "CA"],
                "default": False,
                "can": {"channels": ["sms"], "inbound": True, "schedule": False, "refusedBy": [], **NO_RATE},
            },
            {
                "address": "ACME",
                "name": "Acme Europe",
                "businessUnit": "Head office",
                "kind": "alphanumeric",
                "countries": [],
                "default": True,
                "can": {
                    "channels": ["sms"],
                    "inbound": False,
                    "schedule": False,
                    "refusedBy": sorted(WITHOUT_ALPHANUMERIC),
                    **NO_RATE,
                },
            },
            {
                "address": SERVICE.address,
                "name": "Service",
                "businessUnit": "Head office",
                "kind": "pool",
                "countries": [],
                "default": False,
                "can": {"channels": ["sms", "whatsapp"], "inbound": True, "schedule": True, "refusedBy": [], **NO_RATE},
            },
        ]
    }
    told = api.get("/v1/connection").json
    assert told["businessUnit"] == "Head office"
    assert [each["name"] for each in told["senders"]] == ["Orders", "Acme Europe", "Service"]


def can_of(capabilities: Capabilities, *senders: Sender) -> list[dict[str, Any]]:
    profile = ConnectionProfile(name="sms", provider="another", senders=Senders(senders))
    listed = make_api(profile=profile, capabilities=capabilities).get("/v1/senders").json["senders"]
    return [each["can"] for each in listed]


def test_what_it_lists_is_the_providers_capabilities() -> None:
    whatsapp = Sender("whatsapp:+15551234567", SenderKind.CHANNEL)
    limited = Capabilities(
        channels=frozenset({"whatsapp"}),
        schedule_window=(60, 3600),
        sender_rates={SenderKind.SHORT_CODE: 100.0},
        sender_queue_seconds=3600,
    )
    code, channel = can_of(limited, Sender("12345", SenderKind.SHORT_CODE), whatsapp)
    assert (code["segmentsPerSecond"], code["queueSeconds"], code["inbound"], code["schedule"]) == (
        100,
        3600,
        False,
        True,
    )
    assert (channel["channels"], channel["segmentsPerSecond"]) == (["whatsapp"], None)
    assert can_of(Capabilities()) == []
