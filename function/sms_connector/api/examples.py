"""Examples of the OpenAPI document: an answer's follow from its schema and from what its fields are called. Tests send
the requests and parse the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_AT = "2026-01-01T00:00:00.000Z"
_TO, _SENDER = "+15558675310", "+15551234567"
_MESSAGE_ID, _CAMPAIGN_ID = "msg_0bd6cf24ae5a7d9c1e0a4b7c33", "cmp_c3f2a91d0b7e64c85aa10"
_CONNECTION = "projects/my-project/locations/europe-west3/connections/sms"
_SID = f"SM{0:032}"
_MESSAGE = "Hello <first name>, order <order> ships today."
_MAPPING = {"to": "mobile", "first name": "firstName", "order": "orderId"}
_RECORDS = [{"mobile": _TO, "firstName": "Ann", "orderId": "A-1", "key": "order A-1"}]

REQUESTS: dict[str, Any] = {
    "sendMessages": {"message": _MESSAGE, "mapping": _MAPPING, "records": _RECORDS},
    "previewMessages": {"message": "Bonjour <prénom>", "records": [{"to": _TO, "prénom": "François"}]},
    "createCampaign": {"name": "New year", "message": _MESSAGE, "mapping": _MAPPING, "records": _RECORDS},
    "saveTemplate": {"message": _MESSAGE, "mapping": _MAPPING, "sender": _SENDER},
    "createEntity": {"fields": {"To": _TO, "Body": "Hello"}},
    "patchEntity": {"fields": {"Body": ""}},
    "updateEntitiesWithConditions": {"fields": {"Body": ""}},
    "executeSqlQuery": {"query": {"query": "SELECT Status, count(*) AS n FROM Messages GROUP BY 1"}},
    "executeAction": {"parameters": {"To": _TO, "Body": "Hello"}},
    "executeTool": {"parameters": {"entityType": "Messages", "conditions": "Status='failed'"}},
    "postTools": {"toolNames": ["query"]},
    "generateToolspec": {"toolNames": [{"entityName": "Messages", "operation": "LIST"}]},
    "executeConnection": {"operation": "LIST_ENTITIES", "connectionName": _CONNECTION, "entity": "Messages"},
    "exchangeMessage": {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "query", "arguments": {"query": "SELECT count(*) AS n FROM Messages"}},
    },
    "importOptOuts": {"records": [{"number": _TO, "reason": "asked by letter"}, {"number": "0123"}]},
}

# Of fields, by their names.
_OF_NAME: dict[str, Any] = {
    "address": _SENDER,
    "encoding": "GSM-7",
    "encodings": {"GSM-7": 1},
    "errors": [],
    "estimatedEnd": _AT,
    "field": "records[3].to",
    "final": False,
    "index": 0,
    "kind": "INVALID_RECIPIENT",
    "message": "'0123' is not a phone number in E.164 form; write + and the country code",
    "number": _TO,
    "placeholders": ["first name", "order"],
    "providerMessageId": f"SM{0:032}",
    "rate": 25.0,
    "ratePerSecond": 25,
    "reason": "asked by phone",
    "redacted": False,
    "requestId": "5f0c0a5ea1c14d0b8a1c0b8f5f3f1f4e",
    "sender": _SENDER,
    "sentAt": _AT,
    "source": "api",
    "status": "queued",
    "summary": {"queued": 1},
    "to": _TO,
    "url": "https://crm.example.com/sms",
    "warnings": [],
}
_OF_SENDER = {"name": "Orders", "businessUnit": "Retail", "kind": "long_code", "countries": ["US", "CA"]}
_OF_COLUMN = {"name": "Status", "description": "", "dataType": "VARCHAR", "key": False, "nullable": True}
# Of a type's own fields: they are shown although they may be absent.
_OF_TYPE: dict[str, dict[str, Any]] = {
    "Action": {"name": "SendMessage", "displayName": "SendMessage", "description": "Send a message"},
    "CallbackAddressInfo": {
        "kind": "status",
        "url": "https://sms.example.com/webhooks/example/status/a0d5ee9db0810cd77787cbf4",
    },
    "CallbackInfo": {"id": f"cb_{0:026}", "message": _MESSAGE_ID, "state": "given_up", "lastError": "410 Gone"},
    "CampaignInfo": {
        "id": _CAMPAIGN_ID,
        "name": "New year",
        "message": _MESSAGE,
        "mapping": _MAPPING,
        "state": "running",
        "source": None,
        "reason": None,
        "total": 2,
        "refused": 0,
        "duplicates": 0,
        "waiting": 1,
        "counts": {"delivered": 1},
        "open": 0,
        "rate": 25.0,
        "estimatedEnd": _AT,
    },
    "CapabilitiesInfo": {"textLimit": 1600, "senderKinds": ["long_code", "pool"], "channels": ["whatsapp"]},
    "ConnectionInfo": {"name": "sms", "description": "Order updates", "provider": "example", "reason": None},
    "Connection": {
        "name": _CONNECTION,
        "connectorVersion": "projects/my-project/locations/global/providers/example/connectors/example/versions/1",
        "nodeConfig": {"minNodeCount": 2, "maxNodeCount": 50},
        "status": {"state": "ACTIVE", "description": ""},
    },
    "CustomChannelAnswer": {"MessageId": _MESSAGE_ID, "Status": "Sent"},
    "CustomChannelBody": {"To": _TO, "From": _SENDER, "Message": {"text": "Your code is 1234"}},
    "Entity": {
        "name": f"{_CONNECTION}/entityTypes/Messages/entities/{_SID}",
        "fields": {"Sid": _SID, "To": _TO, "Status": "delivered"},
    },
    "EntityType": {"name": "Messages", "fields": [_OF_COLUMN], "operations": ["LIST", "GET"]},
    "Executed": {"connectorOutputPayload": [{"Sid": _SID, "Status": "delivered"}]},
    "GoogleProblem": {
        "code": 400,
        "status": "INVALID_ARGUMENT",
        "message": "conditions: at position 1: From is called Sender here",
    },
    "GoogleProblemDetail": {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": "conditions", "description": "at position 1: From is called Sender here"}],
    },
    "Health": {"status": "ok", "connection": "sms"},
    "HistoryEntry": {"source": "send", "providerStatus": "queued"},
    "InboundInfo": {"id": f"SM{0:032}", "sender": _TO, "to": _SENDER, "text": "Stop", "keyword": "stop"},
    "LongRunningOperation": {"name": "projects/my-project/locations/europe-west3/operations/entity-Messages"},
    "ListedSender": _OF_SENDER,
    "Message": {"id": _MESSAGE_ID},
    "Nodes": {"min": 2, "max": 50},
    "PreviewAnswer": {"placeholders": ["prénom"]},
    "PreviewResult": {"text": "Bonjour François", "encoding": "UCS-2", "reason": "'ç' (U+00E7) is not in GSM-7"},
    "Problem": {
        "code": 400,
        "status": "INVALID_ARGUMENT",
        "message": "records[3].to: '0123' is not a phone number in E.164 form; write + and the country code",
    },
    "ProblemDetail": {"field": "records[3].to"},
    "RpcProblem": {"error": {"code": -32602, "message": "params must be an object"}},
    "RpcResult": {"id": 1, "result": {"content": [{"type": "text", "text": "…"}], "isError": False}},
    "RefusedOptOut": {"index": 1, "number": "0123", "line": 3},
    "SendAnswer": {"duplicates": 0},
    "SendResult": {"id": _MESSAGE_ID},
    "SenderAbilities": {"channels": ["sms"], "segmentsPerSecond": 1.0, "queueSeconds": 36000, "refusedBy": []},
    "SenderInfo": _OF_SENDER,
    "Tool": {"name": "query", "description": "Run one SELECT over the entity types."},
    "TemplateInfo": {
        "name": "order-shipped",
        "message": _MESSAGE,
        "mapping": _MAPPING,
        "sender": _SENDER,
        "defaultCountry": "US",
        "tracking": {"retryAttempts": 6, "wait": False},
    },
    "TestAnswer": {"description": "the provider accepts the credentials", "latencyMillis": 81},
}
_OF_SCHEMA = {"boolean": True, "integer": 1, "number": 1.0, "string": "text", "object": {}, "null": None}


def example_of(schema: Mapping[str, Any], components: Mapping[str, Any], name: str = "") -> Any:
    """Return an example of what a schema describes: each field that is always there, and those that have one."""
    if name in _OF_NAME and _OF_NAME[name] in schema.get("enum", (_OF_NAME[name],)):
        return _OF_NAME[name]
    if "$ref" in schema:
        return example_of(components[schema["$ref"].rpartition("/")[2]], components)
    if "properties" in schema:
        own, always = _OF_TYPE.get(schema["title"], {}), schema.get("required", ())
        return {
            key: own[key] if key in own else example_of(part, components, key)
            for key, part in schema["properties"].items()
            if key in own or key in always or "default" in part
        }
    if "anyOf" in schema:
        return None if {"type": "null"} in schema["anyOf"] else example_of(schema["anyOf"][0], components)
    if schema.get("type") == "array":
        return [example_of(schema["items"], components)] if "$ref" in schema["items"] else []
    return (
        _AT if schema.get("format") == "date-time" else schema.get("enum", [_OF_SCHEMA.get(schema.get("type", ""))])[0]
    )
