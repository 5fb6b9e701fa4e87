"""The signature of callbacks out, held against the Standard Webhooks library and the vector of its specification."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from sms_connector.notifications.signature import Signer
from tests.contract.providers.doubles import CannedSecrets

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"another secret of 32 characters!").decode()
BODY = b'{"test": 2432232314}'


def test_the_vector_of_the_specification() -> None:
    """https://github.com/standard-webhooks/standard-webhooks: libraries' own test vector."""
    headers = Signer(CannedSecrets({"callback-secret": SECRET})).headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", BODY, at=1614265330
    )
    assert headers is not None
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"


@pytest.mark.parametrize(
    ("secrets", "verifier", "accepted"),
    [
        pytest.param({"callback-secret": SECRET}, SECRET, True, id="the secret"),
        pytest.param({"callback-secret": SECRET}, OTHER, False, id="another one"),
        pytest.param(
            {"callback-secret": OTHER, "callback-secret-previous": SECRET}, SECRET, True, id="the previous one still"
        ),
        pytest.param(
            {"callback-secret": OTHER, "callback-secret-previous": SECRET}, OTHER, True, id="and the new one already"
        ),
        pytest.param({"callback-secret": SECRET.removeprefix("whsec_")}, SECRET, True, id="without its prefix"),
    ],
)
def test_a_library_of_others_verifies_it(secrets: dict[str, str], verifier: str, accepted: bool) -> None:
    headers = Signer(CannedSecrets(secrets)).headers("cb_1", BODY, at=time.time())
    assert headers is not None
    if accepted:
        assert Webhook(verifier).verify(BODY, dict(headers)) == {"test": 2432232314}
    else:
        with pytest.raises(WebhookVerificationError):
            Webhook(verifier).verify(BODY, dict(headers))


def test_without_a_secret_of_its_own_one_is_derived_as_documented() -> None:
    """docs/settings.md; the key that guards our own door is never handed out."""
    headers = Signer(CannedSecrets({"webhook-key": "door"})).headers("cb_1", BODY, at=time.time())
    derived = "whsec_" + base64.b64encode(hmac.new(b"door", b"callbacks", hashlib.sha256).digest()).decode()
    assert headers is not None
    Webhook(derived).verify(BODY, dict(headers))


def test_a_secret_that_is_no_base64_is_taken_as_it_is() -> None:
    assert Signer(CannedSecrets({"callback-secret": "a pass phrase!"})).keys() == [b"a pass phrase!"]


def test_without_any_there_is_no_signature() -> None:
    assert Signer(CannedSecrets({})).headers("cb_1", BODY, at=1.0) is None
