"""Messages, and what Vibes posts about them: receipts, and inbound messages.

Receipts: https://developer-aggregation.vibes.com/reference/callbacks. Each part of a long message is a message of its
own with an id of its own, and refers to the original ("individually recorded, tracked, and billed",
https://developer-aggregation.vibes.com/reference/version-31-features); the first part's id is the original's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from sandbox.vibes.codes import CARRIER, INTERNAL
from sandbox.vibes.numbers import AT_CARRIER, HANDSET, SYSTEM, Outcome

XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
XML_TYPE = "text/xml;charset=UTF-8"
FRACTIONS = {SYSTEM: 0.25, AT_CARRIER: 0.5, HANDSET: 1.0}
SAID = {
    AT_CARRIER: "MtMessage successfully delivered to Carrier",
    HANDSET: "MtMessage successfully delivered to the Handset",
}
# What a message is, by its furthest receipt.
REACHED = {SYSTEM: "queued", AT_CARRIER: "sent", HANDSET: "delivered"}
FAILED = {SYSTEM: "failed", AT_CARRIER: "failed", HANDSET: "undelivered"}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one part at one stage; `code` None is a success."""

    part: int
    stage: str
    code: int | None = None

    @property
    def fraction(self) -> float:
        return FRACTIONS[self.stage]


@dataclass(slots=True)
class Message:
    """One message with the ids of its parts; its delivery begins at `accepted_at` and takes `span` seconds."""

    ids: tuple[str, ...]
    sequence: int
    direction: str
    to: str
    sender: str
    body: str
    accepted_at: float
    span: float
    reference: str | None = None
    receipts: Sequence[Receipt] = ()
    bundle: str | None = None

    def due(self, receipt: Receipt) -> float:
        return self.accepted_at + receipt.fraction * self.span

    def received(self, now: float) -> Iterator[Receipt]:
        """Yield the receipts there are by now, oldest first."""
        reached = (now - self.accepted_at) / self.span if self.span > 0 else math.inf
        return (receipt for receipt in self.receipts if receipt.fraction <= reached)

    def witness(self, now: float) -> dict[str, Any]:
        """Return the message as the simulator itself knows it."""
        status, code = ("received", None) if self.direction == "inbound" else self._state(list(self.received(now)))
        return {
            "sequence": self.sequence,
            "id": self.ids[0],
            "partIds": list(self.ids),
            "reference": self.reference,
            "direction": self.direction,
            "to": self.to,
            "from": self.sender,
            "body": self.body,
            "status": status,
            "errorCode": code,
            "parts": len(self.ids),
            "acceptedAt": self.accepted_at,
            "bundle": self.bundle,
        }

    def _state(self, receipts: Sequence[Receipt]) -> tuple[str, int | None]:
        """A failure of any part, else what the slowest part has reached."""
        failed = next((receipt for receipt in receipts if receipt.code is not None), None)
        if failed is not None:
            return FAILED[failed.stage], failed.code
        furthest = {receipt.part: receipt.stage for receipt in receipts}
        if len(furthest) < len(self.ids):
            return "queued", None
        return REACHED[min(furthest.values(), key=FRACTIONS.__getitem__)], None


def receipts_for(outcome: Outcome, parts: int) -> tuple[Receipt, ...]:
    """Return the receipts of a message with this outcome, in order of time."""
    receipts = []
    for part in range(parts):
        code = outcome.last_part if outcome.last_part is not None and part == parts - 1 else outcome.code
        if outcome.stage == HANDSET:
            receipts.append(Receipt(part, AT_CARRIER))
        if outcome.stage is not None:
            receipts.append(Receipt(part, outcome.stage, code))
    return tuple(sorted(receipts, key=lambda receipt: receipt.fraction))


def receipt_xml(message: Message, receipt: Receipt) -> str:
    parts = len(message.ids)
    attributes = _attributes(
        messageId=message.ids[receipt.part],
        submitterMessageId=message.reference,
        receiptDate=xml_date(message.due(receipt)),
    )
    multipart = _attributes(
        isMultipart="true", originalMessageId=message.ids[0], noOfParts=str(parts), partNumber=str(receipt.part + 1)
    )
    # A receipt of a single message has no such element (seen in a recording of 2025).
    of_parts = f"<multipart{multipart}/>" if parts > 1 else ""
    return (
        f"<mtMessageResponse{attributes}>{of_parts}<type>{receipt.stage}</type>"
        f"{status_xml(receipt.stage, receipt.code)}</mtMessageResponse>"
    )


def status_xml(stage: str, code: int | None) -> str:
    if code is None:
        return f'<status isError="false"><description>{SAID[stage]}</description></status>'
    name, text = ("internalErrorCode", INTERNAL[code]) if stage == SYSTEM else ("errorCode", CARRIER[code])
    return f'<status isError="true"><description>{escape(text)}</description><{name}>{code}</{name}></status>'


def message_xml(message: Message) -> str:
    attributes = _attributes(
        messageId=message.ids[0],
        submitterMessageId=message.reference,
        submitDate=xml_date(message.accepted_at),
        isMultipart=str(len(message.ids) > 1).lower(),
        noOfParts=str(len(message.ids)),
    )
    return (
        f"<mtMessage{attributes}><destination{_attributes(address=message.to, type='MDN')}/>"
        f"<source{_attributes(address=message.sender, type='SC')}/><text>{escape(message.body)}</text></mtMessage>"
    )


def inbound_xml(message: Message) -> str:
    attributes = _attributes(messageId=message.ids[0], receiptDate=xml_date(message.accepted_at), attemptNumber="1")
    kind = "MDN" if message.to.startswith("+") else "SC"
    return (
        f"<moMessage{attributes}><source{_attributes(address=message.sender, carrier='103', type='MDN')}/>"
        f"<destination{_attributes(address=message.to, type=kind)}/>"
        f"<message>{escape(message.body)}</message></moMessage>"
    )


def accepted_xml(message: Message, *, split: bool) -> str:
    attributes = _attributes(
        messageId=message.ids[0],
        submitterMessageId=message.reference,
        carrier="102",
        splitLongMessage=str(split).lower(),
    )
    return f"<mtMessageRsp{attributes}/>"


def bundle_xml(bundle: str, submitter: str | None) -> str:
    """A bundle's answer "containing the assigned bundleId"; the element's name is UNVERIFIED."""
    return f"<mtMessageBundleRsp{_attributes(bundleId=bundle, submitterBundleId=submitter)}/>"


def failure_xml(tag: str, text: str, code: int | None, reference: str | None) -> str:
    """The XML "that indicates success or failure"; its form is UNVERIFIED, here a receipt's status."""
    number = "" if code is None else f"<internalErrorCode>{code}</internalErrorCode>"
    status = f'<status isError="true"><description>{escape(text)}</description>{number}</status>'
    return f"<{tag}{_attributes(submitterMessageId=reference)}>{status}</{tag}>"


def xml_date(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds")


def _attributes(**values: str | None) -> str:
    shown: Mapping[str, str] = {name: value for name, value in values.items() if value is not None}
    return "".join(f" {name}={quoteattr(value)}" for name, value in shown.items())
