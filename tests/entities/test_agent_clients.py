"""Agents' clients, unchanged, at the function and the sandbox: Google's agent kit, and both generations of MCP clients."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import Options, Sandbox
from sandbox.options import Settings
from sms_connector import app
from sms_connector.providers.twilio.entities import read_catalogue
from tests.fixtures.agent_clients import ACCESS_TOKEN, AgentClient, Served, run_client, serve_over_tls
from tests.fixtures.processes import ROOT, connector_environ

pytestmark = pytest.mark.real

KIT, MCP_1 = ".venv-agent-kit", ".venv-mcp-1"
PAGE = (ROOT / "docs" / "entities.md").read_text()
TYPES = {each.name: each for each in read_catalogue()}
TO = "+15558675310"
CONNECTION = {"project": "p", "location": "l", "connection": "local"}
# Each client of MCP: its environment, its script and arguments, and the protocol it agrees on.
MCP_CLIENTS = {
    "2.x auto": (KIT, "mcp_2.py", ["auto"], "2026-07-28"),
    "2.x handshake": (KIT, "mcp_2.py", ["legacy"], "2025-11-25"),
    "2.x without discovery": (KIT, "mcp_2.py", ["2026-07-28"], "2026-07-28"),
    "1.x": (MCP_1, "mcp_1.py", [], "2025-11-25"),
    "agent kit": (KIT, "adk_mcp.py", [], None),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Options(settings=Settings(delivery_seconds=5.0))) as opened:
        yield opened


@pytest.fixture(scope="module")
def served(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("connector")
    options = {"SMS_PROVIDER_OPTIONS": f"messagingUrl={sandbox.url}", "SMS_SENDER": "+15551234567"}
    handle = app.build("connector", connector_environ(folder, sandbox.url, **options))
    with serve_over_tls(handle, folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def kit(served: Served) -> Iterator[AgentClient]:
    actions = ["SendMessage", "RedactMessage", "CancelMessage", "ExecuteCustomQuery", "AddOutgoingCallerIds"]
    wanted = {**CONNECTION, "entity_operations": {name: [] for name in TYPES}, "actions": actions}
    arguments = (served.host, served.service_account_file, json.dumps(wanted))
    with run_client(served, KIT, "adk_connector.py", *arguments) as client:
        yield client


@pytest.fixture(scope="module", params=MCP_CLIENTS.values(), ids=MCP_CLIENTS)
def client(served: Served, request: pytest.FixtureRequest) -> Iterator[AgentClient]:
    environment, script, arguments, protocol = request.param
    with run_client(served, environment, script, f"https://{served.host}/mcp", *arguments) as client:
        assert client.said["version"] in PAGE
        assert client.said.get("protocol") == protocol
        yield client


class TestAgentKit:
    """`ApplicationIntegrationToolset` with the hosts of its endpoints replaced."""

    def test_every_operation_and_action_is_a_tool_that_a_model_can_call(self, kit: AgentClient) -> None:
        assert kit.said["version"] in PAGE
        offered = [(name, verb) for name, each in TYPES.items() for verb in set(each.operations) - set(each.risk)]
        actions = {
            "send_message",
            "redact_message",
            "cancel_message",
            "execute_custom_query",
            "add_outgoing_caller_ids",
        }
        assert len(kit.tools) == len(offered) + len(actions)
        operations = {f"{verb}_messages" for verb in ("list", "get", "create", "update", "delete")}
        assert operations | actions <= set(kit.tools)
        for name, declared in kit.tools.items():
            assert re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name)
            check_schema(declared["parameters_json_schema"])
        payload = kit.tools["create_messages"]["parameters_json_schema"]["properties"]["connector_input_payload"]
        assert payload["properties"]["To"]["description"].startswith("required on create")
        sent = kit.tools["redact_message"]["parameters_json_schema"]["properties"]["connector_input_payload"]
        assert sent["properties"]["Sid"] == {"type": "string", "description": "required"}

    def test_a_message_is_created_read_updated_and_deleted(self, kit: AgentClient, sandbox: Sandbox) -> None:
        created = output(kit.call("create_messages", connector_input_payload={"To": TO, "Body": "Hello"}))
        sid = created["Sid"]
        assert len(sandbox.admin.messages()) == 1
        sandbox.admin.advance(60)
        got = output(kit.call("get_messages", entity_id=sid))
        assert (got["Sid"], got["Body"], got["Status"]) == (sid, "Hello", "delivered")
        assert output(kit.call("update_messages", entity_id=sid, connector_input_payload={"Body": ""})) == {}
        assert output(kit.call("get_messages", entity_id=sid))["Body"] == ""
        assert output(kit.call("delete_messages", entity_id=sid)) == {}
        assert "404" in kit.call("get_messages", entity_id=sid)["error"]

    def test_lists_have_filters_pages_and_an_order(self, kit: AgentClient, sandbox: Sandbox) -> None:
        sandbox.admin.reset()
        for name in ("Orders", "Codes", "Offers"):
            output(kit.call("create_messaging_services", connector_input_payload={"Name": name}))
        wanted = {"filter_clause": "Name IN ('Orders', 'Codes', 'Offers')", "sort_by_columns": ["Name"], "page_size": 2}
        first = kit.call("list_messaging_services", **wanted)
        rest = kit.call("list_messaging_services", **wanted, page_token=first["nextPageToken"])
        assert [each["Name"] for each in output(first) + output(rest)] == ["Codes", "Offers", "Orders"]
        assert "nextPageToken" not in rest
        found = kit.call("list_messaging_services", filter_clause="Name='Orders' AND StickySender='true'")
        assert [each["Name"] for each in output(found)] == ["Orders"]

    def test_actions_and_queries(self, kit: AgentClient, sandbox: Sandbox) -> None:
        sandbox.admin.reset()
        [sent] = output(kit.call("send_message", connector_input_payload={"To": TO, "Body": "Hello"}))
        query = f"SELECT Body, count(*) AS n FROM Messages WHERE Sid = '{sent['Sid']}' GROUP BY 1"
        answer = kit.call("execute_custom_query", query=query, timeout=120, page_size=50)
        assert output(answer) == [{"Body": "Hello", "n": 1}]
        sandbox.admin.advance(60)
        assert output(kit.call("redact_message", connector_input_payload={"Sid": sent["Sid"]})) == [
            {"Sid": sent["Sid"], "Status": "delivered"}
        ]

    def test_an_error_tells_the_model_the_fix(self, kit: AgentClient) -> None:
        assert "From is called Sender here" in kit.call("list_messages", filter_clause="From='a'")["error"]
        refused = kit.call("create_messages", connector_input_payload={"To": "123", "Body": "Hello"})
        assert "fields.To" in refused["error"]

    def test_it_signs_in_with_an_access_token(self, kit: AgentClient, served: Served) -> None:
        assert set(served.authorizations) - {None} == {f"Bearer {ACCESS_TOKEN}"}


def output(answer: Any) -> Any:
    assert "connectorOutputPayload" in answer, answer
    return answer["connectorOutputPayload"]


def check_schema(schema: Any) -> None:
    """Check that each part has a type that a model's interface knows."""
    assert schema["type"] in ("object", "array", "string", "integer", "number", "boolean"), schema
    for part in (*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])):
        check_schema(part)


