"""Name the person behind an address, so that consent and replies meet whatever spelling of a number a network uses."""

from __future__ import annotations

from sms_connector.model.phone_number import number_in


def person_key(address: str) -> str:
    """Return the key that every spelling of one person's number shares; a name or short code is its own key."""
    return number_in(address)
