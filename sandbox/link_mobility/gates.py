"""The Gate API's reads (Common Gate API 1.2): the account's gates, where reports and inbound messages are posted.

They are made and changed by the admin call `gates`. Destinations take JSON by POST; no templates, no random choice.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.link_mobility.accounts import PARTNER_ID, PLATFORM_ID, Account, Gate
from sandbox.link_mobility.codes import LinkError
from sandbox.wire import JSON_TYPE, Reply, Request, json_reply

ROOT = "/gate/partnergate"
OF_PARTNER = f"{ROOT}/platform/{PLATFORM_ID}/partner/{PARTNER_ID}"


def answer(account: Account, request: Request) -> Reply:
    if not account.gate_api or not request.path.startswith(OF_PARTNER):
        raise LinkError(103101)
    if request.method != "GET":
        raise LinkError(103300, status=405)
    rest = request.path.removeprefix(OF_PARTNER)
    if not rest:
        body = json.dumps([gate_document(gate) for gate in account.gates.values()]).encode()
        return Reply(200, body, {"Content-Type": JSON_TYPE})
    gate = account.gates.get(rest.removeprefix("/id/"))
    if gate is None:
        raise LinkError(103304)
    return json_reply(200, gate_document(gate))


def gate_document(gate: Gate) -> dict[str, Any]:
    return {
        "type": "PARTNER_GATE",
        "id": gate.id,
        "refId": None,
        "platformId": PLATFORM_ID,
        "platformPartnerId": PARTNER_ID,
        "destinations": [destination.document() for destination in gate.destinations],
        "gateType": "ALL",
        "ttl": 172_800_000,
        "acknowledge": gate.acknowledge,
        "throttle": None,
        "customParameters": {},
    }
