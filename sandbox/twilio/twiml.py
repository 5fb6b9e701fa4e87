"""What a webhook of ours answers to an inbound message (twilio.com/docs/messaging/twiml)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree


class TwimlError(ValueError):
    """Not TwiML."""


@dataclass(frozen=True, slots=True)
class ReplyMessage:
    """A `<Message>`; `to` and `sender` are None for the way back."""

    body: str
    media_urls: tuple[str, ...]
    to: str | None
    sender: str | None
    callback_url: str | None


def parse_twiml(text: str) -> list[ReplyMessage]:
    """Return the messages of a `<Response>`; an empty answer has none. Raises TwimlError."""
    if not text.strip():
        return []
    try:
        root = ElementTree.fromstring(text.strip())  # noqa: S314 - from the tests' own server
    except ElementTree.ParseError as error:
        raise TwimlError(f"not XML: {error}") from error
    if root.tag != "Response":
        raise TwimlError(f"the document must be a <Response>, not a <{root.tag}>")
    return [_message(element) for element in root if element.tag in ("Message", "Sms")]


def _message(element: ElementTree.Element) -> ReplyMessage:
    bodies = list(_texts(element, "Body")) or [element.text or ""]
    return ReplyMessage(
        body="".join(bodies).strip(),
        media_urls=tuple(_texts(element, "Media")),
        to=element.get("to"),
        sender=element.get("from"),
        callback_url=element.get("statusCallback") or element.get("action"),
    )


def _texts(element: ElementTree.Element, tag: str) -> Iterator[str]:
    return (child.text or "" for child in element if child.tag == tag)
