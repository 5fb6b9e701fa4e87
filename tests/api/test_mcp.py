"""The Model Context Protocol: both eras, what is refused, and the tools."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sms_connector.api.schemas.conversion import convert
from sms_connector.api.schemas.entity_answers import RpcProblem, RpcResult
from sms_connector.errors import NotSent
from tests.api.test_google_client import Stage, make_stage

MODERN = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}


@pytest.fixture
def stage() -> Stage:
    return make_stage(sends=True)


def post(stage: Stage, method: str, params: Any = None, *, modern: bool = False, **headers: str) -> Any:
    document: dict[str, Any] = {"jsonrpc": "2.0", "id": 7, "method": method, "params": dict(params or {})}
    sent = {}
    if modern:
        document["params"]["_meta"] = META
        sent = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
        if method == "tools/call":
            sent["Mcp-Name"] = document["params"]["name"]
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = stage.wire.client.post("/mcp", json=document, headers={**sent, **given})
    kind = RpcResult if answer.status_code == 200 else RpcProblem
    assert msgspec.to_builtins(convert(answer.json, kind)) == answer.json
    return answer


def call(stage: Stage, name: str, *, modern: bool = False, **arguments: Any) -> Any:
    return post(stage, "tools/call", {"name": name, "arguments": arguments}, modern=modern).json["result"]


@pytest.mark.parametrize("version", ["2024-11-05", "2025-11-25", "1999-01-01"])
def test_the_handshake(stage: Stage, version: str) -> None:
    answer = post(stage, "initialize", {"protocolVersion": version})
    result = answer.json["result"]
    assert result["protocolVersion"] == (version if version > "2000" else "2025-11-25")
    assert (result["capabilities"], result["serverInfo"]["name"]) == ({"tools": {}}, "sms-connector")
    assert "Mcp-Session-Id" not in answer.headers
    assert post(stage, "ping").json == {"jsonrpc": "2.0", "id": 7, "result": {}}


def test_a_notification_has_no_answer(stage: Stage) -> None:
    answer = stage.wire.client.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (answer.status_code, answer.data) == (202, b"")


def test_discovery(stage: Stage) -> None:
    result = post(stage, "server/discover", modern=True).json["result"]
    assert (result["supportedVersions"], result["resultType"], result["cacheScope"]) == (
        [MODERN],
        "complete",
        "private",
    )


@pytest.mark.parametrize("modern", [False, True])
def test_tools_are_listed_and_called(stage: Stage, modern: bool) -> None:
    listed = post(stage, "tools/list", modern=modern).json["result"]
    assert [tool["name"] for tool in listed["tools"]][:3] == [
        "list_entity_types",
        "describe_entity_type",
        "list_entities",
    ]
    assert ("ttlMs" in listed) is modern
    result = call(stage, "query", modern=modern, query="SELECT count(*) AS n FROM Letters")
    assert result["structuredContent"] == {"rows": [{"n": 450}]}
    assert (result["isError"], result["content"][0]["text"]) == (False, '{"rows":[{"n":450}]}')
    assert ("resultType" in result) is modern
    got = call(stage, "get_entity", modern=modern, entityType="Letters", entityId="L001")
    assert (
        got["structuredContent"]["name"] == "projects/-/locations/-/connections/sms/entityTypes/Letters/entities/L001"
    )
    assert call(stage, "send_message", modern=modern, To="+15558675310", Body="Hi")["structuredContent"]["Sid"]


@pytest.mark.parametrize(
    ("tools", "more"),
    [
        ("list_letters delete_letters", ["list_letters", "delete_letters"]),
        ("all", ["list_letters", "get_letters", "create_letters", "update_letters", "delete_letters", "list_pages"]),
    ],
)
def test_tools_of_single_types_are_listed_where_the_connection_names_them(tools: str, more: list[str]) -> None:
    general = post(make_stage(), "tools/list").json["result"]["tools"]
    listed = post(make_stage(tools=tools), "tools/list").json["result"]["tools"]
    assert listed[: len(general)] == general
    assert [tool["name"] for tool in listed[len(general) :]][: len(more)] == more


def test_a_name_that_is_no_tool_is_told_where_tools_are_listed() -> None:
    error = post(make_stage(tools="list_letter"), "tools/list").json["error"]
    assert error["code"] == -32603
    assert "SMS_MCP_TOOLS: no tool 'list_letter'" in error["message"]


def test_a_failure_of_a_tool_is_a_result_with_the_fix(stage: Stage) -> None:
    result = call(stage, "query", query="DROP TABLE Letters")
    assert result["isError"]
    assert "begins with SELECT" in result["content"][0]["text"]
    stage.world.fails_at, stage.world.failure = 0, NotSent("the provider is out of reach")
    result = call(stage, "list_entities", entityType="Letters")
    assert (result["isError"], result["content"][0]["text"]) == (True, "the provider is out of reach")


@pytest.mark.parametrize(
    ("method", "params", "headers", "status", "code"),
    [
        ("tools/list", {}, {"MCP_Protocol_Version": "2025-11-25"}, 400, -32020),
        ("tools/list", {}, {"Mcp_Method": "tools/call"}, 400, -32020),
        ("tools/call", {"name": "query"}, {"Mcp_Name": "other"}, 400, -32020),
        ("tools/call", {"name": "nothing"}, {}, 400, -32602),
        ("tools/run", {}, {}, 404, -32601),
        ("ping", {}, {}, 404, -32601),
    ],
)
def test_modern_requests_that_are_refused(
    stage: Stage, method: str, params: Any, headers: dict[str, str], status: int, code: int
) -> None:
    answer = post(stage, method, params, modern=True, **headers)
    assert (answer.status_code, answer.json["error"]["code"], answer.json["id"]) == (status, code, 7)


def test_another_version_is_told_the_supported_one(stage: Stage) -> None:
    params = {"_meta": {**META, "io.modelcontextprotocol/protocolVersion": "2027-01-01"}}
    answer = post(stage, "tools/list", params, MCP_Protocol_Version="2027-01-01", Mcp_Method="tools/list")
    assert answer.json["error"]["code"] == -32022
    assert answer.json["error"]["data"] == {"supported": [MODERN], "requested": "2027-01-01"}
    params = {"_meta": {"io.modelcontextprotocol/protocolVersion": MODERN}}
    answer = post(stage, "tools/list", params, MCP_Protocol_Version=MODERN, Mcp_Method="tools/list")
    assert (answer.status_code, answer.json["error"]["code"]) == (400, -32602)


@pytest.mark.parametrize(("method", "params"), [("tools/run", {}), ("tools/call", {"name": "nothing"})])
def test_errors_of_the_handshake_era_come_with_200(stage: Stage, method: str, params: Any) -> None:
    answer = post(stage, method, params)
    assert (answer.status_code, "error" in answer.json) == (200, True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b'{"jsonrpc":"2.0","id":1}', -32600),
        (b'{"id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"x","params":[]}', -32602),
    ],
)
def test_what_is_no_request(stage: Stage, body: bytes, code: int) -> None:
    answer = stage.wire.client.post("/mcp", data=body, content_type="application/json")
    assert (answer.status_code, answer.json["error"]["code"]) == (400, code)


def test_other_methods_and_origins(stage: Stage) -> None:
    answer = stage.wire.client.get("/mcp")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert post(stage, "ping", Origin="https://evil.example").status_code == 403
    assert post(stage, "ping", Origin="http://localhost").status_code == 200
