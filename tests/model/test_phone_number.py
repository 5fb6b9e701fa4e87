"""Addresses: what is taken as it is, what is refused, and which form the refusal names."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.errors import ErrorKind
from sms_connector.model.invalid_value import InvalidValueError
from sms_connector.model.number_spellings import dialled_spelling
from sms_connector.model.phone_number import (
    CHANNELS,
    NumberError,
    Recipient,
    Sender,
    SenderKind,
    parse_country,
    parse_recipient,
    parse_sender,
    read_recipient,
    region_of,
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("+15558675310", "fictional, in no assigned block: possible is enough"),
        ("+15005550001", "Twilio's test number for an invalid recipient must reach Twilio"),
        ("+15005550006", "Twilio's test number for success"),
        ("+15005550009", "Twilio's test number for a landline"),
        ("+4915112345678", "German mobile"),
        ("+447700900123", "UK, Ofcom's range for drama"),
        ("+61491570156", "Australia, ACMA's range for drama"),
        ("+390612345678", "Italy keeps its leading 0 after the country code"),
        ("+2250701020304", "Ivory Coast: the 0 is part of the number since 2021"),
        ("+5491123456789", "Argentine mobile with its 9"),
        ("+525512345678", "Mexico, ten digits since 2019"),
        ("+8801712345678", "Bangladesh, three-digit country code"),
        ("+6831234", "Niue: the shortest in use is taken, seven digits in all"),
        ("+882161234567", "satellite: a country code of no country"),
        ("+80012345678", "international free phone"),
        ("whatsapp:+15558675310", "channel address"),
        ("whatsapp:+5215512345678", "WhatsApp keeps the Mexican 1 that the numbering plan gave up"),
        ("rcs:+15558675310", "channel address"),
        ("messenger:7654321", "Messenger's users have ids, not numbers"),
    ],
)
def test_recipients_taken_as_they_are(text: str, why: str) -> None:
    assert parse_recipient(text) == text, why


@pytest.mark.parametrize(
    ("text", "number", "why"),
    [
        ("+1 555 867 5310", "+15558675310", "spaces"),
        ("+1 (555) 867-5310", "+15558675310", "punctuation"),
        ("+1.555.867.5310", "+15558675310", "dots between groups"),
        ("+49 171/2345678", "+491712345678", "a slash behind the area code, as in Germany"),
        ("+49 (171) 234-56-78", "+491712345678", "an area code in brackets"),
        ("+49 [171] 2345678", "+491712345678", "square brackets"),
        ("(+49) 171 2345678", "+491712345678", "the country code in brackets"),
        ("(+49 171 2345678)", "+491712345678", "the whole number in brackets"),
        ("+49 (0)171 2345678", "+491712345678", "the letterhead's (0): the trunk prefix for calls at home"),
        ("+44 (0) 7700 900123", "+447700900123", "the same with a space around"),
        ("+39 (0)6 12345678", "+390612345678", "Italy's 0 belongs to the number"),
        (" +15558675310", "+15558675310", "a space in front"),
        ("+15558675310\n", "+15558675310", "a line end behind"),
        ("+1\t555\t867\t5310", "+15558675310", "tabs"),
        ("\u202a+15558675310\u202c", "+15558675310", "invisible marks, copied from a contact card"),
        ("\ufeff+1555\u200b867\u00ad5310", "+15558675310", "byte order mark, zero-width space, soft hyphen"),
        ("+1\u00a0555\u202f867\u20095310", "+15558675310", "no-break and thin spaces"),
        ("+1\u2010555\u2011867\u20135310", "+15558675310", "hyphens and dashes of Unicode"),
        ("+1 555\u2212867\u20145310", "+15558675310", "a minus sign and a long dash"),
        ("+1·555·867·5310", "+15558675310", "middle dots"),
        ("+１５５５８６７５３１０", "+15558675310", "full-width digits"),
        ("＋1（555）8675310", "+15558675310", "full-width plus and brackets"),
        ("+٤٩ ١٧١ ٢٣٤٥٦٧٨", "+491712345678", "Arabic-Indic digits"),
        ("+५१९१२३४५६७८", "+51912345678", "Devanagari digits"),
        ("+5215562000000", "+525562000000", "Mexico's old 1: the number that is dialled since 2019"),
        ("+52 1 55 6200 0000", "+525562000000", "the same as people write it"),
        ("+551187654321", "+5511987654321", "Brazil's eight digits: networks route nine"),
        ("+22997123456", "+2290197123456", "Benin's eight digits: ten since 2024"),
        ("+54 11 15 2345-6789", "+5491123456789", "Argentina's 15 is for calls at home"),
        ("whatsapp:+1 (555) 867-5310", "whatsapp:+15558675310", "separators on a channel"),
        ("whatsapp:+5215562000000", "whatsapp:+5215562000000", "a channel's numbers are its own"),
    ],
)
def test_numbers_as_people_type_them(text: str, number: str, why: str) -> None:
    assert read_recipient(text) == Recipient(number), why


@pytest.mark.parametrize(
    ("text", "country", "number", "why"),
    [
        ("0171 3920017", "DE", "+491713920017", "trunk 0 dropped"),
        ("171 3920017", "DE", "+491713920017", "a spreadsheet ate the 0"),
        ("(0171) 392-0017", "DE", "+491713920017", "an area code in brackets"),
        ("٠١٧١٢٣٤٥٦٧٨", "DE", "+491712345678", "Arabic-Indic digits"),
        ("0049 171 3920017", "DE", "+491713920017", "as one dials abroad from Germany"),
        ("4915112345678", "DE", "+4915112345678", "its own country code, the + got lost"),
        ("(415) 555-2671", "US", "+14155552671", "no trunk prefix by habit"),
        ("1 415 555 2671", "US", "+14155552671", "with it"),
        ("(555) 867-5310", "US", "+15558675310", "fictional, in no assigned block"),
        ("011 49 171 2345678", "US", "+491712345678", "as one dials abroad from the US"),
        ("06 12345678", "IT", "+390612345678", "Italy's 0 is no trunk prefix"),
        ("07700 900123", "GB", "+447700900123", "Ofcom's range for drama"),
        ("0690 12 34 56", "FR", "+590690123456", "Guadeloupe shares France's plan, not its country code"),
        ("(11) 98765-4321", "BR", "+5511987654321", "Brazil"),
        ("(11) 8765-4321", "BR", "+5511987654321", "Brazil before 2012"),
        ("(34) 98123-4567", "BR", "+5534981234567", "no trunk prefix by habit, whatever +34 means"),
        ("16098765432", "DE", "+4916098765432", "a mobile number that lost its 0"),
        ("55 6200 0000", "MX", "+525562000000", "Mexico"),
        ("011 15-2345-6789", "AR", "+5491123456789", "15 becomes the 9 of calls from abroad"),
        ("whatsapp:0171 3920017", "DE", "whatsapp:+491713920017", "on a channel too"),
    ],
)
def test_national_numbers_by_the_default_country(text: str, country: str, number: str, why: str) -> None:
    assert read_recipient(text, country=country) == Recipient(number, country), why
    assert parse_recipient(text, country=country) == number


def test_an_international_number_needs_no_default_country() -> None:
    assert read_recipient("+49 171 3920017", country="US") == Recipient("+491713920017")


@pytest.mark.parametrize(
    ("text", "country", "why"),
    [
        ("436641234567", "DE", "as well an Austrian number without its +"),
        ("12345", "DE", "a short code"),
        ("01.05.2024", "DE", "a date"),
        ("8675310", "US", "no area code"),
        ("0171 3920017 (2)", "DE", "the number of a copy"),
        ("(2) 0171 3920017", "DE", "the number of an item"),
        ("0171 3920017.5", "DE", "a decimal"),
        ("0171 3920017/18", "DE", "two numbers"),
        ("0171 392001X", "DE", "a placeholder's digit"),
        ("1-800-FLOWERS", "US", "letters on the keypad"),
        ("whatsapp:0171 392001X", "DE", "on a channel"),
    ],
)
def test_what_a_default_country_does_not_make_certain(text: str, country: str, why: str) -> None:
    with pytest.raises(NumberError):
        pytest.fail(f"{why}: {read_recipient(text, country=country)}")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("+4915112345678.0", "a decimal"),
        ("436641234567.00", "a decimal with two places"),
        ("436641234567,00", "a decimal comma"),
        ("4915112345678.000", "more places"),
        ("4.915E+11", "digits are lost"),
        ("4,915E+11", "digits are lost, decimal comma"),
        ("+4.915e11", "digits are lost"),
        ("1.5558675310E+10", "all digits are there, and yet a spreadsheet's"),
        ("4915112345678E0", "an exponent"),
        ("############", "a column that was too narrow"),
    ],
)
@pytest.mark.parametrize("country", [None, "DE"])
def test_what_a_spreadsheet_has_changed(text: str, country: str | None, why: str) -> None:
    with pytest.raises(NumberError, match="format the column as text") as caught:
        pytest.fail(f"{why}: {read_recipient(text, country=country)}")
    assert "write" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "region", "fix", "why"),
    [
        ("0171 2345678", "DE", "write +491712345678 if it is a number of DE", "national, the sender is German"),
        ("(415) 555-2671", "US", "write +14155552671 if it is a number of US", "national, the sender is American"),
        ("4155552671", "US", "write +14155552671 if it is a number of US", "+41 55552671 is too short for Switzerland"),
        ("07700 900123", "GB", "write +447700900123 if it is a number of GB", "trunk 0 dropped"),
        ("06 12345678", "IT", "write +390612345678 if it is a number of IT", "Italy's 0 is no trunk prefix"),
        ("٠١٧١٢٣٤٥٦٧٨", "DE", "write +491712345678 if it is a number of DE", "Arabic-Indic digits"),
        (
            "4915112345678",
            "DE",
            "write +4915112345678 if it begins with its country code",
            "not a local number twice as long",
        ),
        ("4915112345678", None, "write +4915112345678 if it begins with its country code", "the + got lost"),
        ("15558675310", None, "write +15558675310 if it begins with its country code", "a spreadsheet ate the +"),
        ("15558675310", "US", "write +15558675310 if it begins with its country code", "either reading gives the same"),
        ("0049 171 2345678", None, "write +491712345678", "00 is how half the world dials abroad"),
        ("00 1 555 867 5310", "DE", "write +15558675310", "00, then another country"),
        ("011 49 171 2345678", "US", "write +491712345678", "011 is how the US dials abroad"),
        ("+4401711234567", None, "write +441711234567", "trunk 0 after the country code"),
        ("0171 2345678", None, "name its country as the default country", "whose 0171? the text does not say"),
        ("(415) 555-2671", None, "name its country as the default country", "no country to be seen"),
        ("0123", None, "write + and the country code", "the contract's example"),
        ("8675310", "US", "write + and the country code", "no area code"),
        ("+4900171234567", None, "write + and the country code", "two zeros after the country code: no guess"),
        ("+49 01 00", None, "write + and the country code", "six digits are no number, however written"),
        ("+4915112345678 (2)", None, "write + and the country code", "the number of a copy"),
        ("+49 151 1234567X", None, "write + and the country code", "a placeholder's digit"),
        ("tel:+15558675310", None, "write + and the country code", "a link"),
        ("'+15558675310", None, "write + and the country code", "a spreadsheet's mark of text"),
        ("+15558675310;", None, "write + and the country code", "a semicolon"),
        ("+1,555,867,5310", None, "write + and the country code", "commas may as well separate two numbers"),
        ("+1 555 867 5310 ext. 5", None, "write + and the country code", "an extension can't be texted"),
        ("+1 555 867 5310 x5", None, "write + and the country code", "an extension can't be texted"),
        ("+1 555 867 5310 (home)", None, "write + and the country code", "a word"),
        ("+15558675310 / +15558675311", None, "write + and the country code", "two numbers: neither is chosen"),
        ("+15558675310,+15558675311", None, "write + and the country code", "two numbers: neither is chosen"),
        ("+49 171 2345678/79", None, "write + and the country code", "two numbers in short: neither is chosen"),
        ("49+1712345678", None, "write + and the country code", "a plus in the middle"),
        ("1-800-FLOWERS", "US", "write + and the country code", "letters on the keypad"),
        ("", None, "write + and the country code", "empty"),
        ("+", None, "write + and the country code", "only the plus"),
        ("Ann", None, "write + and the country code", "a name in the wrong column"),
        ("ann@example.com", None, "write + and the country code", "an e-mail address"),
        ("+0123456789", None, "write + and the country code", "no country code begins with 0"),
        ("+999123456789", None, "write + and the country code", "a country code that does not exist"),
        ("9" * 400, None, "write + and the country code", "absurdly long"),
        ("+15558675", None, "write the whole number", "seven digits without the area code"),
        ("+1555867531", None, "check the country code and every digit", "a digit short"),
        ("+155586753100", None, "check the country code and every digit", "a digit too many"),
        ("whatsapp:0171 2345678", None, "write whatsapp:+15558675310", "WhatsApp takes E.164 only"),
        ("whatsapp:", None, "write whatsapp:+15558675310", "nothing behind the channel"),
        ("messenger:", None, "write messenger: and an id", "nothing behind the channel"),
        ("WhatsApp:+15558675312", None, "write whatsapp:+15558675312", "the same person on the same channel"),
        ("RCS:0171 2345678", None, "write rcs:+15558675310", "both parts are wrong"),
        ("sms:+15558675310", None, "write + and the country code", "no channel of ours"),
    ],
)
def test_refusals_name_the_fix(text: str, region: str | None, fix: str, why: str) -> None:
    with pytest.raises(NumberError) as caught:
        read_recipient(text, likely_region=region)
    assert fix in str(caught.value), why
    assert caught.value.kind is ErrorKind.INVALID_RECIPIENT
    (problem,) = caught.value.problems
    assert (problem.field, problem.message, problem.kind) == ("", str(caught.value), ErrorKind.INVALID_RECIPIENT)


@pytest.mark.parametrize(("text", "country"), [("DE", "DE"), ("de", "DE"), (" us ", "US"), ("XK", "XK")], ids=str)
def test_default_countries(text: str, country: str) -> None:
    assert parse_country(text) == country


@pytest.mark.parametrize(
    ("text", "fix"),
    [("UK", "write GB"), ("Germany", "such as DE"), ("+49", "such as DE"), ("ZZ", "such as DE"), ("001", "such as DE")],
)
def test_refused_default_countries_name_the_fix(text: str, fix: str) -> None:
    with pytest.raises(InvalidValueError, match=fix):
        parse_country(text)


def test_a_refusal_reads_as_the_contract_shows_it() -> None:
    with pytest.raises(NumberError, match=r"^'0123' is not a phone number in E\.164 form; "):
        parse_recipient("0123")


T = TypeVar("T")
MG = "MG" + "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("text", "kind", "why"),
    [
        ("+15558675310", SenderKind.LONG_CODE, "fictional"),
        ("+15005550006", SenderKind.LONG_CODE, "Twilio's test sender"),
        ("+4915112345678", SenderKind.LONG_CODE, "mobile"),
        ("+18005551234", SenderKind.TOLL_FREE, "the oldest US toll-free code"),
        ("+18335551234", SenderKind.TOLL_FREE, "the newest US toll-free codes count too"),
        ("+448001111111", SenderKind.TOLL_FREE, "toll-free outside North America"),
        ("123", SenderKind.SHORT_CODE, "the shortest"),
        ("12345", SenderKind.SHORT_CODE, "the US length"),
        ("12345678", SenderKind.SHORT_CODE, "the longest"),
        ("ACME", SenderKind.ALPHANUMERIC, "letters"),
        ("Acme & Co", SenderKind.ALPHANUMERIC, "space and ampersand"),
        ("4U", SenderKind.ALPHANUMERIC, "one letter is enough"),
        ("A", SenderKind.ALPHANUMERIC, "the shortest"),
        ("ABCDEFGHIJK", SenderKind.ALPHANUMERIC, "eleven, the longest"),
        ("NO-2333", SenderKind.ALPHANUMERIC, "LINK writes a short code with its country"),
        (MG, SenderKind.POOL, "a Twilio messaging service"),
        ("MG1234", SenderKind.ALPHANUMERIC, "too short for a messaging service, fine as a name"),
        ("whatsapp:+15558675310", SenderKind.CHANNEL, "a number on WhatsApp"),
        ("messenger:1234567890", SenderKind.CHANNEL, "a Facebook page"),
        ("rcs:acme_agent", SenderKind.CHANNEL, "an RCS agent"),
    ],
)
def test_senders_told_apart(text: str, kind: SenderKind, why: str) -> None:
    assert parse_sender(text) == Sender(text, kind), why


@pytest.mark.parametrize(
    ("text", "country", "sender", "why"),
    [
        ("+1 800 555 1234", None, Sender("+18005551234", SenderKind.TOLL_FREE), "separators"),
        ("(800) 555-1234", "US", Sender("+18005551234", SenderKind.TOLL_FREE), "national form"),
        ("whatsapp:+1 555 867 5310", None, Sender("whatsapp:+15558675310", SenderKind.CHANNEL), "on a channel"),
        ("12345", "US", Sender("12345", SenderKind.SHORT_CODE), "a short code is one in every country"),
    ],
)
def test_senders_as_people_type_them(text: str, country: str | None, sender: Sender, why: str) -> None:
    assert parse_sender(text, country=country) == sender, why


@pytest.mark.parametrize(
    ("text", "fix", "why"),
    [
        ("", "write a number in E.164 form", "empty"),
        ("12", "write + and the country code", "too short for a short code"),
        ("123456789", "write + and the country code", "too long for a short code, and no number with a +"),
        ("18005551234", "write +18005551234", "the + got lost"),
        ("+1555867531", "check the country code and every digit", "a digit short"),
        ("+ACME", "write + and the country code", "begins like a number"),
        ("ACME GmbH & Co", "at most 11 letters", "too long"),
        ("ABCDEFGHIJKL", "at most 11 letters", "twelve, one too many"),
        (" ACME", "at most 11 letters", "a space in front is lost on the way"),
        ("ACME ", "at most 11 letters", "a space behind is lost on the way"),
        ("ACME\n", "at most 11 letters", "a line end"),
        ("ÄCME", "at most 11 letters", "an umlaut: carriers replace it"),
        ("ACME!", "at most 11 letters", "outside the set"),
        ("- & _", "at least one of them a letter", "no letter"),
        ("whatsapp:ACME", "write whatsapp:+15558675310", "WhatsApp senders are numbers"),
        ("Messenger:ACME", "write messenger:ACME", "channels are written small"),
        ("sms:ACME", "a channel address", "no channel of ours"),
    ],
)
def test_refused_senders_name_the_fix(text: str, fix: str, why: str) -> None:
    with pytest.raises(NumberError) as caught:
        parse_sender(text)
    assert fix in str(caught.value), why
    assert caught.value.kind is ErrorKind.INVALID_SENDER


@pytest.mark.parametrize(
    ("address", "region", "why"),
    [
        ("+4915112345678", "DE", "its own country code"),
        ("+14155552671", "US", "assigned block"),
        ("+16045551234", "CA", "shares +1 with the US"),
        ("+15558675310", "US", "in no block: the main region of +1"),
        ("whatsapp:+4915112345678", "DE", "a number in a channel address"),
        ("+80012345678", None, "international free phone belongs nowhere"),
        ("+999123456789", None, "no such country code"),
        ("12345", None, "a short code"),
        ("ACME", None, "a name"),
        (MG, None, "a pool"),
    ],
)
def test_region_of(address: str, region: str | None, why: str) -> None:
    assert region_of(address) == region, why


country_codes = st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
e164_like = st.builds(lambda code, rest: f"+{code}{rest}", country_codes, st.from_regex(r"[0-9]{4,11}", fullmatch=True))
near_numbers = st.text(alphabet="+0123456789 ()-./extw:hasp\u202a\u00a0٠１", max_size=20)


anything = e164_like | near_numbers | st.text(max_size=20)


def read(parse: Callable[[str], T], text: str) -> T | NumberError:
    try:
        return parse(text)
    except NumberError as error:
        return error


@given(anything, st.sampled_from([None, "US", "DE", "IT", "AR"]), st.sampled_from([None, "US", "DE", "IT", "AR"]))
def test_a_recipient_is_read_or_refused_with_a_form_that_is_taken(
    text: str, country: str | None, region: str | None
) -> None:
    result = read(lambda t: read_recipient(t, country=country, likely_region=region), text)
    if isinstance(result, NumberError):
        assert str(result).isprintable()
        assert all(parse_recipient(named) for named in re.findall(r"write (\+[0-9]+)", str(result)))
    else:
        assert read_recipient(result.address) == Recipient(result.address), "what is used is taken as it is"


digits = st.from_regex(r"[0-9]{4,14}", fullmatch=True)
separators = st.text(alphabet=" -.()/\u00a0\u2011\u200b", max_size=3)


@given(st.lists(st.tuples(digits.map(lambda d: d[:4]), separators), min_size=2, max_size=4))
def test_a_number_with_its_plus_keeps_every_digit(groups: list[tuple[str, str]]) -> None:
    """Whatever the separators: it is read as all of its digits, in a present spelling, or refused."""
    written = "+" + "".join(group + separator for group, separator in groups)
    result = read(read_recipient, written)
    if not isinstance(result, NumberError) and "(0)" not in written:
        assert result.address == dialled_spelling("+" + "".join(group for group, _ in groups))


@given(anything)
def test_a_sender_is_read_or_refused(text: str) -> None:
    result = read(parse_sender, text)
    if isinstance(result, NumberError):
        assert result.kind is ErrorKind.INVALID_SENDER
    else:
        assert parse_sender(result.address) == result
        assert (result.kind is SenderKind.CHANNEL) is (text.partition(":")[0] in CHANNELS and ":" in text)
