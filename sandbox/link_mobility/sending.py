"""Requests to send, read and checked: `POST /sms/send` and `POST /sms/sendbatch`.

A message of a batch that can't be sent has its result code in the answer's array. How a single one is refused is not
documented: here with 400 and the code in an ErrorResponse (UNVERIFIED).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.link_mobility import numbers
from sandbox.link_mobility.accounts import NUMBERS, PARTNER_ID, PLATFORM_ID, Account
from sandbox.link_mobility.codes import LinkError
from sandbox.segments import segment_count
from sandbox.wire import JSON_TYPE, Request

MAX_BATCH = 1000
MAX_SEGMENTS = 254
TWO_DAYS_IN_MILLIS = 172_800_000
SCHEDULE_SECONDS = 92 * 86_400  # "at most 3 months in the future"
CODINGS = ("GSM", "BINARY", "UCS2", "TEXT")
HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What holds for all messages of a call. `silent`: no answer is wanted (204)."""

    gates: tuple[str, ...]
    validity_seconds: float
    silent: bool
    custom: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that may be sent. `start`: when, in epoch seconds."""

    to: str
    sender: str
    body: str
    ref_id: str | None
    parts: int
    start: float
    counted: bool


def read_body(request: Request) -> Mapping[str, Any]:
    if not request.headers.get("Content-Type", "").startswith(JSON_TYPE):
        raise LinkError(106000)
    try:
        document = json.loads(request.body)
    except ValueError:
        raise LinkError(106000) from None
    if not isinstance(document, dict):
        raise LinkError(106000)
    return document


def read_envelope(account: Account, document: Mapping[str, Any]) -> Envelope:
    if document.get("platformId") != PLATFORM_ID:
        raise LinkError(106200)
    if document.get("platformPartnerId") != PARTNER_ID:
        raise LinkError(106201)
    return Envelope(
        gates=_gates(account, document),
        validity_seconds=_validity(document),
        # The PDF says that `ignoreResponse` is true by default; its own example, and clients in use that leave it out
        # (https://github.com/digitalcreations/sms_link), are answered with a body.
        silent=document.get("ignoreResponse") is True,
        custom=_custom(document),
    )


def read_batch(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    items = document.get("sendRequestMessages")
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_BATCH:
        raise LinkError(106000)
    if not all(isinstance(item, dict) for item in items):
        raise LinkError(106000)
    return items


def read_draft(item: Mapping[str, Any], envelope: Envelope, *, now: float) -> Draft | int:
    """Return the message, or the result code it is refused with."""
    custom = {**_custom(item), **envelope.custom}
    if (code := _problem(item)) is not None:
        return code
    body = str(item["userData"])
    return Draft(
        to=str(item["destination"]),
        sender=str(item["source"]),
        body=body,
        ref_id=item.get("refId"),
        parts=1 if item.get("dcs") == "BINARY" else segment_count(body),
        start=_scheduled(custom, now),
        counted=str(custom.get("replySmsCount", "")).lower() == "true",
    )


def _problem(item: Mapping[str, Any]) -> int | None:
    for check in (_source_problem, _destination_problem, _content_problem):
        if (code := check(item)) is not None:
            return code
    return numbers.refused_with(str(item["destination"]))


def _source_problem(item: Mapping[str, Any]) -> int | None:
    source = item.get("source")
    if not isinstance(source, str) or not source:
        return 2000
    forms = {"ALPHANUMERIC": numbers.ALPHANUMERIC, "SHORTNUMBER": numbers.SHORT_NUMBER, "MSISDN": numbers.E164}
    form = forms.get(str(item.get("sourceTON", "ALPHANUMERIC")))
    if form is None or not form.fullmatch(source):
        return 2000
    # An account sends from its own numbers, and from any name.
    return 2000 if form is not numbers.ALPHANUMERIC and source not in NUMBERS else None


def _destination_problem(item: Mapping[str, Any]) -> int | None:
    kind = item.get("destinationTON", "MSISDN")
    if kind in ("SHORTNUMBER", "ALPHANUMERIC"):
        return 2100 if kind == "SHORTNUMBER" else 2101
    destination = item.get("destination")
    return None if isinstance(destination, str) and numbers.E164.fullmatch(destination) else 2106


def _content_problem(item: Mapping[str, Any]) -> int | None:
    data, coding = item.get("userData"), item.get("dcs", "TEXT")
    if coding not in CODINGS:
        return 4005
    if not isinstance(data, str) or not data or (coding == "BINARY" and not HEX.fullmatch(data)):
        return 4003
    # "Unicode 4-byte characters are not supported"; with which code they are refused is UNVERIFIED.
    if any(ord(character) > 0xFFFF for character in data) or segment_count(data) > MAX_SEGMENTS:
        return 4003
    return None


def _gates(account: Account, document: Mapping[str, Any]) -> tuple[str, ...]:
    if document.get("useDeliveryReport", True) is not True:
        return ()
    gates = document.get("deliveryReportGates") or []
    if not gates:
        raise LinkError(106300)
    if not isinstance(gates, list) or not all(isinstance(gate, str) and gate in account.gates for gate in gates):
        raise LinkError(106301)
    return tuple(gates)


def _custom(document: Mapping[str, Any]) -> Mapping[str, Any]:
    custom = document.get("customParameters")
    return custom if isinstance(custom, dict) else {}


def _validity(document: Mapping[str, Any]) -> float:
    """Read the relative validity; the absolute one is not simulated."""
    millis = document.get("relativeValidityTime", TWO_DAYS_IN_MILLIS)
    if not isinstance(millis, int) or not 0 < millis <= TWO_DAYS_IN_MILLIS:
        raise LinkError(106000)
    return millis / 1000


def _scheduled(custom: Mapping[str, Any], now: float) -> float:
    given = custom.get("scheduledTime")
    if given is None:
        return now
    try:
        moment = datetime.fromisoformat(str(given)).timestamp()
    except ValueError:
        raise LinkError(106000) from None
    if moment > now + SCHEDULE_SECONDS:
        raise LinkError(106000)
    return max(moment, now)
