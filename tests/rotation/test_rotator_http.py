"""The rotator over HTTP: on demand, and by notices as Pub/Sub pushes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask
import pytest

from sandbox import Options, Sandbox
from sandbox.infobip.account import API_KEY
from sandbox.twilio.accounts import ACCOUNT_SID, AUTH_TOKEN
from sms_connector.app.container import start
from sms_connector.app.rotator import build_rotator
from sms_connector.rotation import RotationTiming


@contextmanager
def rotator(tmp_path: Path, provider: str, secrets: dict[str, str]) -> Iterator[Any]:
    """A rotator of a connection at the sandbox, which waits for nothing that a test would have to wait for."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name, value in secrets.items():
        (folder / name).write_text(value)
    with Sandbox(Options()) as sandbox:
        environ = {
            "SMS_PROVIDER": provider,
            "SMS_LEDGER": f"sqlite:{tmp_path / 'ledger.db'}",
            "SMS_SECRETS_DIR": str(folder),
            "SMS_PROVIDER_URL": sandbox.url,
            "SMS_CONNECTION": "sms",
        }
        handle = build_rotator(start(environ), RotationTiming(spread=0.0, overlap=3600.0))
        app = flask.Flask("rotator")

        def post(path: str, document: object) -> flask.Response:
            with app.test_request_context(path, method="POST", json=document):
                return handle(flask.request)

        yield post


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Any]:
    with rotator(tmp_path, "twilio", {"account-sid": ACCOUNT_SID, "auth-token": AUTH_TOKEN}) as post:
        yield post


def notice(secret: str, **attributes: str) -> dict[str, object]:
    """https://cloud.google.com/secret-manager/docs/event-notifications"""
    about = {"eventType": "SECRET_ROTATE", "secretId": f"projects/123/secrets/{secret}", "dataFormat": "JSON_API_V1"}
    message = {"attributes": about | attributes, "messageId": "1", "publishTime": "2026-11-28T01:00:00.000Z"}
    return {"message": message, "subscription": "projects/p/subscriptions/sms-rotation-auth-token"}


def test_on_demand_it_tells_how_far_it_is(ask: Any, tmp_path: Path) -> None:
    planned = ask("/v1/rotations:run", {"secret": "auth-token", "dryRun": True})
    assert (planned.status_code, planned.json["state"]) == (200, "PLANNED")
    assert (tmp_path / "secrets" / "auth-token").read_text() == AUTH_TOKEN
    for _ in range(20):
        answer = ask("/v1/rotations:run", {"secret": "auth-token"})
        assert answer.status_code == 200, answer.json
        if answer.json["retryAfterSeconds"] > 60:
            break
    assert (answer.json["state"], answer.json["stage"]) == ("WAITING", "promote it")
    assert (tmp_path / "secrets" / "auth-token").read_text() != AUTH_TOKEN


def test_a_notice_comes_again_until_it_is_done(ask: Any, capfd: pytest.CaptureFixture[str]) -> None:
    answer = ask("/tasks/rotation", notice("sms-auth-token"))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    output = capfd.readouterr()
    assert '"rotation": "auth-token"' in output.out + output.err, "the log names what waits"


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(notice("sms-signing-key"), id="only an operator can make a new one: the log says how"),
        pytest.param(notice("other-auth-token"), id="a secret of another connection"),
        pytest.param(notice("sms-auth-token", eventType="SECRET_VERSION_ADD"), id="another event"),
        pytest.param({"message": {"data": "e30="}}, id="no attributes at all"),
    ],
)
def test_a_notice_that_needs_nothing_is_taken(ask: Any, tmp_path: Path, document: object) -> None:
    assert ask("/tasks/rotation", document).status_code == 200
    assert (tmp_path / "secrets" / "auth-token").read_text() == AUTH_TOKEN


def test_a_notice_for_a_key_that_may_not_manage_keys_is_taken_and_logged_with_the_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with rotator(tmp_path, "infobip", {"api-key": API_KEY}) as post:
        assert post("/tasks/rotation", notice("sms-api-key")).status_code == 200
        assert post("/v1/rotations:run", {"secret": "api-key", "dryRun": True}).status_code == 422
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "rotation_due" in line]
    assert "make a second API key with the same scopes in Infobip's portal" in line["steps"]
    assert (tmp_path / "secrets" / "api-key").read_text() == API_KEY


@pytest.mark.parametrize("document", [{}, {"message": "text"}, {"message": {"attributes": 3}}, []], ids=repr)
def test_what_is_no_notice_is_refused(ask: Any, document: object) -> None:
    assert ask("/tasks/rotation", document).status_code == 400


def test_an_unknown_secret_is_refused_with_the_steps(ask: Any) -> None:
    answer = ask("/v1/rotations:run", {"secret": "signing-key"})
    assert answer.status_code == 422
    assert "by its console" in answer.json["error"]["message"]
