"""Signatures that others made, held against the Standard Webhooks library; ours are held in tests/notifications."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from sms_connector.model.standard_webhooks import is_signed, read_key, signed_headers

SECRET, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_b3RoZXIgc2VjcmV0"
BODY = '{"text": "Olá"}'.encode()
NOW = 1_767_225_600.0
SIGNED = {
    "webhook-id": "id_1",
    "webhook-timestamp": str(int(NOW)),
    "webhook-signature": Webhook(SECRET).sign("id_1", datetime.fromtimestamp(NOW, UTC), BODY.decode()),
}
KEYS = [read_key(SECRET)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "as it is"),
        ({"at": NOW + 299}, "a little old"),
        ({"at": NOW - 299}, "a little early: clocks differ"),
        ({"keys": [read_key(OTHER), *KEYS]}, "by the key before"),
        ({"webhook-signature": f"v1a,x v1,bm90aGluZw== {SIGNED['webhook-signature']}"}, "one of several"),
    ],
)
def test_it_is_accepted(changes: dict[str, Any], why: str) -> None:
    assert check(changes), why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"body": BODY + b" "}, "another body"),
        ({"at": NOW + 301}, "too old: replayed"),
        ({"at": NOW - 301}, "too early"),
        ({"keys": [read_key(OTHER)]}, "another key"),
        ({"keys": []}, "no key"),
        ({"keys": [b""], "webhook-signature": "v1,zEWW3ZLSlFnIdsmjkdQS4vMuXuv94WMrgjK+aeA8IUM="}, "an empty key"),
        ({"webhook-id": "id_2"}, "another id"),
        ({"webhook-id": ""}, "no id"),
        ({"webhook-timestamp": str(int(NOW) + 1)}, "another time"),
        ({"webhook-timestamp": "now"}, "no time"),
        ({"webhook-timestamp": "9" * 4000}, "a number that is none"),
        ({"webhook-timestamp": "１７６７２２５６００"}, "other digits"),
        ({"webhook-signature": ""}, "no signature"),
        ({"webhook-signature": "v1,\udcff"}, "not text"),
        ({"webhook-signature": SIGNED["webhook-signature"][3:]}, "without its version"),
        ({"webhook-signature": "v1,x " * 10 + SIGNED["webhook-signature"]}, "behind too many"),
    ],
)
def test_it_is_not_accepted(changes: dict[str, Any], why: str) -> None:
    assert not check(changes), why


def check(changes: dict[str, Any]) -> bool:
    given = dict(changes)
    body, keys, at = given.pop("body", BODY), given.pop("keys", KEYS), given.pop("at", NOW)
    return is_signed(SIGNED | given, body, keys=keys, at=at)


def test_ours_are_accepted_by_ourselves() -> None:
    headers = signed_headers("id_1", BODY, keys=[read_key(OTHER), *KEYS], at=NOW)
    assert is_signed(headers, BODY, keys=KEYS, at=NOW)
    assert headers["webhook-signature"].split(" ")[1] == SIGNED["webhook-signature"]
