"""What Telesign posts: delivery reports and inbound messages.

The OpenAPI document "Engage Callbacks" (developer.telesign.com/enterprise/openapi/engage-callbacks.json) and
developer.telesign.com/enterprise/docs/inbound-sms-get-started, …/inbound-sms-action-to-keyword-mapping.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.callbacks import Outcome, Webhook
from sandbox.telesign.authentication import sign
from sandbox.telesign.codes import describe
from sandbox.telesign.messages import Message

# Action to keywords; the whole text counts, in any case.
KEYWORDS: Mapping[str, frozenset[str]] = {
    "stop": frozenset({"arrêt", "arret", "cancel", "end", "quit", "stop", "unsubscribe"}),
    "help": frozenset({"aide", "contact", "help", "info"}),
    "start": frozenset({"start"}),
}


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Four attempts of five seconds each, repeated after anything but a 200. The documented pauses between them (5, 10 and 15
    seconds) are left out."""

    connect_seconds: float = 5.0
    read_seconds: float = 5.0
    total_seconds: float = 50.0
    retries: int = 3

    def retries_on(self, outcome: Outcome) -> bool:
        return outcome.status != 200


POLICY = RetryPolicy()


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs a callback with the key that is valid when it leaves."""

    customer_id: str
    api_key: Callable[[], str]

    def webhook(self, *, subject: str, label: str, url: str, document: Mapping[str, Any]) -> Webhook:
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

        def headers() -> Mapping[str, str]:
            # Both are always sent: …/docs/authenticate-callbacks.
            signature = f"TSA {self.customer_id}:{sign(self.api_key(), body)}"
            return {
                "Content-Type": "application/json",
                "Authorization": signature,
                "X-TS-Authorization": signature,
                "User-Agent": "TeleSign",
            }

        return Webhook(subject, label, "POST", url, (), headers, POLICY, body=body)


def report(message: Message, code: int, *, at: float) -> dict[str, Any]:
    return {
        "reference_id": message.reference_id,
        "sub_resource": "sms",
        "status": {"code": code, "description": describe(code), "updated_on": timestamp(at)},
        "submit_timestamp": timestamp(message.accepted_at),
        "errors": [],
        "external_id": message.external_id,
        "additional_info": {"message_parts_count": message.parts},
    }


def inbound(message: Message, action: str | None) -> dict[str, Any]:
    """`action` is None where keyword handling is off."""
    moment = timestamp(message.accepted_at)
    response = {"phone_number": message.sender, "sender_id": message.to, "mo_message": message.body}
    if action is not None:
        response |= {"action": action, "keyword": "" if action == "generic" else message.body.strip().lower()}
    return {
        "reference_id": message.reference_id,
        "sub_resource": "mo_sms",
        "status": {"code": 1500, "description": describe(1500), "updated_on": moment},
        "submit_timestamp": moment,
        "errors": [],
        "user_response": response,
    }


def action_of(body: str) -> str:
    word = body.strip().lower()
    return next((action for action, words in KEYWORDS.items() if word in words), "generic")


def timestamp(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
