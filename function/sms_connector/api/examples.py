"""Examples of the OpenAPI document by operation. Tests send the requests and parse the answers."""

from __future__ import annotations

from typing import Any

_AT = "2026-01-01T00:00:00.000Z"
_TO, _SENDER = "+15558675310", "+15551234567"
_MESSAGE_ID, _CAMPAIGN_ID = "msg_0bd6cf24ae5a7d9c1e0a4b7c33", "cmp_c3f2a91d0b7e64c85aa10"
_REQUEST_ID = "5f0c0a5ea1c14d0b8a1c0b8f5f3f1f4e"
_SHARED = {"segments": 1, "encoding": "GSM-7", "attempts": 0, "sentAt": _AT, "updatedAt": _AT, "error": None}
_SENT = {"id": _MESSAGE_ID, "to": _TO, "status": "queued", "final": False, "providerMessageId": f"SM{0:032}", **_SHARED}
_RESULT = {"index": 0, **_SENT}
_MESSAGE = {**_SENT, "sender": _SENDER, "createdAt": _AT, "campaign": None, "redacted": False}
_TEMPLATE = {
    "message": "Hello <first name>, order <order> ships today.",
    "mapping": {"to": "mobile", "first name": "firstName", "order": "orderId"},
    "sender": _SENDER,
}
_CAMPAIGN = {
    "id": _CAMPAIGN_ID,
    "name": "New year",
    "reference": "offers-2026-01",
    "state": "running",
    "reason": None,
    "sender": _SENDER,
    "message": _TEMPLATE["message"],
    "mapping": _TEMPLATE["mapping"],
    "source": None,
    "origin": None,
    "total": 2,
    "refused": 0,
    "duplicates": 0,
    "segments": 2,
    "encodings": {"GSM-7": 2},
    "createdAt": _AT,
    "updatedAt": _AT,
    "doneAt": None,
    "waiting": 1,
    "counts": {"delivered": 1},
    "open": 0,
    "rate": 25.0,
    "estimatedEnd": _AT,
}
_SAVED = {
    **_TEMPLATE,
    "name": "order-shipped",
    "version": 1,
    "placeholders": ["first name", "order"],
    "createdAt": _AT,
    "updatedAt": _AT,
}
_RECORDS = [{"mobile": _TO, "firstName": "Ann", "orderId": "A-1", "key": "order A-1"}]
_OPT_OUT = {"number": _TO, "source": "api", "reason": "asked by phone", "createdAt": _AT}
_CHANGE = {"optedOut": True, "at": _AT, "source": "api", "reason": "asked by phone", "messageId": None, "caller": None}
_CONSENT = {**_OPT_OUT, "optedOut": True, "history": [_CHANGE]}
_CALLBACK = {
    "id": f"cb_{0:026}",
    "message": _MESSAGE_ID,
    "campaign": None,
    "index": 0,
    "url": "https://crm.example.com/sms",
    "state": "given_up",
    "attempts": 9,
    "createdAt": _AT,
    "nextAttemptAt": None,
    "deliveredAt": None,
    "lastError": "410 Gone",
}
_CONNECTION = {
    "name": "sms",
    "description": "Order updates",
    "labels": {"team": "shop"},
    "provider": "example",
    "region": "europe-west3",
    "nodes": {"min": 2, "max": 50},
    "proxy": None,
    "senders": [{"address": _SENDER, "kind": "long_code", "default": True}],
    "capabilities": {
        "textLimit": 1600,
        "recipientsPerCall": 1,
        "statusByPolling": True,
        "statusByCallback": True,
        "inbound": True,
        "cancel": True,
        "redact": True,
        "idempotentSend": False,
        "maxValiditySeconds": 36_000,
        "mediaLimit": 10,
        "schedule": {"earliestSeconds": 300, "latestSeconds": 3_024_000, "needsPool": True},
        "senderKinds": ["long_code", "pool"],
        "channels": ["whatsapp"],
    },
    "callbacks": True,
    "state": "ACTIVE",
    "reason": None,
    "since": None,
}

REQUESTS: dict[str, Any] = {
    "sendMessages": {"message": _TEMPLATE["message"], "mapping": _TEMPLATE["mapping"], "records": _RECORDS},
    "previewMessages": {"message": "Bonjour <prénom>", "records": [{"to": _TO, "prénom": "François"}]},
    "createCampaign": {
        "name": "New year",
        "message": _TEMPLATE["message"],
        "mapping": _TEMPLATE["mapping"],
        "records": _RECORDS,
    },
    "pauseCampaign": {"reason": "the offer is wrong"},
    "resumeCampaign": {"reason": "corrected"},
    "cancelCampaign": {"reason": "the offer is over"},
    "saveTemplate": _TEMPLATE,
    "suspendConnection": {"reason": "an audit"},
    "saveOptOut": {"reason": "asked by phone"},
    "importOptOuts": {"records": [{"number": "+15558675310", "reason": "asked by letter"}, {"number": "0123"}]},
}

