"""What Vibes posts, and what it answers about a message: receipts, and inbound messages.

Receipts: https://developer-aggregation.vibes.com/reference/callbacks, one for each part of a long text and each stage;
of one message: https://developer-aggregation.vibes.com/reference/retrieve-message-responses. Inbound:
https://developer-aggregation.vibes.com/reference/receiving-messages. Vibes signs nothing; inbound messages alone may
come with HTTP Basic.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from msgspec.structs import replace

from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.inbound_message import InboundMessage
from sms_connector.model.phone_number import find_number
from sms_connector.model.status import MessageStatus, advance
from sms_connector.provider import RawCallback
from sms_connector.providers.common import echoed_id
from sms_connector.providers.vibes.statuses import ACCEPTED, receipt_failure, to_status
from sms_connector.providers.vibes.wire import to_code
from sms_connector.providers.vibes.xml_reader import NotXmlError, parse

HEADERS = ("authorization",)
# What a stranger who knows the address could put into the ledger is bounded.
_ID, _ADDRESS, _STAGE, _NUMBER = map(re.compile, ("[!-~]{1,255}", ".{1,64}", ".{1,40}", "[0-9]{1,3}"))
LONGEST_TEXT, LONGEST_REASON = 10_000, 500
RECEIPT, RECEIPTS, INBOUND = "mtMessageResponse", "mtMessageResponses", "moMessage"


def is_inbound(callback: RawCallback) -> bool:
    """Return whether it came to the address of inbound messages: `…/webhooks/vibes/inbound/{token}`."""
    return urlsplit(callback.url).path.split("/")[-2:-1] == ["inbound"]


def read_receipt(callback: RawCallback, *, carrier_receipts: bool) -> DeliveryReport:
    """Raises InvalidRequest for what is no receipt."""
    report = _read_receipt(_root(callback, RECEIPT), carrier_receipts=carrier_receipts, at=callback.received_at)
    if report is None:
        problem = "are missing or too long; this is no receipt of Vibes'"
        raise InvalidRequest(FieldProblem("messageId, type", problem))
    return report


def read_message(callback: RawCallback) -> InboundMessage:
    """Raises InvalidRequest for what is no inbound message."""
    root = _root(callback, INBOUND)
    source, destination = root.find("source"), root.find("destination")
    sender, to = ("" if each is None else each.get("address", "") for each in (source, destination))
    message_id, text = root.get("messageId", ""), root.findtext("message") or ""
    addressed = _ADDRESS.fullmatch(sender) and _ADDRESS.fullmatch(to)
    if not (_ID.fullmatch(message_id) and addressed and len(text) <= LONGEST_TEXT):
        problem = "are missing or too long; this is no inbound message of Vibes'"
        raise InvalidRequest(FieldProblem("messageId, source, destination, message", problem))
    return InboundMessage(
        message_id,
        find_number(sender) or sender,
        find_number(to) or to,
        text=text,
        received_at=callback.received_at,
    )


def read_receipts(body: bytes, message_id: str, *, carrier_receipts: bool) -> DeliveryReport | None:
    """Return what all receipts of a message say together: a failure of any part, else what the slowest part has
    reached. None where the body is no list of receipts."""
    try:
        root = parse(body)
    except NotXmlError:
        return None
    if root.tag != RECEIPTS:
        return None
    found = [_read_receipt(each, carrier_receipts=carrier_receipts) for each in root.iter(RECEIPT)]
    reports = [report for report in found if report is not None]
    chosen = _slowest(reports) or DeliveryReport(message_id, MessageStatus.ACCEPTED, ACCEPTED)
    return replace(chosen, provider_message_id=message_id, part=None, parts=None)


def _slowest(reports: Sequence[DeliveryReport]) -> DeliveryReport | None:
    by_part: dict[str | None, DeliveryReport] = {}
    for report in reports:
        known = by_part.get(report.part)
        if known is None or advance(known.status, report.status) is not known.status:
            by_part[report.part] = report
    failed = [report for report in by_part.values() if report.failure is not None]
    if not failed and len(by_part) < max((report.parts or 1 for report in reports), default=1):
        return None
    return next(iter(failed), min(by_part.values(), key=lambda report: report.status.rank))


def _read_receipt(element: Element, *, carrier_receipts: bool, at: datetime | None = None) -> DeliveryReport | None:
    message_id, stage = element.get("messageId", ""), (element.findtext("type") or "").strip()
    status, multipart = element.find("status"), element.find("multipart")
    part = None
    if multipart is not None and multipart.get("isMultipart") == "true":
        message_id, part = multipart.get("originalMessageId") or message_id, multipart.get("partNumber", "")
    if not (_ID.fullmatch(message_id) and _STAGE.fullmatch(stage) and (part is None or _NUMBER.fullmatch(part))):
        return None
    failure = None
    if status is not None and status.get("isError") == "true":
        internal, carrier = (to_code(status.findtext(name)) for name in ("internalErrorCode", "errorCode"))
        reason = (status.findtext("description") or "")[:LONGEST_REASON]
        failure = receipt_failure(stage, reason, internal=internal, carrier=carrier)
    return DeliveryReport(
        message_id,
        to_status(stage, is_error=failure is not None, carrier_receipts=carrier_receipts),
        stage if failure is None else f"{stage} error",
        failure=failure,
        message_id=echoed_id(element.get("submitterMessageId")),
        updated_at=at,
        part=part,
        parts=to_code(multipart.get("noOfParts")) if multipart is not None and part is not None else None,
    )


def _root(callback: RawCallback, tag: str) -> Element:
    try:
        root = parse(callback.body)
    except NotXmlError as error:
        raise InvalidRequest(FieldProblem("", f"the body is no XML that is read here: {error}")) from None
    if root.tag != tag:
        raise InvalidRequest(FieldProblem("", f"the body is no {tag} of Vibes'"))
    return root
