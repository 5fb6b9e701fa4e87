"""Twilio's callbacks: their signature and their content.

Signature (https://www.twilio.com/docs/usage/webhooks/webhooks-security): base64 of an HMAC over the full URL, followed
for a form by every name and value in order of the names. For any other body the URL carries `bodySHA256`, its digest.
Callbacks (https://www.twilio.com/docs/messaging/guides/track-outbound-message-status) and incoming messages
(https://www.twilio.com/docs/messaging/guides/webhook-request) gain parameters without notice: any are accepted.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import msgspec

from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.inbound_message import InboundMessage, Keyword
from sms_connector.provider import RawCallback
from sms_connector.providers.twilio.statuses import delivery_failure, to_status
from sms_connector.providers.twilio.wire import CALLBACK_OPTIONS

SIGNATURE = "x-twilio-signature"
SIGNATURE_SETTINGS = "x-twilio-webhooks-signature-settings"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
HEADERS: tuple[str, ...] = ("content-type", "x-twilio-", "i-twilio-")

# By the settings header; without it, or without `algorithm=` in it, the first one.
# https://www.twilio.com/docs/usage/webhooks/webhook-settings and twilio-python 9.13, twilio/request_validator.py
_ALGORITHMS: Mapping[str, Callable[..., Any]] = {"HMAC_SHA1": hashlib.sha1, "HMAC_SHA256": hashlib.sha256}

# Only with Advanced Opt-Out on a messaging service; else the word itself has to be read.
# https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out
_OPT_OUT_TYPES = {"STOP": Keyword.STOP, "START": Keyword.START, "HELP": Keyword.HELP}

# An incoming message has at most ten attachments; NumMedia says how many, and is not needed to find them.
_MEDIA_NAMES = tuple(f"MediaUrl{index}" for index in range(10))

# What XML 1.0 has no way to hold, even escaped. (Its complement, in one class, takes 5 ms to compile at each start.)
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]|[\ud800-\udfff]|[\ufffe\uffff]")


# --- the signature ----------------------------------------------------------------------------------------------------


def is_signed(callback: RawCallback, secrets: Sequence[str]) -> bool:
    """Return whether any of the secrets signed it. Every candidate is computed and compared, in constant time."""
    given = _header(callback, SIGNATURE).encode("utf-8", "replace")
    algorithm = _ALGORITHMS.get(_algorithm(_header(callback, SIGNATURE_SETTINGS)))
    content = _signed_content(callback)
    if not given or algorithm is None or content is None:
        return False
    candidates = [
        b64encode(hmac.new(secret.encode(), (url + content).encode(), algorithm).digest())
        for secret in secrets
        for url in _spellings(callback.url)
    ]
    return any([hmac.compare_digest(candidate, given) for candidate in candidates])  # noqa: C419 - compares them all


def _algorithm(settings: str) -> str:
    """Read the algorithm in `key=<id>,algorithm=<name>`."""
    pairs = (part.partition("=") for part in settings.split(","))
    named = [value.strip().upper() for name, _, value in pairs if name.strip() == "algorithm" and value.strip()]
    return named[0] if named else "HMAC_SHA1"


def _signed_content(callback: RawCallback) -> str | None:
    """Return what follows the URL in the signed text; None where the body is not the one the URL vouches for."""
    if callback.method == "GET" or not callback.body:
        return ""
    if _media_type(callback) == FORM:
        # Blank values count; a name that comes twice counts once for each distinct value.
        return "".join(name + value for name, value in sorted(set(_form(callback.body))))
    vouched = parse_qs(urlsplit(callback.url).query).get("bodySHA256", [""])[0]
    actual = hashlib.sha256(callback.body).hexdigest()
    return "" if hmac.compare_digest(actual.encode(), vouched.encode("utf-8", "replace")) else None


def _spellings(url: str) -> list[str]:
    """Return the ways Twilio may have spelt our URL: with the port or without ("sig generation on back end is
    inconsistent", says its library), and without the fragment of delivery options or, which no document rules out, with
    it."""
    bare = url.partition("#")[0]
    parts = urlsplit(bare)
    default = ":443" if parts.scheme == "https" else ":80"
    netloc = parts.netloc[: parts.netloc.rindex(":")] if parts.port else parts.netloc + default
    other = f"{parts.scheme}://{netloc}{bare[len(parts.scheme) + 3 + len(parts.netloc) :]}"
    return [bare, other, bare + CALLBACK_OPTIONS, other + CALLBACK_OPTIONS]


# --- the content ------------------------------------------------------------------------------------------------------


def read_status(callback: RawCallback) -> DeliveryReport:
    """Return the status in a verified callback. Raises InvalidRequest naming what is missing."""
    values = _values(callback)
    sid, raw_status = _required(values, ("MessageSid", "SmsSid"), ("MessageStatus", "SmsStatus"))
    status = to_status(raw_status)
    return DeliveryReport(
        sid,
        status,
        raw_status,
        failure=delivery_failure(status, values.get("ErrorCode"), values.get("ErrorMessage")),
        to=values.get("To") or None,
        sender=values.get("From") or values.get("MessagingServiceSid") or None,
        updated_at=callback.received_at,
    )


def read_message(callback: RawCallback) -> InboundMessage:
    """Return the message in a verified callback. Raises InvalidRequest naming what is missing."""
    values = _values(callback)
    sid, sender, to = _required(values, ("MessageSid", "SmsSid"), ("From",), ("To",))
    return InboundMessage(
        sid,
        sender,
        to,
        text=values.get("Body", ""),
        received_at=callback.received_at,
        media_urls=tuple(values[name] for name in _MEDIA_NAMES if values.get(name)),
        keyword=_OPT_OUT_TYPES.get(values.get("OptOutType", "").upper()),
        in_reply_to=values.get("OriginalRepliedMessageSid") or None,  # WhatsApp: the message that was replied to
    )


def _values(callback: RawCallback) -> dict[str, str]:
    """Read the parameters from the query of a GET, from a form, or from a JSON object (signed by `bodySHA256`)."""
    if callback.method == "GET":
        return dict(parse_qsl(urlsplit(callback.url).query, keep_blank_values=True))
    if _media_type(callback) != JSON:
        return dict(_form(callback.body))
    try:
        document = msgspec.json.decode(callback.body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest(FieldProblem("", "the body is not a JSON object of named parameters")) from None
    return {name: str(value) for name, value in document.items() if isinstance(value, str | int | float)}


def _header(callback: RawCallback, wanted: str) -> str:
    return next((value for name, value in callback.headers.items() if name.lower() == wanted), "")


def _media_type(callback: RawCallback) -> str:
    return _header(callback, "content-type").partition(";")[0].strip().lower()


def _form(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)


def _required(values: Mapping[str, str], *alternatives: tuple[str, ...]) -> list[str]:
    found = [next((values[name] for name in names if values.get(name)), "") for names in alternatives]
    missing = [names[0] for names, value in zip(alternatives, found, strict=True) if not value]
    if missing:
        raise InvalidRequest(
            *(FieldProblem(name, "is missing; this is not a callback of Twilio's") for name in missing)
        )
    return found


# --- our answer -------------------------------------------------------------------------------------------------------

TWIML = "text/xml; charset=utf-8"


def twiml_reply(text: str | None = None) -> bytes:
    """Return the answer to an incoming message (content type `TWIML`), which sends `text` back, or nothing.

    https://www.twilio.com/docs/messaging/twiml
    """
    message = f"<Message>{escape(_NOT_XML.sub('', text), quote=False)}</Message>" if text else ""
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>'.encode()
