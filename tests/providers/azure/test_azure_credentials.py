"""The access key and its signature: Microsoft's own policy gives the vectors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sms_connector.errors import CredentialsMissing, ErrorKind
from sms_connector.providers.azure import credentials
from tests.contract.providers.doubles import CannedSecrets
from tests.providers.azure import azure_wire as wire

AT = datetime(2026, 7, 6, 12, 0, 0, tzinfo=UTC).timestamp()
BODY = (
    b'{"from":"+18005551234","smsRecipients":[{"to":"+15558675310",'
    b'"repeatabilityRequestId":"7f9c0a52-4d1e-4b7e-9a57-0c2d1f3b6a01",'
    b'"repeatabilityFirstSent":"Mon, 06 Jul 2026 12:00:00 GMT"}],'
    b'"message":"Hello","smsSendOptions":{"enableDeliveryReport":true,"tag":"order-42"}}'
)


@pytest.mark.parametrize(
    ("method", "path", "body", "digest", "signature"),
    [
        pytest.param(
            "POST",
            "/sms?api-version=2026-01-23",
            BODY,
            "qh/NqV/QTmrXaoyNqLwVrObiKR4pTU5cjkxRa4aGjZE=",
            "dUBztlFGbHTVKgxIq0u6n/LkimsTyxxDw3kGStn8P3Y=",
            id="a send",
        ),
        pytest.param(
            "GET",
            "/deliveryReports/Outgoing_20260706120000abc_noam?api-version=2026-01-23",
            b"",
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "upSDLHoKb+edtIOLJB9JTidp01kaok+L7PkMNOSZFGA=",
            id="a query",
        ),
    ],
)
def test_vectors(method: str, path: str, body: bytes, digest: str, signature: str) -> None:
    headers, authorization = credentials.sign(CannedSecrets(wire.SECRETS), method, wire.URL + path, body, at=AT)
    assert headers == {"x-ms-date": "Mon, 06 Jul 2026 12:00:00 GMT", "x-ms-content-sha256": digest}
    signed = "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature="
    assert authorization == signed + signature
    assert signature not in repr(authorization)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param(wire.KEY, None, id="a key"),
        pytest.param("", "is missing", id="none"),
        pytest.param("not base64!", "copy Key 1 or Key 2", id="another secret"),
        pytest.param(wire.KEY[:-1], "copy Key 1 or Key 2", id="cut off"),
        pytest.param(
            f"endpoint={wire.URL}/;accesskey={wire.KEY}", "what follows 'accesskey='", id="a connection string"
        ),
    ],
)
def test_problems_name_the_place_and_the_fix(value: str, told: str | None) -> None:
    secrets = CannedSecrets({"access-key": value})
    found = credentials.problems(secrets)
    assert len(found) == (told is not None)
    for problem in found:
        assert told is not None
        assert told in problem
        assert "/secrets/access-key" in problem
        assert wire.KEY not in problem
        with pytest.raises(CredentialsMissing) as raised:
            credentials.sign(secrets, "GET", wire.URL, b"", at=AT)
        assert raised.value.kind is ErrorKind.AUTHENTICATION
