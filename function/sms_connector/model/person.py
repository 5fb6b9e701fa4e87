"""Name the person behind an address, so that consent and replies meet whatever spelling of a number a network uses."""

from __future__ import annotations

from sms_connector.model.number_spellings import canonical_spelling
from sms_connector.model.phone_number import find_number


def person_key(address: str) -> str:
    """Return the key that every spelling of one person's number shares.

    The key of a number is its canonical spelling in E.164 form, whatever channel holds it and whatever separators it
    has. A name, a short code or an id of a channel is its own key.
    """
    number = find_number(address)
    return canonical_spelling(number) if number is not None else address.strip()
