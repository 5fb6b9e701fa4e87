from __future__ import annotations

import re
from typing import Any

import pytest

from sandbox import AdminClient
from sandbox.twilio.accounts import ACCOUNT_SID, SERVICE_NUMBER, SERVICE_SID
from tests.sandbox.support import BASE, FROM, TO, Api

RFC_2822 = (
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} [\d:]{8} \+0000"
)


def test_the_answer_has_every_field_in_twilios_format(api: Api) -> None:
    made = api.created()
    assert re.fullmatch(r"SM[0-9a-f]{32}", made["sid"])
    assert re.fullmatch(RFC_2822, made["date_created"])
    assert made == {
        "account_sid": ACCOUNT_SID,
        "api_version": "2010-04-01",
        "body": "Hello",
        "date_created": made["date_created"],
        "date_updated": made["date_created"],
        "date_sent": None,
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": FROM,
        "to": TO,
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": "USD",
        "sid": made["sid"],
        "status": "queued",
        "uri": f"{BASE}/Messages/{made['sid']}.json",
        "subresource_uris": {"media": f"{BASE}/Messages/{made['sid']}/Media.json"},
    }


REFUSED: list[tuple[str, dict[str, Any], int, int]] = [
    ("no recipient", {"To": None}, 21604, 400),
    ("an empty recipient is none", {"To": ""}, 21604, 400),
    ("no sender", {"From": None}, 21603, 400),
    ("no content", {"Body": None}, 21602, 400),
    ("an empty text is none", {"Body": ""}, 21602, 400),
    ("a recipient that is no number", {"To": "nobody"}, 21211, 400),
    ("a short code cannot be texted", {"To": "123"}, 21211, 400),
    ("more digits than E.164 allows", {"To": "+1234567890123456"}, 21211, 400),
    ("no country begins with 0", {"To": "+0123456789"}, 21211, 400),
    ("the recipient is checked before the sender", {"To": "nobody", "From": "!"}, 21211, 400),
    ("what is missing is told before what is wrong", {"To": "nobody", "Body": None}, 21602, 400),
    ("1601 characters", {"Body": "x" * 1601}, 21617, 400),
    ("801 emoji count double", {"Body": "👍" * 801}, 21617, 400),
    ("a sender that can be none", {"From": "!"}, 21212, 400),
    ("12 letters are too many for an alphanumeric sender", {"From": "ABCDEFGHIJKL"}, 21212, 400),
    ("a number of somebody else", {"From": "+15017122662"}, 21606, 400),
    ("a short code of somebody else", {"From": "54321"}, 21606, 400),
    ("a channel address of somebody else", {"From": "whatsapp:+15017122662"}, 21606, 400),
    ("alphanumeric senders do not reach North America", {"From": "ACME"}, 21612, 400),
    ("from SMS to WhatsApp", {"To": f"whatsapp:{TO}"}, 21910, 400),
    ("a callback without a scheme", {"StatusCallback": "example.com/x"}, 21609, 400),
    ("an underscore in the host", {"StatusCallback": "http://my_host.example.com/"}, 21609, 400),
    ("a callback longer than 4000", {"StatusCallback": "http://h/" + "x" * 4000}, 21609, 400),
    ("a callback with a port that is none", {"StatusCallback": "http://h:99999/"}, 21609, 400),
    ("a media address that is none", {"MediaUrl": "cat.png"}, 21620, 400),
    ("eleven media", {"MediaUrl": [f"https://example.com/{n}.png" for n in range(11)]}, 21623, 400),
    ("validity 0", {"ValidityPeriod": "0"}, 21624, 400),
    ("validity above 10 hours", {"ValidityPeriod": "36001"}, 21624, 400),
    ("validity in words", {"ValidityPeriod": "long"}, 21624, 400),
    ("a service that does not exist", {"MessagingServiceSid": "MG" + "f" * 32}, 21701, 404),
    ("templates are not simulated", {"ContentSid": "HX" + "0" * 32}, 21655, 400),
    ("a time without a kind of schedule", {"SendAt": "2030-01-01T00:00:00Z"}, 35115, 400),
    ("an unknown kind of schedule", {"ScheduleType": "someday"}, 35126, 400),
    ("a schedule without a time", {"ScheduleType": "fixed"}, 35111, 400),
    ("a schedule without a service", {"ScheduleType": "fixed", "SendAt": "2030-01-01T00:00:00Z"}, 35118, 400),
    # Twilio's own test numbers: twilio.com/docs/iam/test-credentials
    ("test number: invalid", {"To": "+15005550001"}, 21211, 400),
    ("test number: no route", {"To": "+15005550002"}, 21612, 400),
    ("test number: no permission for the region", {"To": "+15005550003"}, 21408, 400),
    ("test number: opted out", {"To": "+15005550004"}, 21610, 400),
    ("test number: no mobile", {"To": "+15005550009"}, 21614, 400),
    ("test sender: invalid", {"From": "+15005550001"}, 21212, 400),
    ("test sender: not owned", {"From": "+15005550007"}, 21606, 400),
    ("test sender: queue full", {"From": "+15005550008"}, 21611, 429),
]


