"""Infobip's case for the suite of catalogues."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sandbox import Sandbox
from tests.contract.entities.case import EntityCase
from tests.sandbox.infobip.conftest import TO, InfobipApi

_OF_A_CAMPAIGN = {
    "sender": "InfoSMS",
    "destinations": [{"to": TO}],
    "content": {"text": "Spring!"},
    "options": {
        "platform": {"entityId": "shop", "applicationId": "orders"},
        "campaignReferenceId": "spring",
    },
}


def _fill(sandbox: Sandbox) -> None:
    api = InfobipApi(sandbox.url)
    api.sent(TO, "+15005530001", "+15005550001", ids=["one", "two", "three"])
    api.call("POST", "/sms/3/messages", json={"messages": [_OF_A_CAMPAIGN]}).raise_for_status()
    sandbox.admin.advance(150)
    api.sent(TO, ids=["four"], sender="InfoSMS")
    api.sent(TO, ids=["four"])  # a repetition of an id
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="milliseconds")
    api.send(TO, ids=["five"], options={"schedule": {"bulkId": "later", "sendAt": later}})


CASE = EntityCase("infobip", _fill, filled=frozenset({"Logs"}))
