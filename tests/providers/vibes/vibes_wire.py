"""Vibes' answers and callbacks, written from its developer pages, not from our code."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from sms_connector.provider import RawCallback
from sms_connector.transport.http import HttpResponse

SECRETS = {"username": "demoUser", "password": "demoPass"}
AUTHORIZATION = "Basic ZGVtb1VzZXI6ZGVtb1Bhc3M="
BASE = "https://messageapi.vibesapps.com/MessageApi/mt"
NOW = datetime(2026, 7, 6, 12, 0, 0, tzinfo=UTC)
XML = {"content-type": "text/xml;charset=UTF-8"}
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
RECIPIENT, SENDER = "+15558675310", "98765"
STATUS = "https://sms.example.com/webhooks/vibes/status/0123456789abcdef?m=msg_1&d=0123456789abcdef"
INBOUND = "https://sms.example.com/webhooks/vibes/inbound/0123456789abcdef"


def message_id(number: int) -> str:
    return f"b75fccf3-8f06-4d8f-a282-{number:012x}"


def answer(text: str, status: int = 200) -> HttpResponse:
    return HttpResponse(status, XML, (HEAD + text).encode())


def accepted(vibes_id: str) -> HttpResponse:
    """The page's own example."""
    return answer(
        f'<mtMessageRsp messageId="{vibes_id}" submitterMessageId="239487234987234" carrier="102" '
        'splitLongMessage="true"/>'
    )


def bundled() -> HttpResponse:
    return answer(f'<mtMessageBundleRsp bundleId="{message_id(999)}" submitterBundleId="msg_0"/>')


def taken(ids: Sequence[str]) -> HttpResponse:
    return accepted(ids[0]) if len(ids) == 1 else bundled()


def status_xml(*, error: bool = False, internal: object = None, carrier: object = None, text: str = "said so") -> str:
    codes = "" if carrier is None else f"<errorCode>{carrier}</errorCode>"
    codes += "" if internal is None else f"<internalErrorCode>{internal}</internalErrorCode>"
    return f'<status isError="{str(error).lower()}"><description>{escape(text)}</description>{codes}</status>'


def refused(internal: int | None, text: str) -> HttpResponse:
    return answer(f"<mtMessageRsp>{status_xml(error=True, internal=internal, text=text)}</mtMessageRsp>")


def receipt(
    vibes_id: str, stage: str, status: str = "", *, ours: str | None = None, part: tuple[str, int, int] | None = None
) -> str:
    """As the page shows it; `part` is the original's id, the part's number and how many there are."""
    reference = "" if ours is None else f' submitterMessageId="{ours}"'
    parts = ""
    if part is not None:
        original, number, count = part
        parts = (
            f'<multipart isMultipart="true" originalMessageId="{original}" noOfParts="{count}" partNumber="{number}"/>'
        )
    return (
        f'<mtMessageResponse messageId="{vibes_id}"{reference} receiptDate="2026-07-06T12:00:00.000+00:00">'
        f"{parts}<type>{stage}</type>{status or status_xml()}</mtMessageResponse>"
    )


def worded(vibes_id: str, word: str) -> str:
    """A receipt by its word: the stage, and whether it is an error."""
    stage, _, error = word.partition(" ")
    return receipt(vibes_id, stage, status_xml(error=bool(error)))


def receipts(*each: str) -> HttpResponse:
    return answer(f"<mtMessageResponses>{''.join(each)}</mtMessageResponses>")


def inbound(sender: str, text: str, *, to: str = SENDER, vibes_id: str = "mo-1") -> str:
    return (
        f'<moMessage messageId="{vibes_id}" receiptDate="2026-07-06T12:00:00.000+00:00" attemptNumber="1">'
        f'<source address="{sender}" carrier="103" type="MDN"/><destination address="{to}" type="SC"/>'
        f"<message>{escape(text)}</message></moMessage>"
    )


def callback(url: str, text: str) -> RawCallback:
    return RawCallback("POST", url, XML, (HEAD + text).encode(), NOW)
