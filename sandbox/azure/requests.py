"""What a send has to look like. A wrong request is refused whole; a wrong recipient only for itself."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.azure.authentication import http_epoch
from sandbox.azure.numbers import E164, INVALID, REFUSED_RECIPIENTS, Refusal

MOST_RECIPIENTS, MOST_CHARACTERS = 100, 2048
REPORT_TIMEOUT = range(60, 43_201)
# An example of the REST description.
BAD_DATE = (
    "Request sent with Invalid DateTime value for repeatability-first-sent. Expected is DateTime ,RFC1123 pattern."
)
Document = Mapping[str, Any]


class InvalidRequestError(Exception):
    """A request that is refused whole, 400; `errors`: texts by field, as a problem document names them."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__(errors)
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Recipient:
    """`request_id` and `first_sent` (epoch seconds): of a repeatable request, None where they are missing or wrong.
    `repeatable`: the request says that it is. `refusal`: why it can't be sent to."""

    to: str
    request_id: str | None
    first_sent: float | None
    repeatable: bool
    refusal: Refusal | None


@dataclass(frozen=True, slots=True)
class Send:
    """One valid call. `report_timeout`: seconds after which a report says so, None for the carrier's own time."""

    sender: str
    body: str
    recipients: tuple[Recipient, ...]
    reports: bool
    tag: str | None
    report_timeout: int | None


def read_send(body: bytes) -> Send:
    """Raises InvalidRequestError with every field that is wrong."""
    document = read_document(body)
    errors = dict(_errors(document))
    if errors:
        raise InvalidRequestError(errors)
    options = document.get("smsSendOptions") or {}
    return Send(
        sender=document["from"],
        body=document["message"],
        recipients=tuple(_recipient(row) for row in document["smsRecipients"]),
        reports=bool(options.get("enableDeliveryReport")),
        tag=options.get("tag"),
        report_timeout=options.get("deliveryReportTimeoutInSeconds"),
    )


def read_opt_outs(body: bytes) -> tuple[str, list[str]]:
    """Return sender and recipients of an opt-out call."""
    document = read_document(body)
    rows = document.get("recipients")
    if not _is_text(document.get("from")):
        raise InvalidRequestError({"From": ["The From field is required."]})
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_RECIPIENTS:
        raise InvalidRequestError({"Recipients": ["1 to 100 recipients are required."]})
    return document["from"], [str(row.get("to", "")) if isinstance(row, dict) else "" for row in rows]


def read_document(body: bytes) -> Document:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise InvalidRequestError({"$": [f"The input is not valid JSON: {error}"]}) from error
    if not isinstance(document, dict):
        raise InvalidRequestError({"$": ["A JSON object is required."]})
    return document


def _errors(document: Document) -> Iterator[tuple[str, list[str]]]:
    rows, text, options = document.get("smsRecipients"), document.get("message"), document.get("smsSendOptions")
    if not _is_text(document.get("from")):
        yield "From", ["The From field is required."]
    if not isinstance(text, str) or len(text) > MOST_CHARACTERS:
        yield "Message", ["The Message field is required, with at most 2048 characters."]
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_RECIPIENTS:
        yield "SmsRecipients", ["1 to 100 recipients are required."]
    elif not all(isinstance(row, dict) and _is_text(row.get("to")) for row in rows):
        yield "SmsRecipients", ["The To field is required."]
    if options is not None:
        yield from _option_errors(options)


def _option_errors(options: Any) -> Iterator[tuple[str, list[str]]]:
    if not isinstance(options, dict) or not isinstance(options.get("enableDeliveryReport"), bool):
        yield "SmsSendOptions.EnableDeliveryReport", ["The EnableDeliveryReport field is required."]
        return
    seconds = options.get("deliveryReportTimeoutInSeconds")
    if seconds is not None and (not isinstance(seconds, int) or seconds not in REPORT_TIMEOUT):
        yield "SmsSendOptions.DeliveryReportTimeoutInSeconds", ["The field must be between 60 and 43200."]
    if not isinstance(options.get("tag"), str | None):
        yield "SmsSendOptions.Tag", ["The field must be a string."]


def _recipient(row: Mapping[str, Any]) -> Recipient:
    to, given = row["to"], row.get("repeatabilityRequestId")
    refusal = REFUSED_RECIPIENTS.get(to) or (None if E164.fullmatch(to) else INVALID)
    first_sent = http_epoch(str(row.get("repeatabilityFirstSent", "")))
    return Recipient(to, _guid(given), first_sent, given is not None, refusal)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _guid(text: object) -> str | None:
    try:
        return str(uuid.UUID(text)) if isinstance(text, str) and len(text) == 36 else None
    except ValueError:
        return None
