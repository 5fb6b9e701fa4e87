"""The door: ids, paths, methods, failures of ours, and what is logged of all that."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import functions_framework
import pytest

import sms_connector

GOOD: dict[str, Any] = {"to": "+15558675310", "message": "The code is 424242"}


def events(api: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in api.log.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param("order-7.retry_2", True, id="fit for a header and a log"),
        pytest.param("x" * 129, False, id="too long"),
        pytest.param("a b", False, id="a space"),
        pytest.param("größe", False, id="beyond ASCII"),
        pytest.param("", False, id="empty"),
    ],
)
def test_the_callers_request_id_is_kept_where_it_is_fit(api: Any, given: str, kept: bool) -> None:
    answer = api.send(GOOD, X_Request_Id=given)
    assert (answer.headers["X-Request-Id"] == given) is kept
    assert answer.json["requestId"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/messages:send", "POST"),
        ("PUT", "/v1/messages", "GET, HEAD"),
        ("POST", "/v1/optOuts/+15558675310", "DELETE, GET, HEAD, PUT"),
        ("PATCH", "/health", "GET, HEAD"),
    ],
)
def test_another_method(api: Any, method: str, path: str, allowed: str) -> None:
    answer = api.client.open(path, method=method)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert answer.json["error"]["status"] == "UNIMPLEMENTED"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/messages/",
        "/v1/messages/msg_1/history",
        "/v1/messages:sendmany",
        "/v1/messages/msg_1:send",
        "/v1/messages/msg_1:cancel:redact",
        "/v1/connection:",
        "/v2/messages",
        "/healthz",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_path(api: Any, path: str, method: str) -> None:
    answer = api.client.open(path, method=method)
    assert (answer.status_code, answer.json["error"]["status"]) == (404, "NOT_FOUND")
    assert answer.headers["X-Request-Id"]


def test_head_is_get_without_a_body(api: Any) -> None:
    answer = api.client.head("/health")
    assert (answer.status_code, answer.data) == (200, b"")


def test_a_fault_of_ours_is_told_to_the_log_and_not_to_the_caller(api: Any) -> None:
    api.double.fail_with["send"] = KeyError("+15558675310 got: The code is 424242")
    answer = api.send(GOOD)
    assert answer.status_code == 500
    request_id = answer.headers["X-Request-Id"]
    assert answer.json["error"] == {
        "code": 500,
        "status": "INTERNAL",
        "message": f"internal error; the log has it under request id {request_id}",
        "details": [],
    }
    failure = next(event for event in events(api) if event["severity"] == "ERROR")
    assert (failure["requestId"], failure["exception"]) == (request_id, "KeyError")
    assert any("engine_double.py" in place for place in failure["stack"])
    assert "8675310" not in api.log.getvalue()
    assert "424242" not in api.log.getvalue()


def test_a_request_is_one_line_with_its_trace_and_without_its_number(api: Any) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = api.client.get("/v1/optOuts/+15558675310", headers={"X-Cloud-Trace-Context": f"{trace}/1;o=1"})
    [request] = events(api)
    assert (request["message"], request["kind"]) == ("request", "NOT_FOUND")
    assert request["route"] == "/v1/optOuts/{number}"
    assert (request["method"], request["status"], request["connection"]) == ("GET", 404, "sms")
    assert request["requestId"] == answer.headers["X-Request-Id"]
    assert request["logging.googleapis.com/trace"] == f"projects/a-project/traces/{trace}"
    assert request["durationMillis"] >= 0
    assert "5558675310" not in api.log.getvalue()


def test_no_answer_is_kept_by_a_cache(api: Any) -> None:
    assert api.get("/v1/messages").headers["Cache-Control"] == "no-store"


SOURCE = """
from sms_connector.api.dispatcher import build_api
from sms_connector.api.services import ConnectionProfile, Services
from sms_connector.provider import Capabilities
from sms_connector.structured_log import StructuredLog
from tests.fixtures.engine_double import EngineDouble

_handle = build_api(
    Services(EngineDouble().engine, ConnectionProfile("sms", "twilio"), Capabilities(), StructuredLog(level="error"), None)
)


def connector(request):
    return _handle(request)
"""


@pytest.mark.parametrize("megabytes", [1, 9, 11, 33])
def test_under_the_real_framework_a_body_of_any_size_is_ours_to_refuse(tmp_path: Path, megabytes: int) -> None:
    """functions-framework has a limit of its own and reads the body again after our answer; neither may show."""
    source = tmp_path / "main.py"
    source.write_text(SOURCE)
    create_app: Any = functions_framework.create_app
    client = create_app("connector", str(source), "http").test_client()
    body = b'{"unknown": "' + b"x" * (megabytes * 1024 * 1024) + b'"}'
    answer = client.post("/v1/messages:send", data=body, content_type="application/json")
    assert (answer.status_code, answer.json["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert ("over the limit" in answer.json["error"]["message"]) is (megabytes > 10)


HEAVY = {"google.auth", "grpc", "requests", "urllib3", "phonenumbers", "pydantic", "jsonschema", "sqlite3"}


def test_a_cold_start_imports_nothing_that_a_first_answer_does_not_need() -> None:
    code = "import sys, sms_connector.api, sms_connector.transport.session; print(*sys.modules)"
    path = str(Path(sms_connector.__file__).parents[1])
    ran = subprocess.run([sys.executable, "-c", code], cwd=path, capture_output=True, text=True, check=True)
    assert HEAVY & set(ran.stdout.split()) == set()
