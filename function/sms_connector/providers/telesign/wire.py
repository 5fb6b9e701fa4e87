"""Telesign's wire: forms out, JSON documents in. Only this module and `webhooks` know its field names.

Source: Telesign's OpenAPI document "Engage API" (developer.telesign.com/enterprise/reference/sms). Its answers,
refusals included, are one envelope; the code in it counts, not only the HTTP status.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import msgspec

from sms_connector.errors import NotSent, OutcomeUnknown, ProviderRefused
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.message import OutboundMessage
from sms_connector.provider import SendReceipt
from sms_connector.providers.common import decode, not_from_provider, read_time
from sms_connector.providers.telesign.statuses import CODES, delivery_failure, refusal, to_status
from sms_connector.transport.http import HttpResponse, Verdict

PATH = "/v1/messaging"
REFERENCE_ID = re.compile(r"[0-9A-Fa-f]{32}")
NO_REFERENCE = "0" * 32
# 11016 refuses what is longer or not ASCII; ours are not.
OUR_ID = re.compile(r"msg_[0-9a-z]{1,64}")
NUMBER = re.compile(r"\+[0-9]{7,15}")


class StatusDocument(msgspec.Struct, frozen=True):
    """The status in every envelope."""

    code: int | str
    description: str | None = None
    updated_on: str | None = None


class AdditionalInfo(msgspec.Struct, frozen=True):
    """What Telesign adds where the feature is enabled for the account."""

    message_parts_count: Any = None


class Envelope(msgspec.Struct, frozen=True):
    """Every answer and every report."""

    status: StatusDocument
    reference_id: str | None = None
    external_id: Any = None
    additional_info: AdditionalInfo | None = None


ENVELOPE = msgspec.json.Decoder(Envelope)


def send_form(message: OutboundMessage, message_type: str) -> bytes:
    """Return the form that sends the message. Numbers have no plus at Telesign."""
    fields = [
        ("phone_number", without_plus(message.to)),
        ("message", message.text),
        ("message_type", message_type),
        ("sender_id", without_plus(message.sender)),
        ("external_id", message.id),
    ]
    if message.callback_url:
        fields.append(("callback_url", message.callback_url))
    return urlencode(fields).encode("ascii")


def without_plus(address: str) -> str:
    return address[1:] if NUMBER.fullmatch(address) else address


def with_plus(number: str) -> str:
    """Return a number in E.164 form; a short code or a name as it is."""
    return f"+{number}" if number.isascii() and number.isdecimal() and 7 <= len(number) <= 15 else number


def read_outcome(response: HttpResponse) -> SendReceipt | FailureReason:
    """Return what the answer to a send says. Raises OutcomeUnknown and NotSent."""
    envelope = decode(ENVELOPE, response.body)
    if 200 <= response.status < 300:
        if envelope is None or not REFERENCE_ID.fullmatch(envelope.reference_id or ""):
            raise OutcomeUnknown(f"Telesign answered {response.status} without a reference_id of 32 hex digits")
        report = read_report(envelope)
        return SendReceipt(report.provider_message_id, report.status, report.raw_status, failure=report.failure)
    if response.status < 400 or envelope is None:
        raise not_from_provider("Telesign", response, repeatable=False)
    code, description = envelope.status.code, envelope.status.description or ""
    meaning = refusal(code, description, response.status)
    return FailureReason("provider", meaning.kind, description or meaning.title, code, retry=meaning.retry)


def read_query(response: HttpResponse) -> Envelope:
    """Return the answer to a query. Raises ProviderRefused for Telesign's refusal, else NotSent."""
    envelope = decode(ENVELOPE, response.body)
    if 200 <= response.status < 300:
        if envelope is None:
            raise NotSent(f"Telesign answered {response.status} with a body that can't be read")
        return envelope
    if response.status < 400 or envelope is None:
        raise not_from_provider("Telesign", response, repeatable=True)
    code, description = envelope.status.code, envelope.status.description or ""
    meaning = refusal(code, description, response.status)
    raise ProviderRefused(description or meaning.title, kind=meaning.kind, code=code, status=response.status)


def read_report(envelope: Envelope, asked: str = "") -> DeliveryReport:
    """Return the report in an envelope; an answer without an id is about the message that was `asked` for."""
    code, description = envelope.status.code, envelope.status.description or ""
    external_id = envelope.external_id
    parts = envelope.additional_info.message_parts_count if envelope.additional_info else None
    return DeliveryReport(
        envelope.reference_id or asked,
        to_status(code),
        str(code),
        failure=delivery_failure(code, description),
        message_id=external_id if isinstance(external_id, str) and OUR_ID.fullmatch(external_id) else None,
        segments=parts if isinstance(parts, int) and parts > 0 else None,
        updated_at=read_time(envelope.status.updated_on),
    )


def read_provider_error(response: HttpResponse) -> Verdict | None:
    """Return the verdict of Telesign's own error in a 429: 10019 passes, a hard cap (10020) does not. A 5xx leaves open
    what was done."""
    envelope = decode(ENVELOPE, response.body) if response.status == 429 else None
    if envelope is None or envelope.status.code not in CODES:
        return None
    return Verdict.LATER if envelope.status.code == 10019 else Verdict.FINAL
