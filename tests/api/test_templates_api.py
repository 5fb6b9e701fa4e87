"""`/v1/templates`, and requests that name one: saved as a send is checked, used as far as the request says nothing itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.api.schemas.request_body import PreviewBody, SendBody, TemplateBody
from tests.api.conftest import PROFILE

TO = "+15558675310"
PATH = "/v1/templates/order-shipped"
SAVED: dict[str, Any] = {
    "message": "Hello <first name>, order <order> ships today.",
    "mapping": {"to": "mobile", "first name": "firstName"},
    "sender": "+15557654321",
    "tracking": {"retryIntervalMillis": 500, "retryAttempts": 2, "wait": True},
    "onUnknown": "resend",
    "onInvalid": "report",
    "mediaUrls": ["https://a.example/1.png"],
    "validitySeconds": 600,
    "callbackUrl": "https://crm.example/sms",
}
RECORD = {"mobile": TO, "firstName": "Ann", "order": "A-1"}
USE: dict[str, Any] = {"template": "order-shipped", "records": [RECORD]}


def put(api: Any, document: Any = SAVED, path: str = PATH, **headers: str) -> Any:
    return api.client.put(path, json=document, headers={name.replace("_", "-"): text for name, text in headers.items()})


# --- saved, shown, deleted --------------------------------------------------------------------------------------------


def test_a_template_is_kept_as_it_was_written_and_in_versions(api: Any) -> None:
    first = put(api)
    assert first.status_code == 201
    shown = {**SAVED, "name": "order-shipped", "version": 1, "placeholders": ["first name", "order"]}
    times = {name: first.json[name] for name in ("createdAt", "updatedAt")}
    assert first.json == {**shown, **times}
    assert api.get(PATH).json == first.json
    assert api.get(PATH).headers["ETag"] == first.headers["ETag"]
    second = put(api, {"message": "Hi"})
    assert (second.status_code, second.json["version"], second.json["message"]) == (200, 2, "Hi")
    assert "mapping" not in second.json
    assert second.headers["ETag"] != first.headers["ETag"]


def test_the_same_again_is_the_same_version(api: Any) -> None:
    first = put(api)
    again = put(api)
    assert (again.status_code, again.json, again.headers["ETag"]) == (200, first.json, first.headers["ETag"])


def test_the_list_is_in_the_order_of_names_page_by_page(api: Any) -> None:
    for name in ("b", "c-2", "a", "c-10"):
        put(api, {"message": name}, f"/v1/templates/{name}")
    first = api.get("/v1/templates?pageSize=3").json
    second = api.get(f"/v1/templates?pageSize=3&pageToken={first['nextPageToken']}").json
    assert [each["name"] for each in first["templates"] + second["templates"]] == ["a", "b", "c-10", "c-2"]
    assert second["nextPageToken"] is None


def test_a_deleted_template_is_gone(api: Any) -> None:
    put(api)
    assert api.client.delete(PATH).json == {}
    for answer in (api.get(PATH), api.client.delete(PATH)):
        assert answer.status_code == 404
        assert answer.json["error"]["details"] == [{"kind": "NOT_FOUND"}]


@pytest.mark.parametrize(
    "name",
    ["A", "1a", "a-", "-a", "a_b", "a.b", "a" * 64, "ä", "a%20b", "__x__"],
)
def test_a_name_follows_the_rule_of_a_connections(api: Any, name: str) -> None:
    answer = put(api, path=f"/v1/templates/{name}")
    assert (answer.status_code, answer.json["error"]["details"][0]["field"]) == (400, "template")
    assert api.get(f"/v1/templates/{name}").status_code == 404
    assert api.client.delete(f"/v1/templates/{name}").status_code == 404


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        pytest.param({}, ["message"], id="no text"),
        pytest.param({"message": " "}, ["message"], id="an empty text"),
        pytest.param({"message": "x" * 1601}, ["message"], id="too long"),
        pytest.param({"message": "<a><b><c><d><e><f>"}, ["message"], id="six placeholders"),
        pytest.param({"message": "x", "mapping": {"other": "y"}}, ["mapping.other"], id="maps what is not there"),
        pytest.param({"message": "x", "sender": "not a sender!"}, ["sender"], id="a wrong sender"),
        pytest.param({"message": "x", "validitySeconds": 36_001}, ["validitySeconds"], id="beyond the provider"),
        pytest.param({"message": "x", "tracking": {"retryAttempts": 101}}, ["tracking.retryAttempts"], id="tracking"),
        pytest.param({"message": "x", "mediaUrls": ["ftp://x"]}, ["mediaUrls[0]"], id="media"),
        pytest.param(
            {"message": "<a><b><c><d><e><f>", "callbackUrl": "http://x.example"}, ["message", "callbackUrl"], id="two"
        ),
        pytest.param({"message": "x", "to": TO}, ["to"], id="a recipient belongs to a request"),
        pytest.param({"message": "x", "sendAt": "2026-01-02T00:00:00Z"}, ["sendAt"], id="a moment does, too"),
    ],
)
def test_it_is_checked_as_a_send_is(api: Any, document: dict[str, Any], fields: list[str]) -> None:
    answer = put(api, document)
    assert answer.status_code == 400
    assert [detail["field"] for detail in answer.json["error"]["details"]] == fields
    assert api.get(PATH).status_code == 404


def test_a_sender_may_come_from_the_request(api_without_sender: Any) -> None:
    api = api_without_sender
    assert put(api, {"message": "Hi"}).status_code == 201
    use = {"template": "order-shipped", "to": TO}
    assert api.send(use).json["error"]["details"][0]["field"] == "sender"
    assert api.send({**use, "sender": "+15557654321"}).status_code == 200


# --- preconditions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "header", "value", "status"),
    [
        pytest.param(True, "If-Match", "{tag}", 200, id="as it was read"),
        pytest.param(True, "If-Match", '"other", {tag}', 200, id="one of several"),
        pytest.param(True, "If-Match", "*", 200, id="whatever is there"),
        pytest.param(True, "If-Match", '"1-00000000"', 412, id="changed meanwhile"),
        pytest.param(True, "If-Match", "W/{tag}", 412, id="a weak tag never matches"),
        pytest.param(False, "If-Match", "*", 412, id="nothing is there"),
        pytest.param(False, "If-None-Match", "*", 201, id="a new name"),
        pytest.param(True, "If-None-Match", "*", 412, id="the name is taken"),
        pytest.param(True, "If-Match", "", 400, id="no tag"),
        pytest.param(True, "If-Match", "1-abc", 400, id="a tag without quotes"),
        pytest.param(False, "If-None-Match", "x y", 400, id="nonsense"),
    ],
)
def test_preconditions_of_a_change(api: Any, there: bool, header: str, value: str, status: int) -> None:
    tag = put(api).headers["ETag"] if there else '"x"'
    answer = api.client.put(PATH, json={"message": "new"}, headers={header: value.format(tag=tag)})
    assert answer.status_code == status
    assert (api.get(PATH).json.get("message") == "new") is (status in (200, 201))
    if status == 412:
        assert answer.json["error"]["status"] == "FAILED_PRECONDITION"
        assert answer.json["error"]["details"] == [{"kind": "CHANGED"}]


def test_preconditions_of_a_deletion(api: Any) -> None:
    tag = put(api).headers["ETag"]
    put(api, {"message": "new"})
    assert api.client.delete(PATH, headers={"If-Match": tag}).status_code == 412
    fresh = api.get(PATH).headers["ETag"]
    assert api.client.delete(PATH, headers={"If-Match": fresh}).status_code == 200


def test_a_template_made_again_is_another(api: Any) -> None:
    tag = put(api, {"message": "old"}).headers["ETag"]
    api.client.delete(PATH)
    put(api, {"message": "new"})
    assert put(api, {"message": "newer"}, If_Match=tag).status_code == 412


# --- used -------------------------------------------------------------------------------------------------------------


def test_a_send_takes_everything_from_it_and_its_results_name_it(api: Any) -> None:
    put(api)
    answer = api.send(USE)
    [request] = api.double.requests
    options = request.options
    assert request.drafts[0].text == "Hello Ann, order A-1 ships today."
    assert (options.sender, options.tracking.interval, options.tracking.attempts) == ("+15557654321", 0.5, 2)
    assert (options.tracking.wait, options.on_unknown, options.validity_seconds) == (True, "resend", 600)
    assert (options.media_urls, options.callback_url) == (("https://a.example/1.png",), "https://crm.example/sms")
    assert options.template == "order-shipped@1"
    [result] = answer.json["results"]
    assert result["template"] == {"name": "order-shipped", "version": 1}
    assert api.get(f"/v1/messages/{result['id']}").json["template"] == result["template"]


@pytest.mark.parametrize(
    ("own", "name", "value"),
    [
        pytest.param({"sender": "+15551234567"}, "sender", "+15551234567", id="sender"),
        pytest.param({"onUnknown": "report"}, "on_unknown", "report", id="also where it is the default"),
        pytest.param({"mediaUrls": []}, "media_urls", (), id="none instead of some"),
        pytest.param({"validitySeconds": 60}, "validity_seconds", 60, id="validity"),
        pytest.param({"callbackUrl": "https://b.example"}, "callback_url", "https://b.example", id="callback"),
    ],
)
def test_what_the_request_says_itself_goes_first(api: Any, own: dict[str, Any], name: str, value: object) -> None:
    put(api)
    assert api.send({**USE, **own}).status_code == 200
    assert getattr(api.double.requests[0].options, name) == value


def test_mapping_and_tracking_are_merged_entry_by_entry(api: Any) -> None:
    put(api)
    record = {"mobile": "0123", "phone": TO, "firstName": "Ann", "order": "A-1"}
    document = {**USE, "records": [record], "mapping": {"to": "phone"}, "tracking": {"wait": False}}
    assert api.send(document).status_code == 200
    [request] = api.double.requests
    assert request.drafts[0].to == TO
    assert (request.options.tracking.interval, request.options.tracking.wait) == (0.5, False)


def test_a_message_of_its_own_keeps_the_rest(api: Any) -> None:
    put(api, {"message": "Hi", "sender": "+15557654321"})
    api.send({"template": "order-shipped", "message": "Bye", "to": TO})
    [request] = api.double.requests
    assert (request.drafts[0].text, request.options.sender) == ("Bye", "+15557654321")


def test_one_recipient_has_nothing_to_map(api: Any) -> None:
    put(api, {"message": "Hi", "mapping": {"to": "mobile"}})
    assert api.send({"template": "order-shipped", "to": TO}).status_code == 200


@pytest.mark.parametrize("name", ["missing", "Not A Name", "", "a/b"])
@pytest.mark.parametrize("path", ["/v1/messages:send", "/v1/messages:preview", "/v1/campaigns"])
def test_a_template_that_is_not_there(api: Any, path: str, name: str) -> None:
    answer = api.post(path, {"template": name, "records": [{"to": TO}]})
    assert answer.status_code == 400
    assert answer.json["error"]["details"] == [{"field": "template", "kind": "NOT_FOUND"}]


@pytest.mark.parametrize("path", ["/v1/messages:send", "/v1/messages:preview", "/v1/campaigns"])
def test_neither_text_nor_template(api: Any, path: str) -> None:
    answer = api.post(path, {"records": [{"to": TO}]})
    assert answer.status_code == 400
    assert answer.json["error"]["details"] == [{"field": "message", "kind": "MISSING_VALUE"}]
    assert "template" in answer.json["error"]["message"]


def test_a_preview_of_a_template(api: Any) -> None:
    put(api)
    answer = api.post("/v1/messages:preview", USE).json
    assert answer["results"][0]["text"] == "Hello Ann, order A-1 ships today."
    assert answer["template"] == {"name": "order-shipped", "version": 1}
    assert api.post("/v1/messages:preview", {"template": "order-shipped"}).json["placeholders"] == [
        "first name",
        "order",
    ]


def test_a_dry_run_names_it_too(api: Any) -> None:
    put(api)
    [result] = api.send({**USE, "dryRun": True}).json["results"]
    assert (result["text"], result["template"]["version"]) == ("Hello Ann, order A-1 ships today.", 1)


def test_a_file_of_a_send_is_mapped_by_it(api: Any) -> None:
    put(api)
    rows = f"mobile,firstName,order\n{TO},Ann,A-1\n"
    path = "/v1/messages:send?template=order-shipped&wait=false&onUnknown=report"
    answer = api.client.post(path, data=rows, content_type="text/csv")
    assert answer.status_code == 200, answer.text
    [request] = api.double.requests
    assert request.drafts[0].text == "Hello Ann, order A-1 ships today."
    assert (request.options.tracking.wait, request.options.on_unknown) == (False, "report")
    assert request.options.tracking.interval == 0.5


@pytest.mark.parametrize(("query", "status"), [("", 400), ("&strict=false", 202)])
def test_a_query_replaces_what_it_names_only(api: Any, query: str, status: int) -> None:
    put(api, {"message": "Hello {name}", "strict": True})
    answer = api.client.post(
        f"/v1/campaigns?template=order-shipped{query}", data=f"to\n{TO}\n", content_type="text/csv"
    )
    assert answer.status_code == status, answer.text


def as_json(api: Any) -> Any:
    return api.post("/v1/campaigns", USE)


def as_csv(api: Any) -> Any:
    rows = f"mobile,firstName,order\n{TO},Ann,A-1\n"
    return api.client.post("/v1/campaigns?template=order-shipped", data=rows, content_type="text/csv")


def as_csv_with_options(api: Any) -> Any:
    rows = f"mobile,Vorname,order\n{TO},Ann,A-1\n"
    query = "template=order-shipped&mapping=first%20name:Vorname&onUnknown=report"
    return api.client.post(f"/v1/campaigns?{query}", data=rows, content_type="text/csv")


@pytest.mark.parametrize(
    ("create", "on_unknown"), [(as_json, "resend"), (as_csv, "resend"), (as_csv_with_options, "report")]
)
def test_a_campaign_of_a_template_keeps_the_text_it_was_created_with(api: Any, create: Any, on_unknown: str) -> None:
    put(api)
    created = create(api)
    assert created.status_code == 202, created.text
    assert created.json["template"] == {"name": "order-shipped", "version": 1}
    put(api, {"message": "changed"})
    campaign = api.double.real.campaigns.read(created.json["id"])
    assert campaign.text == SAVED["message"]
    assert (campaign.options.on_unknown, campaign.options.tracking.interval) == (on_unknown, 0.5)
    [result] = api.get(f"/v1/campaigns/{campaign.id}/results").json["results"]
    message = api.get(f"/v1/campaigns/{campaign.id}").json
    assert message["template"]["version"] == 1
    assert result["status"] == "accepted"


def test_every_option_of_a_send_can_be_saved() -> None:
    """A new option of requests is an option of templates, too."""
    own = {"to", "records", "sendAt", "dryRun", "template", "reference"}
    assert set(TemplateBody.__struct_encode_fields__) == set(SendBody.__struct_encode_fields__) - own
    assert set(PreviewBody.__struct_encode_fields__) <= set(SendBody.__struct_encode_fields__)


def test_a_stored_answer_outlives_a_change_of_the_template(api: Any) -> None:
    put(api)
    first = api.send(USE, Idempotency_Key="k")
    put(api, {**SAVED, "message": "Goodbye <first name>"})
    again = api.send(USE, Idempotency_Key="k")
    assert json.loads(again.data) == json.loads(first.data)


def test_without_a_queue_a_saved_callback_url_is_refused_when_saved(make: Any) -> None:
    api = make(profile=replace(PROFILE, has_queue=False))
    assert put(api).json["error"]["details"] == [{"field": "callbackUrl", "kind": "UNSUPPORTED"}]
