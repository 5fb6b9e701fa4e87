"""The create request: read, and refused with Telesign's codes. The order of the checks is UNVERIFIED."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from sandbox.telesign import numbers
from sandbox.telesign.codes import TelesignError
from sandbox.wire import Request

MAX_MESSAGE, MAX_SENDER, MAX_EXTERNAL_ID, MAX_DLT = 1600, 20, 100, 40
MESSAGE_TYPES = frozenset({"ARN", "MKT", "OTP"})
LIFECYCLE_EVENTS = frozenset({"create", "sign-in", "transact", "update", "delete"})
PHONE_NUMBER = re.compile(r"\d{7,15}")
ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[\x20-\x7e]{1,20}")


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that may be sent."""

    to: str
    sender: str
    body: str
    message_type: str
    external_id: str | None
    callback_url: str | None


def read_draft(request: Request, senders: Collection[str]) -> Draft:
    """Raises TelesignError with the first thing that is wrong. `senders`: the numbers that Telesign allows the account."""
    form = dict(request.form_pairs())
    for name, code in (("phone_number", 12000), ("message", 12009), ("message_type", 12017)):
        if not form.get(name):
            raise TelesignError(code)
    to = form["phone_number"]
    _refuse_if(not PHONE_NUMBER.fullmatch(to), 11000)
    _refuse_if(to.startswith("0"), 11001)
    _refuse_if(len(form["message"]) > MAX_MESSAGE, 11009)
    _refuse_if(form["message_type"] not in MESSAGE_TYPES, 11017)
    _refuse_if(form.get("account_lifecycle_event", "create") not in LIFECYCLE_EVENTS, 11003)
    _refuse_if("callback_url" in form and not _is_web_address(form["callback_url"]), 11004)
    _refuse_if("originating_ip" in form and not _is_ip(form["originating_ip"]), 11010)
    _refuse_if("sender_id" in form and not _is_allowed(form["sender_id"], senders), 11013)
    external_id = form.get("external_id")
    _refuse_if(external_id is not None and (len(external_id) > MAX_EXTERNAL_ID or not external_id.isascii()), 11016)
    _refuse_if(len(form.get("dlt_template_id", "")) > MAX_DLT, 11034)
    _refuse_if(len(form.get("dlt_entity_id", "")) > MAX_DLT, 11035)
    if to in numbers.REFUSED_RECIPIENTS:
        raise TelesignError(numbers.REFUSED_RECIPIENTS[to], value=to)
    return Draft(
        to=to,
        sender=form.get("sender_id", ""),
        body=form["message"],
        message_type=form["message_type"],
        external_id=external_id,
        callback_url=form.get("callback_url"),
    )


def _refuse_if(wrong: bool, code: int) -> None:
    if wrong:
        raise TelesignError(code)


def _is_allowed(sender: str, senders: Collection[str]) -> bool:
    """Numbers have to be the account's; any alphanumeric sender counts as allowed by Telesign."""
    if len(sender) > MAX_SENDER or sender in numbers.REFUSED_SENDERS:
        return False
    return sender in senders or bool(ALPHANUMERIC.fullmatch(sender))


def _is_web_address(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("http", "https") and bool(urlsplit(url).hostname)
    except ValueError:
        return False


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