class TestMcp:
    def test_tools_are_listed(self, client: AgentClient) -> None:
        assert set(client.tools) == {
            *("list_entity_types", "describe_entity_type", "list_entities", "get_entity", "query"),
            *("send_message", "cancel_message", "redact_message"),
        }
        for tool in client.tools.values():
            assert (tool.get("inputSchema") or tool["parameters_json_schema"])["type"] == "object"

    def test_a_message_is_sent_listed_got_and_counted(self, client: AgentClient, sandbox: Sandbox) -> None:
        sandbox.admin.reset()
        sid = result(client.call("send_message", To=TO, Body="Hello"))["Sid"]
        listed = result(client.call("list_entities", entityType="Messages", conditions=f"To='{TO}'"))
        assert [row["Sid"] for row in listed["rows"]] == [sid]
        got = result(client.call("get_entity", entityType="Messages", entityId=sid))
        assert got["fields"]["Body"] == "Hello"
        assert result(client.call("query", query="SELECT count(*) AS n FROM Messages")) == {"rows": [{"n": 1}]}
        assert len(sandbox.admin.messages()) == 1

    def test_a_failure_is_a_result_with_the_fix(self, client: AgentClient) -> None:
        answer = client.call("list_entities", entityType="Message")
        assert answer["isError"]
        assert "did you mean Messages?" in answer["content"][0]["text"]


def result(answer: Any) -> Any:
    assert answer["isError"] is False, answer
    assert json.loads(answer["content"][0]["text"]) == answer["structuredContent"]
    return answer["structuredContent"]
