"""Twilio's response bodies, in the order and formats of its own answers."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from sandbox.twilio.accounts import Account, Key
from sandbox.twilio.exceptions import FAILURES
from sandbox.twilio.listing import shown_sender
from sandbox.twilio.models import Media, Message

VERSION = "2010-04-01"
PRICE_PER_SEGMENT = 0.0075


def account_path(sid: str) -> str:
    return f"/{VERSION}/Accounts/{sid}"


def message_path(message: Message) -> str:
    return f"{account_path(message.account_sid)}/Messages/{message.sid}"


def message_document(message: Message, now: float, *, created: bool = False) -> dict[str, Any]:
    """Return a message as it is `now`; `created`: as the answer to its own create request, however fast it was delivered."""
    status, since = (message.first_status(), message.accepted_at) if created else message.current(now)
    unassigned = message.service_sid is not None and status in ("accepted", "scheduled")
    sent_at = None if created else message.sent_at(now)
    code = message.error_code if status in ("failed", "undelivered") else None
    path = message_path(message)
    return {
        "body": message.body,
        "num_segments": "0" if unassigned else str(message.segments),
        "direction": message.direction,
        "from": None if unassigned else message.sender,
        "date_updated": rfc2822(max(since, message.redacted_at or since)),
        "price": None if sent_at is None else f"{-PRICE_PER_SEGMENT * message.segments:.5f}",
        "error_message": None if code is None else FAILURES[code].message,
        "uri": f"{path}.json",
        "account_sid": message.account_sid,
        "num_media": str(len(message.media)),
        "to": message.to,
        "date_created": rfc2822(message.accepted_at),
        "status": status,
        "sid": message.sid,
        "date_sent": None if sent_at is None else rfc2822(sent_at),
        "messaging_service_sid": message.service_sid,
        "error_code": code,
        "price_unit": "USD",
        "api_version": VERSION,
        "subresource_uris": {"media": f"{path}/Media.json"}
        | ({"feedback": f"{path}/Feedback.json"} if message.provide_feedback else {}),
    }


def media_document(message: Message, media: Media) -> dict[str, Any]:
    return {
        "account_sid": message.account_sid,
        "content_type": media.content_type,
        "date_created": rfc2822(message.accepted_at),
        "date_updated": rfc2822(message.accepted_at),
        "parent_sid": message.sid,
        "sid": media.sid,
        "uri": f"{message_path(message)}/Media/{media.sid}.json",
    }


def feedback_document(message: Message, outcome: str, *, now: float) -> dict[str, Any]:
    return {
        "account_sid": message.account_sid,
        "date_created": rfc2822(now),
        "date_updated": rfc2822(now),
        "message_sid": message.sid,
        "outcome": outcome,
        "uri": f"{message_path(message)}/Feedback.json",
    }


def account_document(account: Account) -> dict[str, Any]:
    path = account_path(account.sid)
    names = ("Balance", "Keys", "Messages")
    return {
        "auth_token": account.token,
        "date_created": rfc2822(account.created_at),
        "date_updated": rfc2822(account.created_at),
        "friendly_name": account.friendly_name,
        "owner_account_sid": account.owner_sid,
        "sid": account.sid,
        "status": account.status,
        "subresource_uris": {name.lower(): f"{path}/{name}.json" for name in names},
        "type": account.type,
        "uri": f"{path}.json",
    }


def balance_document(account: Account) -> dict[str, Any]:
    return {"account_sid": account.sid, "balance": account.balance, "currency": account.currency}


def key_document(key: Key, *, secret: bool = False) -> dict[str, Any]:
    """Return a key; its secret is shown once, in the answer to its creation."""
    document = {
        "sid": key.sid,
        "friendly_name": key.friendly_name,
        "date_created": rfc2822(key.created_at),
        "date_updated": rfc2822(key.created_at),
    }
    return document | {"secret": key.secret} if secret else document


def token_document(account: Account, now: float, *, promoted: bool) -> dict[str, Any]:
    """Of the accounts API, whose times are ISO 8601."""
    action, name = ("Promote", "auth_token") if promoted else ("Secondary", "secondary_auth_token")
    return {
        "account_sid": account.sid,
        "date_created": iso8601(now),
        "date_updated": iso8601(now),
        name: account.token if promoted else account.secondary_token,
        "url": f"https://accounts.twilio.com/v1/AuthTokens/{action}",
    }


def witness_document(message: Message, now: float) -> dict[str, Any]:
    """Return a message as the simulator itself knows it, for tests."""
    status, since = message.current(now)
    return {
        "sequence": message.sequence,
        "sid": message.sid,
        "accountSid": message.account_sid,
        "direction": message.direction,
        "to": message.to,
        "from": shown_sender(message, now) or message.sender,
        "body": message.body,
        "messagingServiceSid": message.service_sid,
        "status": status,
        "errorCode": message.error_code,
        "acceptedAt": message.accepted_at,
        "statusSince": since,
        "segments": message.segments,
        "mediaUrls": [media.url for media in message.media],
        "statusCallback": message.callback_url,
        "deleted": message.deleted_at is not None,
    }


def rfc2822(epoch: float) -> str:
    return _rfc2822(int(epoch))


@lru_cache(maxsize=4096)
def _rfc2822(epoch: int) -> str:
    # formatdate says "-0000" for a time without a zone; Twilio says "+0000".
    return f"{formatdate(epoch)[:-5]}+0000"


def iso8601(epoch: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
