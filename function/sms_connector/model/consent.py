"""Words that end or restore consent (STOP, START) or ask for help (HELP)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import msgspec

from sms_connector.model.inbound_message import Keyword


class ConsentWords(msgspec.Struct, frozen=True):
    """A provider's documented lists. Spelling counts, case does not."""

    stop: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    help: tuple[str, ...] = ()


# For providers without a list of their own: what US carriers expect (CTIA, Messaging Principles and Best Practices),
# and what Twilio documents beyond that.
STANDARD_WORDS = ConsentWords(
    stop=("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"),
    start=("START", "UNSTOP", "YES"),
    help=("HELP", "INFO"),
)


def classify(
    text: str,
    words: ConsentWords = STANDARD_WORDS,
    *,
    extra_stop: Iterable[str] = (),
    extra_start: Iterable[str] = (),
    extra_help: Iterable[str] = (),
) -> Keyword | None:
    """What `text` asks for; None for anything but one of the words alone, trimmed, in any case.

    The extra words are the connection's own. A word in two lists counts as STOP before START before HELP: consent is
    never taken from a word that may have ended it.
    """
    said = _fold(text)
    lists = (
        (Keyword.STOP, (*words.stop, *extra_stop)),
        (Keyword.START, (*words.start, *extra_start)),
        (Keyword.HELP, (*words.help, *extra_help)),
    )
    return next((keyword for keyword, listed in lists if said in map(_fold, listed)), None)


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip().casefold())
