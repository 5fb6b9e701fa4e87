"""Words that end or restore consent (STOP, START) or ask for help (HELP).

A text is such a word when it is nothing else: case, accents, punctuation, spaces and invisible characters do not count,
a sentence that contains a word is not one. Which words restore consent depends on the kind of our number
(`ConsentWords.start_by_kind`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

import msgspec

from sms_connector.model.inbound_message import Keyword
from sms_connector.model.phone_number import SenderKind


class ConsentWords(msgspec.Struct, frozen=True):
    """A provider's documented lists. `start_by_kind`: kinds of our number at which other words restore consent."""

    stop: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    start_by_kind: Mapping[SenderKind, tuple[str, ...]] = msgspec.field(default_factory=dict)


# The regulator's list: 47 CFR 64.1200(a)(10), "stop, quit, end, revoke, opt out, cancel, or unsubscribe"; with what
# carriers expect (CTIA, Messaging Principles and Best Practices; AWS's required keywords: ARRET, REMOVE, TD; Twilio
# Proxy's: ARRETT, ARRETE).
REGULATORS_STOP = (
    *("STOP", "QUIT", "END", "REVOKE", "OPT OUT", "CANCEL", "UNSUBSCRIBE", "STOP ALL"),
    *("REMOVE", "UNSUB", "TD", "ARRET", "ARRETT", "ARRETE"),
)

# "Stop", "unsubscribe" and "cancel" as single words of other languages; words that also answer a question (no, enough)
# are left out. Everywhere, whatever language a recipient is written to in.
TRANSLATED_STOP = (
    *("STOPP", "ABMELDEN", "ABBESTELLEN", "AUSTRAGEN", "ABMELDUNG"),  # German; STOPP Swedish and Norwegian too
    *("ARRETER", "ANNULER", "DESABONNER", "DESABONNEMENT", "DESINSCRIRE", "DESINSCRIPTION", "RESILIER"),  # French
    *("ALTO", "BAJA", "PARAR", "PARE", "CANCELAR"),
    *("DETENER", "SALIR", "TERMINAR", "DARDEBAJA", "DESUSCRIBIR"),  # Spanish
    *("SAIR", "REMOVER", "DESCADASTRAR", "CANCELE", "DESINSCREVER"),  # Portuguese
    *("ANNULLA", "CANCELLA", "CANCELLAMI", "DISISCRIVI", "DISATTIVA", "FERMA"),  # Italian
    *("AFMELDEN", "UITSCHRIJVEN", "STOPPEN", "OPZEGGEN"),  # Dutch
    *("AFMELD", "AFMELDING", "FRAMELD", "STOPPA", "SLUTA"),
    *("AVSLUTA", "AVREGISTRERA", "AVSLUTT", "AVMELD", "MELD AV"),  # Nordic
    *("LOPETA", "PERUUTA", "PERU"),  # Finnish
    *("ZATRZYMAJ", "WYPISZ", "REZYGNUJE", "REZYGNACJA", "ANULUJ"),  # Polish
    *("ODHLASIT", "ZRUSIT", "UKONCIT", "LEIRATKOZAS", "LEIRATKOZOM", "LEALLIT"),  # Czech, Slovak, Hungarian
    *("DEZABONARE", "OPRESTE", "ANULEAZA", "ODJAVA", "ODJAVI", "ODJAVITE"),  # Romanian, Croatian, Serbian, Slovene
    *("IPTAL", "DUR", "DURDUR", "RET", "CIKIS"),  # Turkish
    *("BERHENTI", "BATAL", "UNREG", "HENTIKAN", "ITIGIL", "TU CHOI"),  # Indonesian, Malay, Filipino, Vietnamese
    *("СТОП", "ОТПИСАТЬСЯ", "ОТПИСКА", "ОТМЕНА", "ОТМЕНИТЬ"),
    *("ВІДПИСАТИСЯ", "ВІДМІНА", "ОТКАЖИ", "СПРИ"),  # Russian, Ukrainian, Bulgarian
    *("ΣΤΟΠ", "ΔΙΑΚΟΠΗ", "ΔΙΑΓΡΑΦΗ", "ΑΚΥΡΩΣΗ"),  # Greek
    *("توقف", "إيقاف", "ايقاف", "إلغاء", "الغاء", "إلغاء الاشتراك", "قف"),  # Arabic
    *("הסר", "הסרה", "עצור", "בטל", "لغو"),  # Hebrew, Persian
    *("停止", "停止する", "解除", "配信停止", "ストップ", "中止"),
    *("取消", "退订", "退訂", "取消订阅", "取消訂閱"),  # Japanese, Chinese
    *("중지", "정지", "수신거부", "해지", "취소", "หยุด", "ยกเลิก"),  # Korean, Thai
    *("रोकें", "रोको", "बंद करें", "রোধ", "বন্ধ", "நிறுத்து"),  # Hindi, Bengali, Tamil
)

# For providers without a list of their own.
STANDARD_WORDS = ConsentWords(
    stop=("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"),
    start=("START", "UNSTOP", "YES"),
    help=("HELP", "INFO"),
)


def classify(
    text: str,
    words: ConsentWords = STANDARD_WORDS,
    *,
    our_kind: SenderKind | None = None,
    extra_stop: Iterable[str] = (),
) -> Keyword | None:
    """Return what `text` asks for; None for anything but one of the words alone.

    `our_kind` is that of the number it was sent to. Words that end consent are many, those that restore it the
    provider's own: what it does not take as such stays blocked there. A word in two lists counts as STOP before START
    before HELP.
    """
    said = _fold(text)
    if not said:
        return None
    start = words.start_by_kind.get(our_kind, words.start) if our_kind is not None else words.start
    if said in _STOP or said in _folded((*words.stop, *extra_stop)):
        return Keyword.STOP
    if said in _folded(start):
        return Keyword.START
    return Keyword.HELP if said in _folded(words.help) else None


# Letters that Unicode does not take apart into a letter and an accent.
_LETTERS = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe"})


def _fold(text: str) -> str:
    """Keep letters and digits: width, case, accents, punctuation, symbols, spaces and invisible characters are
    dropped."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LN" and c != _TATWEEL).translate(_LETTERS)


_TATWEEL = "\u0640"  # Arabic's line of emphasis


def _folded(words: Iterable[str]) -> set[str]:
    return {folded for word in words if (folded := _fold(word))}


_STOP = frozenset(_folded((*REGULATORS_STOP, *TRANSLATED_STOP)))
