"""The connector's words as this command says them: `sms …` for paths of the API, lines of the file for places in a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_CALL = re.compile(r"\b(GET|POST|PUT|DELETE) (/v1/[\w/:.{}+-]*[\w}])")
# What a call is as a command; `*` stands for an id or a number.
_COMMANDS = {
    "GET /v1/messages": "messages",
    "GET /v1/messages/*": "status *",
    "POST /v1/messages:send": "send",
    "POST /v1/messages:preview": "preview",
    "POST /v1/messages/*:cancel": "cancel *",
    "POST /v1/messages/*:redact": "redact *",
    "GET /v1/campaigns": "campaign list",
    "POST /v1/campaigns": "campaign create",
    "GET /v1/campaigns/*": "campaign show *",
    "GET /v1/campaigns/*/results": "campaign results *",
    "POST /v1/campaigns/*:pause": "campaign pause *",
    "POST /v1/campaigns/*:resume": "campaign resume *",
    "POST /v1/campaigns/*:cancel": "campaign cancel *",
    "POST /v1/campaigns/*:retry": "campaign retry *",
    "GET /v1/connection": "connection",
    "POST /v1/connection:test": "test",
    "POST /v1/connection:suspend": "suspend",
    "POST /v1/connection:resume": "resume",
    "GET /v1/limits": "limits",
    "GET /v1/optOuts": "opt-outs list",
    "POST /v1/optOuts:import": "opt-outs import",
    "PUT /v1/optOuts/*": "opt-outs add *",
    "DELETE /v1/optOuts/*": "opt-outs remove *",
    "GET /v1/inboundMessages": "inbound",
    "GET /v1/callbacks": "replay",
    "POST /v1/callbacks/*:replay": "replay *",
}
_ID = re.compile(r"^(/v1/\w+/)([^/:]+)")
_QUERY_HINT = re.compile(r"; a \+ in a query is written %2B")
_RECORD = re.compile(r"records\[\d+\](?:\.([^:()]*?))? \(line (\d+)\)")
_FIELD = re.compile(r"records\[\d+\]\.?")
# Parameters of version 2, as the options they come from.
_OPTIONS = {
    "conditions": "--where",
    "sortBy": "--sort",
    "query.query": "SELECT",
    "query.maxRows": "--max-rows",
    "query.timeout": "--timeout",
}


def in_commands(text: str) -> str:
    """Replace the API's calls by commands, and places in a request by lines of the file."""
    text = _CALL.sub(_name_command, _QUERY_HINT.sub("", text))
    return _RECORD.sub(lambda found: f"line {found[2]}" + (f", {found[1]}" if found[1] else ""), text)


def locate(detail: Mapping[str, Any]) -> str:
    """`line 4, mobile` of a file; else the option, an entity's column, or the field's path."""
    field = str(detail.get("field", "")).removeprefix("fields.")
    field = _OPTIONS.get(field, field)
    if "line" not in detail:
        return field
    name = _FIELD.sub("", field)
    return f"line {detail['line']}" + (f", {name}" if name else "")


def _name_command(found: re.Match[str]) -> str:
    ids: list[str] = []

    def take(match: re.Match[str]) -> str:
        ids.append(match[2])
        return f"{match[1]}*"

    command = _COMMANDS.get(f"{found[1]} {_ID.sub(take, found[2])}")
    if command is None:
        return found[0]
    return (
        "`sms "
        + command.replace("*", ids[0].strip("{}").upper() if ids and ids[0].startswith("{") else "".join(ids))
        + "`"
    )
