"""Which sender a recipient gets, and that none is chosen that its country refuses."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.errors import ErrorKind
from sms_connector.model.invalid_value import InvalidValueError
from sms_connector.model.numbering_plan import block_of, find_region, is_region, region_of_block
from sms_connector.model.phone_number import NumberError, Sender, SenderKind, parse_recipient, parse_sender
from sms_connector.model.senders import WITHOUT_ALPHANUMERIC, SenderChoice, Senders

US, CA, DE, GB, JM, MX = (
    "+12125550123",
    "+14165550123",
    "+4915112345678",
    "+447700900123",
    "+18765550123",
    "+525512345678",
)
GUERNSEY, SATELLITE = "+447781123456", "+882161234567"
POOL = "MG" + "0" * 32


def sender(address: str, *countries: str, default: bool = False, name: str | None = None) -> Sender:
    return Sender(address, parse_sender(address).kind, name, None, countries, default)


AMERICA = sender("+15551234567", "US", "CA", name="America")
ACME = sender("ACME", default=True, name="Acme Europe")
ANY = sender("+447700900000", default=True)
WHATSAPP = sender("whatsapp:+15551234567", "US")


@pytest.mark.parametrize(
    ("listed", "to", "chosen"),
    [
        pytest.param([ANY], US, ANY, id="the default alone"),
        pytest.param([ANY], "whatsapp:+12125550123", ANY, id="alone: whether it fits the channel, the provider knows"),
        pytest.param([AMERICA, ANY], US, AMERICA, id="the one for the country"),
        pytest.param([ANY, AMERICA], US, AMERICA, id="the default is the last resort, wherever it stands"),
        pytest.param([AMERICA, ANY], CA, AMERICA, id="each of its countries"),
        pytest.param([AMERICA, ANY], JM, ANY, id="another country of the same country code"),
        pytest.param([AMERICA, ANY], DE, ANY, id="the default elsewhere"),
        pytest.param([sender("+15550000001", "US"), AMERICA], US, sender("+15550000001", "US"), id="the first of two"),
        pytest.param([sender("12345", "GB"), ANY], GB, sender("12345", "GB"), id="a short code"),
        pytest.param([sender("12345", "GB"), ANY], GUERNSEY, ANY, id="Guernsey is not the United Kingdom"),
        pytest.param([AMERICA, ANY], SATELLITE, ANY, id="a number of no country"),
        pytest.param([AMERICA, ACME], DE, ACME, id="an alphanumeric default"),
        pytest.param([AMERICA, ACME], US, AMERICA, id="never where it is refused"),
        pytest.param([sender("+15550000001"), ANY], US, ANY, id="one that is only named"),
        pytest.param([AMERICA, WHATSAPP, ANY], "whatsapp:" + US, WHATSAPP, id="one of the channel"),
        pytest.param([WHATSAPP, AMERICA, ANY], US, AMERICA, id="one of a channel sends no SMS"),
        pytest.param([AMERICA, sender(POOL, default=True)], "whatsapp:" + US, sender(POOL, default=True), id="a pool"),
    ],
)
def test_chooses(listed: list[Sender], to: str, chosen: Sender) -> None:
    choice = SenderChoice(listed)
    assert [choice.choose(to) for _ in range(2)] == [chosen.address] * 2


@pytest.mark.parametrize(
    ("listed", "to", "problem"),
    [
        pytest.param([ACME], US, "is in US, which takes no alphanumeric sender ('ACME'); name a number", id="alone"),
        pytest.param([AMERICA, ACME], MX, "is in MX, which takes no alphanumeric sender", id="the default"),
        pytest.param([AMERICA], DE, "is in DE, for which the connection has no sender and no default one", id="none"),
        pytest.param([sender("+15550000001")], US, "is in US, for which the connection has no sender", id="named only"),
        pytest.param([AMERICA, WHATSAPP], SATELLITE, "is in no country, for which", id="no country"),
        pytest.param([AMERICA, ANY], "whatsapp:" + US, "no sender of channel whatsapp", id="none of the channel"),
    ],
)
def test_refuses(listed: list[Sender], to: str, problem: str) -> None:
    choice = SenderChoice(listed)
    for _ in range(2):
        with pytest.raises(InvalidValueError) as caught:
            choice.choose(to)
        assert problem in str(caught.value)
        assert caught.value.kind is ErrorKind.INVALID_SENDER


@pytest.mark.parametrize(
    ("named", "to", "is_taken"),
    [
        pytest.param(AMERICA, DE, True, id="for a country that it is not for"),
        pytest.param(sender("+15550000001"), US, True, id="one that is never chosen by itself"),
        pytest.param(AMERICA, "whatsapp:" + US, True, id="for a channel that is not its own"),
        pytest.param(ACME, DE, True, id="alphanumeric"),
        pytest.param(ACME, US, False, id="alphanumeric where it is refused"),
        pytest.param(ACME, "whatsapp:" + US, True, id="refused by networks alone"),
    ],
)
def test_a_named_sender_goes_before_its_countries(named: Sender, to: str, is_taken: bool) -> None:
    choice = SenderChoice([named], by_name=True)
    assert choice.only == named.address
    if is_taken:
        assert choice.choose(to) == named.address
    else:
        with pytest.raises(InvalidValueError, match="takes no alphanumeric sender"):
            choice.choose(to)


def test_only_is_said_where_no_recipient_can_have_another() -> None:
    assert SenderChoice([ANY]).only == ANY.address
    assert SenderChoice([ACME]).only == "ACME"
    assert SenderChoice([sender("+15550000001"), ANY]).only == ANY.address
    assert SenderChoice([AMERICA, ANY]).only is None
    assert SenderChoice([sender("+15550000001")]).only is None


LISTED = Senders((AMERICA, ACME), complete=True)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("America", AMERICA),
        ("  america ", AMERICA),
        ("ACME  EUROPE", ACME),
        ("ACME", ACME),
        ("+1 (555) 123-4567", AMERICA),
        ("+447700900000", Sender("+447700900000", SenderKind.LONG_CODE)),
        ("12345", Sender("12345", SenderKind.SHORT_CODE)),
    ],
)
def test_finds_by_name_and_address(text: str, found: Sender) -> None:
    assert LISTED.find(text) == found


@pytest.mark.parametrize("text", ["Amerika", "acme"])
def test_an_unlisted_word_is_a_misspelled_name(text: str) -> None:
    with pytest.raises(NumberError, match="GET /v1/senders") as caught:
        LISTED.find(text)
    assert caught.value.kind is ErrorKind.INVALID_SENDER
    assert Senders((AMERICA,)).find(text).kind is SenderKind.ALPHANUMERIC, "with SMS_SENDER it is a sender as before"


# --- properties -------------------------------------------------------------------------------------------------------

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
NUMBERS = [
    parse_recipient(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164))
    for region in REGIONS
    if (example := phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)) is not None
]
_america = st.from_regex(r"\+1[2-9][0-9]{2}[2-9][0-9]{6}", fullmatch=True)
_numbers = st.sampled_from(NUMBERS) | _america
_addresses = st.sampled_from(
    ["+15551234567", "+447700900000", "+18005550100", "12345", "ACME", "Beta", POOL, WHATSAPP.address]
)
_senders = st.builds(
    lambda address, countries, default: sender(address, *countries, default=default),
    _addresses,
    st.lists(st.sampled_from(["US", "CA", "MX", "DE", "GB", "JM", "ZA"]) | st.sampled_from(REGIONS), max_size=3),
    st.booleans(),
)


@given(st.lists(_senders, max_size=5), st.lists(_numbers, min_size=1, max_size=5), st.booleans())
def test_the_choice_never_yields_a_sender_that_the_country_refuses(
    listed: list[Sender], recipients: list[str], by_name: bool
) -> None:
    choice = SenderChoice(listed[:1] if by_name else listed, by_name=by_name)
    for to in recipients:
        country = find_region(to)
        usable = [each for each in choice.possible if country in each.countries or each.default or by_name]
        try:
            address = choice.choose(to)
        except InvalidValueError:
            assert all(
                each.kind is SenderKind.CHANNEL
                or (each.kind is SenderKind.ALPHANUMERIC and country in WITHOUT_ALPHANUMERIC)
                for each in usable
            )
        else:
            assert address in {each.address for each in usable}
            refused = parse_sender(address).kind is SenderKind.ALPHANUMERIC and country in WITHOUT_ALPHANUMERIC
            assert not refused
            assert choice.only in (None, address)


@given(_numbers)
def test_a_block_has_the_region_of_its_numbers(number: str) -> None:
    assert region_of_block(block_of(number)) == find_region(number)


def test_the_table_names_countries() -> None:
    assert all(map(is_region, WITHOUT_ALPHANUMERIC))
    assert {"US", "CA"} <= WITHOUT_ALPHANUMERIC


@pytest.mark.parametrize("region", REGIONS)
def test_blocks_of_every_region_and_kind_of_number(region: str) -> None:
    for kind in phonenumbers.PhoneNumberType.values():
        example = phonenumbers.example_number_for_type(region, kind)
        if example is not None:
            number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
            assert region_of_block(block_of(number)) == find_region(number)
