"""Requests to send, read and checked: `mtMessage`, `mtMessageBundle`.

https://developer-aggregation.vibes.com/reference/send-an-sms-message and, for bundles,
https://developer.vibes.com/pages/viewpage.action?pageId=26869776
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from sandbox.segments import segment_count
from sandbox.vibes import numbers
from sandbox.vibes.codes import INTERNAL, INVALID_DESTINATION, NO_LEASE, Failure

Element = ElementTree.Element
MAX_ID, MAX_TEXT, MAX_UNSPLIT = 40, 900, 160
MAX_DESTINATIONS, MAX_BUNDLE_BYTES = 100, 500_000
SOURCES = {"98765": "SC", "+15551234567": "LC"}
# `true` is what the documents ask for (https://developer-aggregation.vibes.com/reference/callbacks); the others are
# what Vibes' own Ruby library sends, and the examples.
ALL, ERRORS = ("true", "ALL", "SMSC_ALL"), ("ERROR", "SMSC_ERROR")


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is accepted. `receipts`: ALL, ERRORS or none; `callback_url`: where to, None for the account's.
    `refused`: the code of the receipt it ends with at once."""

    to: str
    sender: str
    body: str
    reference: str | None
    parts: int
    receipts: tuple[str, ...]
    callback_url: str | None
    refused: int | None = None


def parse(body: bytes, tag: str) -> Element:
    """Raises Failure for what is not this document."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - from the tests' own client
    except ElementTree.ParseError as error:
        raise Failure(f"Unable to parse request: {error}") from error
    if root.tag != tag:
        raise Failure(f"Unexpected element {root.tag}")
    return root


def read_message(element: Element) -> Draft:
    """Raises Failure for what is refused at once."""
    draft = _read_message(element)
    if draft.refused is not None:
        raise Failure(INTERNAL[draft.refused], draft.refused)
    return draft


def _read_message(element: Element) -> Draft:
    destination = element.find("destination")
    if destination is None:
        raise Failure("destination is required")
    reference = element.get("submitterMessageId")
    split = element.get("splitLongMessage") == "true"
    return _draft(element, destination, reference=reference, split=split)


def read_bundle(root: Element) -> list[Draft]:
    """Read a bundle, which is answered before its destinations are looked at: one that can't be is told by its receipt
    (here; UNVERIFIED). Raises Failure for what is no bundle."""
    drafts = [*_listed(root), *(_read_message(element) for element in root.iter("mtMessage"))]
    if not 1 <= len(drafts) <= MAX_DESTINATIONS:
        raise Failure(f"{len(drafts)} destinations; 1 to {MAX_DESTINATIONS} are supported")
    return drafts


def _listed(root: Element) -> Iterator[Draft]:
    for each in root.iter("mtMessageList"):
        for destination in each.iter("destination"):
            reference, split = destination.get("submitterMessageId"), each.get("splitLongMessage") == "true"
            yield _draft(each, destination, reference=reference, split=split)


def _draft(element: Element, destination: Element, *, reference: str | None, split: bool) -> Draft:
    to = destination.get("address", "")
    is_number = destination.get("type", "MDN") == "MDN" and numbers.E164.fullmatch(to)
    if len(reference or "") > MAX_ID:
        raise Failure(f"submitterMessageId must be {MAX_ID} characters or less")
    body, option = element.findtext("text") or "", element.find("receiptOption")
    longest = MAX_TEXT if split else MAX_UNSPLIT
    # Without the flag: refused or cut off is UNVERIFIED.
    if not 1 <= len(body) <= longest:
        raise Failure(f"text must be 1 to {longest} characters")
    wanted = "" if option is None else (option.text or "").strip()
    return Draft(
        to=to,
        sender=_source(element),
        body=body,
        reference=reference,
        parts=segment_count(body) if split else 1,
        receipts=next((each for each in (ALL, ERRORS) if wanted in each), ()),
        callback_url=None if option is None else option.get("callbackUrl"),
        refused=numbers.refused_with(to) if is_number else INVALID_DESTINATION,
    )


def _source(element: Element) -> str:
    source = element.find("source")
    address = "" if source is None else source.get("address", "")
    # Only SC is documented; the name of a long code's type is UNVERIFIED, so any is taken.
    if address not in SOURCES or (SOURCES[address] == "SC" and source is not None and source.get("type") != "SC"):
        raise Failure(INTERNAL[NO_LEASE], NO_LEASE)
    return address
