"""Vibes' wire: XML out and in. Pure functions; only this module and `webhooks` know Vibes' element names.

https://developer-aggregation.vibes.com/reference/send-an-sms-message; bundles:
https://developer.vibes.com/pages/viewpage.action?pageId=26869776

    | answer                                   | means                                                             |
    |------------------------------------------|-------------------------------------------------------------------|
    | 200, XML with a messageId, or a bundleId | taken; of a bundle the receipts tell the messages' ids            |
    | 200, XML that says isError="true"        | refused, the whole call                                           |
    | any other 2xx                            | outcome unknown: something took it                                |
    | 401                                      | refused: user name or password                                    |
    | other 4xx                                | a server on the way: not sent, or unknown (`not_from_provider`)   |

"If the server responds with an HTTP Server code of anything other than 200, then there was a system error". What the
XML of a failure looks like is in no document: an error is taken as receipts tell theirs, anything else without an id is
unknown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

from sms_connector.errors import ErrorKind, OutcomeUnknown, RetrySafety
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.provider import SendOutcome, SendReceipt
from sms_connector.providers.vibes.statuses import ACCEPTED, refusal
from sms_connector.providers.vibes.xml_reader import NotXmlError, parse
from sms_connector.transport.http import HttpResponse

# What XML 1.0 has no way to hold, even escaped.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]|[\ud800-\udfff]|[\ufffe\uffff]")
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


# --- out --------------------------------------------------------------------------------------------------------------


def find_unsendable(message: OutboundMessage) -> FailureReason | None:
    """Return why a text can't be sent as XML."""
    if _NOT_XML.search(message.text) is None:
        return None
    text = "the text has a control character, which Vibes' XML can't hold: take it out"
    return FailureReason("connector", ErrorKind.INVALID_MESSAGE, text)


def send_body(messages: Sequence[OutboundMessage]) -> bytes:
    """Return one message (`mtMessage`), or several as a bundle."""
    items = "".join(map(_message, messages))
    if len(messages) > 1:
        items = f"<mtMessageBundle submitterBundleId={quoteattr(messages[0].id)}>{items}</mtMessageBundle>"
    return (_HEAD + items).encode()


def _message(message: OutboundMessage) -> str:
    # SC (short code) is the one type of source that is documented. https://developer-aggregation.vibes.com/reference/
    # version-31-features names long codes without their type's name: LC is UNVERIFIED.
    kind = "LC" if message.sender.startswith("+") else "SC"
    url = message.callback_url
    receipts = "" if url is None else f"<receiptOption callbackUrl={quoteattr(url)}>true</receiptOption>"
    # Without splitLongMessage a text of more than 160 characters is not split.
    return (
        f'<mtMessage submitterMessageId={quoteattr(message.id)} splitLongMessage="true">'
        f'<destination address={quoteattr(message.to)} type="MDN"/>'
        f'<source address={quoteattr(message.sender)} type="{kind}"/>'
        # A line end would be read as another one otherwise.
        f"<text>{escape(message.text, {chr(13): '&#13;'})}</text>{receipts}</mtMessage>"
    )


# --- in ---------------------------------------------------------------------------------------------------------------


def read_outcomes(response: HttpResponse, messages: Sequence[OutboundMessage]) -> Sequence[SendOutcome]:
    """Return the outcome of each message in a 2xx. Raises OutcomeUnknown where it can't be read."""
    try:
        root = parse(response.body)
    except NotXmlError as error:
        raise OutcomeUnknown(f"Vibes answered {response.status} with a body that can't be read: {error}") from None
    if (refused := _read_refusal(root)) is not None:
        return [refused] * len(messages)
    message_id = root.get("messageId")
    if len(messages) == 1 and message_id:
        return [SendReceipt(message_id, MessageStatus.ACCEPTED, ACCEPTED)]
    if len(messages) > 1 and _has_bundle_id(root):
        return [SendReceipt("", MessageStatus.ACCEPTED, ACCEPTED)] * len(messages)
    raise OutcomeUnknown(f"Vibes answered {response.status} without an id")


def unauthorized() -> FailureReason:
    return FailureReason(
        "provider", ErrorKind.AUTHENTICATION, "the user name or the password is wrong", 401, retry=RetrySafety.SAFE
    )


def _read_refusal(root: Element) -> FailureReason | None:
    wrong = next((each for each in root.iter() if each.get("isError") == "true"), None)
    if wrong is None:
        return None
    code = to_code(wrong.findtext("internalErrorCode")) or to_code(wrong.findtext("errorCode"))
    return refusal(code, wrong.findtext("description") or "refused without a reason")


def _has_bundle_id(root: Element) -> bool:
    """A bundle's answer has "the assigned bundleId"; whether as an attribute or an element is not said."""
    return bool(root.get("bundleId") or root.findtext("bundleId"))


def to_code(text: str | None) -> int | None:
    digits = (text or "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