@pytest.mark.parametrize(("form", "code", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(api: Api, admin: AdminClient, form: dict[str, Any], code: int, status: int) -> None:
    answer = api.create(**form)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json() == {
        "code": code,
        "message": answer.json()["message"],
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    assert "{" not in answer.json()["message"]
    assert admin.messages() == []


ACCEPTED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("Twilio's valid test sender", {"From": "+15005550006"}, {"from": "+15005550006"}),
    ("a number with separators", {"To": "+1 (555) 867-5310"}, {"to": TO}),
    ("ten digits are North American", {"To": "5558675310"}, {"to": TO}),
    ("a sender without its plus", {"From": FROM[1:]}, {"from": FROM}),
    ("a short code of ours", {"From": "12345"}, {"from": "12345"}),
    ("an alphanumeric sender to Europe", {"From": "ACME", "To": "+41791234567"}, {"from": "ACME"}),
    ("WhatsApp to WhatsApp", {"From": "whatsapp:+14155238886", "To": f"whatsapp:{TO}"}, {"to": f"whatsapp:{TO}"}),
    ("1600 characters", {"Body": "x" * 1600}, {"num_segments": "11"}),
    ("800 emoji", {"Body": "👍" * 800}, {"num_segments": "25"}),
    ("accents of GSM-7", {"Body": "à" * 160}, {"num_segments": "1"}),
    ("media makes an MMS", {"MediaUrl": ["https://example.com/a.png"] * 2}, {"num_media": "2"}),
    ("media without a text", {"Body": None, "MediaUrl": "https://example.com/a.gif"}, {"body": ""}),
    ("a service chooses the sender later", {"From": None, "MessagingServiceSid": SERVICE_SID}, {"from": None}),
    ("from a service it begins as accepted", {"MessagingServiceSid": SERVICE_SID}, {"status": "accepted"}),
    ("and its segments are not counted yet", {"MessagingServiceSid": SERVICE_SID}, {"num_segments": "0"}),
    ("feedback has a place", {"ProvideFeedback": "true"}, {"status": "queued"}),
    ("unknown fields are ignored", {"Unknown": "x"}, {"status": "queued"}),
    ("a callback with a fragment", {"StatusCallback": "https://h.example.com/x?a=1#rc=3"}, {"status": "queued"}),
    ("validity at its bounds", {"ValidityPeriod": "36000"}, {"status": "queued"}),
]


@pytest.mark.parametrize(("form", "expected"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_accepted(api: Api, admin: AdminClient, form: dict[str, Any], expected: dict[str, Any]) -> None:
    made = api.created(**form)
    assert made | expected == made
    assert [message["sid"] for message in admin.messages()] == [made["sid"]]


def test_ids_begin_with_mm_for_mms(api: Api) -> None:
    assert api.created(MediaUrl="https://example.com/a.png")["sid"].startswith("MM")


def test_a_service_without_senders_cannot_send(api: Api, admin: AdminClient) -> None:
    empty = "MG" + "2" * 32
    admin.post("services", {"sid": empty})
    assert api.create(From=None, MessagingServiceSid=empty).json()["code"] == 21704


def test_a_service_always_takes_the_same_sender_for_a_recipient(api: Api, admin: AdminClient) -> None:
    for last in range(5):
        admin.post("numbers", {"number": f"+1501725070{last}", "serviceSid": SERVICE_SID})
    for _ in range(3):
        api.created(From=None, MessagingServiceSid=SERVICE_SID)
    senders = {message["from"] for message in admin.messages()}
    assert len(senders) == 1
    assert senders <= {SERVICE_NUMBER, *(f"+1501725070{last}" for last in range(5))}


def test_a_trial_account_texts_verified_numbers_only(api: Api, admin: AdminClient) -> None:
    admin.post("accounts", {"sid": ACCOUNT_SID, "type": "Trial", "verified": [TO]})
    assert api.created()["body"] == "Sent from your Twilio trial account - Hello"
    assert api.create(To="+15558675311").json()["code"] == 21608


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        pytest.param("GET", f"{BASE}/Messages/SM{'0' * 32}.json", 404, 20404, id="a message that is not there"),
        pytest.param("GET", f"{BASE}/Messages/SM0.json", 404, 20404, id="an id that can be none"),
        pytest.param("GET", f"{BASE}/Nothing.json", 404, 20404, id="a resource that is not there"),
        pytest.param("GET", "/2010-04-01/Accounts/invalid/Messages.json", 404, 20404, id="an account that can be none"),
        pytest.param("DELETE", f"{BASE}/Messages.json", 405, 20004, id="a method the list does not have"),
        pytest.param("PUT", f"{BASE}/Balance.json", 405, 20004, id="a method the balance does not have"),
    ],
)
def test_addresses_that_lead_nowhere(api: Api, method: str, path: str, status: int, code: int) -> None:
    answer = api.send(method, path)
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (status, code, status)
    if code == 20404:
        assert answer.json()["message"] == f"The requested resource {path} was not found"


def test_a_path_of_no_provider(api: Api) -> None:
    assert api.send("GET", "/unknown/path").status_code == 404


def test_a_json_body_is_no_form(api: Api) -> None:
    answer = api.send("POST", f"{BASE}/Messages.json", json={"To": TO})
    assert answer.json()["code"] == 21604
