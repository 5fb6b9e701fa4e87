"""Sends, repeats, reports and opt-outs of the simulated resource, by the official SDK and its policy."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from azure.communication.sms import SmsClient

from sandbox import AdminClient, Sandbox
from sandbox.azure.numbers import REPORTS
from tests.sandbox.azure.azure_client import FROM, TO, VERSION, Api, sdk

MESSAGE_ID = re.compile(r"Outgoing_\d{14}[0-9a-f]{8}-[0-9a-f-]{27}_noam")
DATE = "Mon, 06 Jul 2026 12:00:00 GMT"
SEND = f"/sms?api-version={VERSION}"


def repeatable(to: str = TO) -> dict[str, str]:
    now = format_datetime(datetime.now(UTC), usegmt=True)
    return {"to": to, "repeatabilityRequestId": str(uuid.uuid4()), "repeatabilityFirstSent": now}


@pytest.fixture
def client(sandbox: Sandbox) -> SmsClient:
    return sdk(sandbox.url)


class TestSend:
    def test_one(self, client: SmsClient, admin: AdminClient) -> None:
        (item,) = client.send(FROM, TO, "Olá 👍", enable_delivery_report=True, tag="order-42")
        assert (item.to, item.http_status_code, item.successful, item.error_message) == (TO, 202, True, None)
        assert MESSAGE_ID.fullmatch(item.message_id)
        (witness,) = admin.messages()
        named = tuple(witness[name] for name in ("sid", "body", "tag", "parts", "direction"))
        assert named == (item.message_id, "Olá 👍", "order-42", 1, "outbound")

    def test_each_of_many_has_its_own_outcome(self, client: SmsClient, admin: AdminClient) -> None:
        items = client.send(FROM, [TO, "+15005550001", "+112345678901234567", "+15005550003", "+15005550004"], "x")
        assert [(item.http_status_code, item.error_message) for item in items] == [
            (202, None),
            (400, "Invalid To phone number format."),
            (400, "Invalid To phone number format."),
            (503, "ServiceUnavailable"),
            (400, "Sender blocked for given recipient."),
        ]
        assert [item.message_id is None for item in items] == [False, True, True, True, True]
        assert len(admin.messages()) == 1

    def test_a_sender_of_somebody_else_is_a_401_without_a_body(self, azure: Api) -> None:
        answer = azure.send(**{"from": "+14255550123"})
        assert (answer.status_code, answer.content) == (401, b"")

    @pytest.mark.parametrize("sender", ["+18005551234", "12345", "Contoso-1"])
    def test_senders(self, azure: Api, sender: str) -> None:
        assert azure.items(**{"from": sender})[0]["successful"]

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            pytest.param({"from": None}, "From", id="no sender"),
            pytest.param({"message": None}, "Message", id="no text"),
            pytest.param({"message": "x" * 2049}, "Message", id="too long"),
            pytest.param({"smsRecipients": []}, "SmsRecipients", id="nobody"),
            pytest.param({"smsRecipients": [{"to": TO}] * 101}, "SmsRecipients", id="more than a call takes"),
            pytest.param({"smsRecipients": [{"to": ""}]}, "SmsRecipients", id="an empty recipient"),
            pytest.param({"smsSendOptions": {}}, "SmsSendOptions.EnableDeliveryReport", id="options without reports"),
            pytest.param(
                {"smsSendOptions": {"enableDeliveryReport": True, "deliveryReportTimeoutInSeconds": 59}},
                "SmsSendOptions.DeliveryReportTimeoutInSeconds",
                id="too short a wait",
            ),
            pytest.param({"smsSendOptions": {"enableDeliveryReport": True, "tag": 1}}, "SmsSendOptions.Tag", id="tag"),
        ],
    )
    def test_requests_refused_whole(self, azure: Api, admin: AdminClient, fields: dict[str, Any], named: str) -> None:
        answer = azure.send(**fields)
        assert answer.status_code == 400
        assert list(answer.json()["errors"]) == [named]
        assert admin.messages() == []

    @pytest.mark.parametrize("body", ["{", "[]", '"x"'])
    def test_what_is_no_document(self, azure: Api, body: str) -> None:
        answer = azure.call("POST", SEND, body)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["$"])

    @pytest.mark.parametrize(
        ("method", "path", "code"),
        [
            pytest.param("POST", "/sms", "ApiVersionUnspecified", id="none"),
            pytest.param("POST", "/sms?api-version=2020-01-01", "UnsupportedApiVersion", id="unknown"),
            pytest.param("GET", "/deliveryReports/x?api-version=2021-03-07", "UnsupportedApiVersion", id="reports"),
            pytest.param("POST", "/sms/optouts:add?api-version=2021-03-07", "UnsupportedApiVersion", id="opt-outs"),
        ],
    )
    def test_versions(self, azure: Api, method: str, path: str, code: str) -> None:
        answer = azure.call(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)

    @pytest.mark.parametrize(("kind", "status"), [("429", 429), ("503_retry_after", 503)])
    def test_faults_in_azures_form(self, azure: Api, kind: str, status: int) -> None:
        answer = azure.call("POST", SEND, {}, {"X-Sandbox-Fault": f"{kind}; seconds=2"})
        assert (answer.status_code, answer.headers["Retry-After"]) == (status, "2")
        assert set(answer.json()["error"]) == {"code", "message"}


class TestRepeats:
    def test_the_same_again_is_sent_once(self, azure: Api, admin: AdminClient) -> None:
        rows = [repeatable(), repeatable("+15558675311")]
        first = azure.items(*rows)
        assert [item["repeatabilityResult"] for item in first] == ["accepted", "accepted"]
        upper = [{**row, "repeatabilityRequestId": row["repeatabilityRequestId"].upper()} for row in rows]
        assert azure.items(*upper) == first
        assert len(admin.messages()) == 2

    def test_after_a_lost_answer_too(self, azure: Api, admin: AdminClient) -> None:
        row = repeatable()
        body = {"from": FROM, "message": "x", "smsRecipients": [row]}
        azure.call("POST", SEND, body, {"X-Sandbox-Fault": "5xx_after_accept"})
        assert azure.items(row, message="x")[0]["messageId"] == admin.messages()[0]["sid"]
        assert len(admin.messages()) == 1

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"repeatabilityFirstSent": DATE}, id="another date"),
            pytest.param({"to": "+15558675311"}, id="another recipient"),
        ],
    )
    def test_an_id_used_for_something_else(self, azure: Api, admin: AdminClient, change: dict[str, str]) -> None:
        row = repeatable()
        azure.items(row)
        (item,) = azure.items(row | change)
        assert (item["httpStatusCode"], item["repeatabilityResult"]) == (400, "rejected")
        assert len(admin.messages()) == 1

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"repeatabilityFirstSent": None}, id="no date"),
            pytest.param({"repeatabilityFirstSent": "2026-07-06T12:00:00Z"}, id="a date of another form"),
            pytest.param({"repeatabilityFirstSent": DATE}, id="longer ago than anything remembered"),
            pytest.param({"repeatabilityRequestId": "7"}, id="no GUID"),
        ],
    )
    def test_what_can_not_be_repeatable(self, azure: Api, admin: AdminClient, change: dict[str, Any]) -> None:
        (item,) = azure.items(repeatable() | change)
        assert (item["httpStatusCode"], item["repeatabilityResult"], item["successful"]) == (400, "rejected", False)
        assert admin.messages() == []

    def test_without_an_id_each_call_is_a_send(self, azure: Api, admin: AdminClient) -> None:
        azure.items()
        azure.items()
        assert len(admin.messages()) == 2


class TestReports:
    def test_delivered_after_its_time(self, azure: Api, admin: AdminClient) -> None:
        options = {"enableDeliveryReport": True, "tag": "order-42"}
        (item,) = azure.items(smsSendOptions=options, message="x" * 161)
        early = azure.report(item["messageId"])
        assert (early.status_code, early.json()["title"]) == (404, "Not Found")
        admin.advance(100)
        report = azure.report(item["messageId"]).json()
        named = tuple(report[name] for name in ("deliveryStatus", "deliveryStatusDetails", "tag", "from", "to"))
        assert named == ("Delivered", "2000: No Error", "order-42", FROM, TO)
        assert report["deliveryAttempts"][0]["segmentsSucceeded"] == 2

    @pytest.mark.parametrize("code", sorted(set(REPORTS) - {2000}))
    def test_every_code(self, azure: Api, admin: AdminClient, code: int) -> None:
        (item,) = azure.items(f"+1500553{code}")
        admin.advance(100)
        report = azure.report(item["messageId"]).json()
        assert report["deliveryStatus"] == "Failed"
        assert report["deliveryStatusDetails"].startswith(f"{code}: ")

    @pytest.mark.parametrize(
        ("to", "options", "seconds", "details"),
        [
            pytest.param("+15005530007", {}, 100, "4006", id="the example file's bad number"),
            pytest.param("+15005540001", {}, 10_000, None, id="never reported"),
            pytest.param("+15005540002", {}, 500, None, id="slow"),
            pytest.param("+15005540002", {}, 1000, "2000", id="slow, but delivered"),
            pytest.param("+15005540001", {"deliveryReportTimeoutInSeconds": 60}, 60, "5002", id="a wait that ends"),
            pytest.param(TO, {"deliveryReportTimeoutInSeconds": 60}, 100, "5002", id="later than the wait"),
            pytest.param(TO, {"enableDeliveryReport": False}, 100, None, id="not asked for"),
        ],
    )
    def test_outcomes(
        self, azure: Api, admin: AdminClient, to: str, options: dict[str, Any], seconds: int, details: str | None
    ) -> None:
        (item,) = azure.items(to, smsSendOptions={"enableDeliveryReport": True, **options})
        admin.advance(seconds)
        answer = azure.report(item["messageId"])
        assert answer.status_code == (404 if details is None else 200)
        assert details is None or answer.json()["deliveryStatusDetails"].startswith(details)


class TestOptOuts:
    def test_added_checked_and_removed(self, azure: Api) -> None:
        def call(action: str) -> list[dict[str, Any]]:
            body = {"from": FROM, "recipients": [{"to": TO}, {"to": "+123"}]}
            answer = azure.call("POST", f"/sms/optouts:{action}?api-version={VERSION}", body)
            return list(answer.json()["value"])

        assert [item["httpStatusCode"] for item in call("add")] == [200, 400]
        assert call("check")[0]["isOptedOut"] is True
        call("remove")
        assert call("check")[0]["isOptedOut"] is False

    @pytest.mark.parametrize("body", [{"recipients": [{"to": TO}]}, {"from": FROM, "recipients": []}, {"from": FROM}])
    def test_what_is_refused(self, azure: Api, body: dict[str, Any]) -> None:
        assert azure.call("POST", f"/sms/optouts:check?api-version={VERSION}", body).status_code == 400

    def test_stop_is_kept_and_the_next_report_says_so(self, azure: Api, admin: AdminClient) -> None:
        admin.inbound(provider="azure", to=FROM, from_=TO, body=" Stop ")
        assert admin.get("azure/opt-outs") == [{"sender": FROM, "recipient": TO}]
        blocked, free = azure.items()[0], azure.items(**{"from": "+18005551234"})[0]
        admin.advance(100)
        assert azure.report(blocked["messageId"]).json()["deliveryStatusDetails"].startswith("4007: Sender blocked")
        assert azure.report(free["messageId"]).json()["deliveryStatus"] == "Delivered"
        admin.inbound(provider="azure", to=FROM, from_=TO, body="UNSTOP")
        assert admin.get("azure/opt-outs") == []
