"""Both keys, the margin of the clock, and what is denied."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests
from azure.core.exceptions import HttpResponseError

from sandbox import AdminClient, Sandbox
from sandbox.azure.authentication import content_hash, sign
from sandbox.azure.service import ACCESS_KEY, SECONDARY_KEY
from tests.sandbox.azure.azure_client import FROM, TO, VERSION, sdk

DATE = "Mon, 06 Jul 2026 12:00:00 GMT"
TARGET = f"/deliveryReports/x?api-version={VERSION}"


def read(url: str, *, offset: int = 0, **changed: str) -> requests.Response:
    """Read a report that can't exist; `changed` headers are replaced after they were signed."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=offset), usegmt=True)
    signature = sign(ACCESS_KEY, f"GET\n{TARGET}\n{date};{url.removeprefix('http://')};{content_hash(b'')}")
    headers = {
        "x-ms-date": date,
        "x-ms-content-sha256": content_hash(b""),
        "Authorization": f"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}",
    }
    return requests.get(url + TARGET, headers=headers | changed, timeout=5)


@pytest.mark.parametrize(
    ("verb", "target", "body", "wanted"),
    [
        pytest.param(
            "POST",
            "/sms?api-version=2026-01-23",
            '{"from":"+18005551234","smsRecipients":[{"to":"+15558675310","repeatabilityRequestId":'
            '"7f9c0a52-4d1e-4b7e-9a57-0c2d1f3b6a01","repeatabilityFirstSent":"Mon, 06 Jul 2026 12:00:00 GMT"}],'
            '"message":"Hello","smsSendOptions":{"enableDeliveryReport":true,"tag":"order-42"}}',
            ("qh/NqV/QTmrXaoyNqLwVrObiKR4pTU5cjkxRa4aGjZE=", "dUBztlFGbHTVKgxIq0u6n/LkimsTyxxDw3kGStn8P3Y="),
            id="a send",
        ),
        pytest.param(
            "GET",
            "/deliveryReports/Outgoing_20260706120000abc_noam?api-version=2026-01-23",
            "",
            ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "upSDLHoKb+edtIOLJB9JTidp01kaok+L7PkMNOSZFGA="),
            id="a read",
        ),
    ],
)
def test_vectors_of_the_sdks_policy(verb: str, target: str, body: str, wanted: tuple[str, str]) -> None:
    hashed = content_hash(body.encode())
    text = f"{verb}\n{target}\n{DATE};acme.unitedstates.communication.azure.com;{hashed}"
    assert (hashed, sign(ACCESS_KEY, text)) == wanted


@pytest.mark.parametrize("key", [ACCESS_KEY, SECONDARY_KEY])
def test_both_keys_are_valid(sandbox: Sandbox, key: str) -> None:
    assert sdk(sandbox.url, key).send(FROM, TO, "Hello")[0].successful


def test_a_replaced_key_is_refused_and_the_other_is_not(sandbox: Sandbox, admin: AdminClient) -> None:
    assert admin.post("azure/keys", {"primary": "bmV3"}) == {"replaced": ["primary"]}
    with pytest.raises(HttpResponseError) as refused:
        sdk(sandbox.url).send(FROM, TO, "Hello")
    assert refused.value.status_code == 401
    assert sdk(sandbox.url, "bmV3").send(FROM, TO, "Hello")[0].successful
    assert sdk(sandbox.url, SECONDARY_KEY).send(FROM, TO, "Hello")[0].successful


@pytest.mark.parametrize(
    ("header", "value", "said"),
    [
        pytest.param("Authorization", "", "Denied by the resource provider.", id="no signature"),
        pytest.param("Authorization", "Bearer x", "Denied by the resource provider.", id="another scheme"),
        pytest.param("x-ms-content-sha256", "x", "differs from generated content hash", id="another body"),
        pytest.param("x-ms-date", "yesterday", "allowed margin of 5 minutes", id="no date"),
        pytest.param("x-ms-date", DATE, "allowed margin of 5 minutes", id="an old date"),
        pytest.param("Host", "evil.example", "Denied by the resource provider.", id="another host"),
    ],
)
def test_what_is_denied(sandbox: Sandbox, header: str, value: str, said: str) -> None:
    answer = read(sandbox.url, **{header: value})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (401, "Denied")
    assert said in error["message"]


@pytest.mark.parametrize(("seconds", "status"), [(290, 404), (-290, 404), (310, 401), (-310, 401)])
def test_five_minutes_off(sandbox: Sandbox, seconds: int, status: int) -> None:
    assert read(sandbox.url, offset=seconds).status_code == status