ANSWERS: dict[str, Any] = {
    "sendMessages": {
        "requestId": _REQUEST_ID,
        "results": [_RESULT],
        "summary": {"queued": 1},
        "duplicates": 0,
        "warnings": [],
    },
    "previewMessages": {
        "placeholders": ["prénom"],
        "results": [
            {
                "index": 0,
                "to": _TO,
                "text": "Bonjour François",
                "characters": 16,
                "encoding": "UCS-2",
                "segments": 1,
                "units": 16,
                "remaining": 54,
                "reason": "'ç' (U+00E7) is not in GSM-7",
                "errors": [],
            }
        ],
        "segments": 1,
        "warnings": [],
    },
    "getMessage": {
        **_MESSAGE,
        "history": [{"at": _AT, "status": "queued", "source": "send", "providerStatus": "queued"}],
    },
    "listMessages": {"messages": [_MESSAGE], "nextPageToken": None},
    "cancelMessage": {**_MESSAGE, "status": "canceled", "final": True},
    "redactMessage": {**_MESSAGE, "redacted": True},
    **dict.fromkeys(("createCampaign", "getCampaign", "resumeCampaign", "retryCampaign"), _CAMPAIGN),
    "pauseCampaign": {**_CAMPAIGN, "state": "paused", "reason": "the offer is wrong"},
    "cancelCampaign": {**_CAMPAIGN, "state": "canceled", "reason": "the offer is over"},
    "listCampaigns": {"campaigns": [_CAMPAIGN], "nextPageToken": None},
    "listCampaignResults": {"results": [_RESULT], "summary": {"queued": 1}, "nextPageToken": None},
    "saveTemplate": _SAVED,
    "getTemplate": _SAVED,
    "listTemplates": {"templates": [_SAVED], "nextPageToken": None},
    "getConnection": _CONNECTION,
    "resumeConnection": _CONNECTION,
    "suspendConnection": {**_CONNECTION, "state": "SUSPENDED", "reason": "an audit", "since": _AT},
    "testConnection": {"state": "ACTIVE", "description": "the provider accepts the credentials", "latencyMillis": 81},
    "getLimits": {
        "node": {
            "ratePerSecond": 25,
            "startedLastSecond": 3,
            "availableNow": 22,
            "queued": 0,
            "waitMillis": 0,
            "queueLimitMillis": 30_000,
        },
        "connection": {"ratePerSecond": 40, "share": 20},
    },
    "getOptOut": _CONSENT,
    "saveOptOut": _CONSENT,
    "importOptOuts": {
        "added": 1,
        "unchanged": 0,
        "refused": 1,
        "problems": [
            {
                "index": 1,
                "number": "0123",
                "kind": "INVALID_RECIPIENT",
                "message": "'0123' is not a phone number in E.164 form; write + and the country code, such as "
                "+15558675310",
            }
        ],
    },
    "listOptOuts": {"optOuts": [_OPT_OUT], "nextPageToken": None},
    "listInboundMessages": {
        "inboundMessages": [
            {
                "id": f"SM{1:032}",
                "sender": _TO,
                "to": _SENDER,
                "text": "Stop",
                "mediaUrls": [],
                "receivedAt": _AT,
                "keyword": "stop",
                "inReplyTo": _MESSAGE_ID,
                "providerMessageId": f"SM{1:032}",
            }
        ],
        "nextPageToken": None,
    },
    "listCallbacks": {"callbacks": [_CALLBACK], "nextPageToken": None},
    "replayCallback": {**_CALLBACK, "state": "pending", "attempts": 0, "nextAttemptAt": _AT, "lastError": None},
    "getHealth": {"status": "ok", "connection": "sms"},
    "deleteTemplate": {},
    "deleteOptOut": {},
}
# Of a path's parameters.
PARAMETERS = {
    "message_id": _MESSAGE_ID,
    "campaign_id": _CAMPAIGN_ID,
    "callback_id": _CALLBACK["id"],
    "number": _TO,
    "template": "order-shipped",
}
PROBLEM = {
    "error": {
        "code": 400,
        "status": "INVALID_ARGUMENT",
        "message": "records[3].to: '0123' is not a phone number in E.164 form; write + and the country code",
        "details": [{"field": "records[3].to", "kind": "INVALID_RECIPIENT"}],
    }
}
