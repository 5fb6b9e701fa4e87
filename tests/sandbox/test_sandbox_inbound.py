from __future__ import annotations

import pytest
from twilio.request_validator import RequestValidator

from sandbox import AdminClient
from sandbox.client import AdminCallError
from sandbox.twilio.accounts import AUTH_TOKEN, SERVICE_NUMBER, SERVICE_SID
from sandbox.twilio.inbound import keyword
from sandbox.twilio.twiml import ReplyMessage, TwimlError, parse_twiml
from tests.sandbox.support import FROM, TO, Api, Receiver

THEM, OURS = TO, FROM


@pytest.fixture
def webhook(admin: AdminClient, receiver: Receiver) -> Receiver:
    admin.post("numbers", {"number": OURS, "smsUrl": f"{receiver.url}/inbound?a=1"})
    return receiver


def test_the_fields_and_the_signature(admin: AdminClient, webhook: Receiver) -> None:
    result = admin.inbound(to=OURS, from_=THEM, body="Olá 👍", mediaUrls=["https://example.com/a.png"])
    (got,) = webhook.received
    named = {name: value for name, value in got.fields.items() if value}
    assert named == {
        "SmsMessageSid": result["sid"],
        "MessageSid": result["sid"],
        "SmsSid": result["sid"],
        "SmsStatus": "received",
        "Body": "Olá 👍",
        "To": OURS,
        "From": THEM,
        "NumMedia": "1",
        "NumSegments": "1",
        "MediaUrl0": "https://example.com/a.png",
        "MediaContentType0": "image/png",
        "AccountSid": "AC00000000000000000000000000000001",
        "ApiVersion": "2010-04-01",
    }
    signature = got.headers["X-Twilio-Signature"]
    assert RequestValidator(AUTH_TOKEN).validate(f"{webhook.url}/inbound?a=1", got.fields, signature)
    assert result == {
        "sid": result["sid"],
        "keyword": None,
        "webhook": {"status": 204, "error": None},
        "replies": [],
        "error": None,
    }


def test_a_get_webhook_has_its_fields_in_the_address(admin: AdminClient, webhook: Receiver) -> None:
    admin.post("numbers", {"number": OURS, "smsMethod": "GET"})
    admin.inbound(to=OURS, from_=THEM, body="a b&c")
    (got,) = webhook.received
    assert got.path.startswith("/inbound?a=1&")
    assert "From=%2B15558675310" in got.path
    assert RequestValidator(AUTH_TOKEN).validate(webhook.url + got.path, {}, got.headers["X-Twilio-Signature"])


def test_it_is_in_the_list(admin: AdminClient, api: Api) -> None:
    sid = admin.inbound(to=OURS, from_=THEM, body="Hi")["sid"]
    (message,) = api.list(To=OURS)["messages"]
    assert (message["sid"], message["direction"], message["status"], message["from"]) == (
        sid,
        "inbound",
        "received",
        THEM,
    )
    assert message["date_sent"] is not None


def test_without_a_webhook_it_is_only_stored(admin: AdminClient) -> None:
    assert admin.inbound(to=OURS, from_=THEM, body="Hi")["webhook"] is None


def test_a_service_takes_in_for_its_numbers(admin: AdminClient, receiver: Receiver) -> None:
    admin.post("services", {"sid": SERVICE_SID, "inboundUrl": f"{receiver.url}/service", "advancedOptOut": True})
    admin.inbound(to=SERVICE_NUMBER, from_=THEM, body=" stop ")
    (got,) = receiver.received
    assert (got.path, got.fields["MessagingServiceSid"], got.fields["OptOutType"]) == ("/service", SERVICE_SID, "STOP")


def test_the_reply(admin: AdminClient, api: Api, webhook: Receiver) -> None:
    webhook.answer = lambda _: (200, "<Response><Message>Thanks &amp; bye</Message></Response>")
    (reply,) = admin.inbound(to=OURS, from_=THEM, body="Hi")["replies"]
    message = api.fetch(reply["sid"])
    assert (message["direction"], message["to"], message["from"], message["body"]) == (
        "outbound-reply",
        THEM,
        OURS,
        "Thanks & bye",
    )


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        pytest.param(500, "<Response><Message>no</Message></Response>", None, id="an error answers nothing"),
        pytest.param(200, "<Response", "not XML", id="broken XML"),
        pytest.param(200, "<html/>", "<html>", id="not TwiML"),
        pytest.param(200, "", None, id="an empty answer"),
    ],
)
def test_answers_that_send_nothing(
    admin: AdminClient, webhook: Receiver, status: int, text: str, error: str | None
) -> None:
    webhook.answer = lambda _: (status, text)
    result = admin.inbound(to=OURS, from_=THEM, body="Hi")
    assert result["replies"] == []
    assert (error or "") in (result["error"] or "")
    assert (result["error"] is None) == (error is None)


def test_stop_and_start(admin: AdminClient, api: Api, webhook: Receiver) -> None:
    webhook.answer = lambda _: (200, "<Response><Message>Sorry to see you go</Message></Response>")
    stopped = admin.inbound(to=OURS, from_=THEM, body="Stop")
    assert stopped["keyword"] == "STOP"
    assert stopped["replies"] == [{"sid": None, "refused": 21610}]
    assert len(webhook.received) == 1
    assert admin.get("opt-outs") == [{"scope": OURS, "recipient": THEM}]
    assert api.create().json()["code"] == 21610
    assert api.create(From="+15551234567").status_code == 201
    assert admin.inbound(to=OURS, from_=THEM, body="START")["keyword"] == "START"
    assert api.create().status_code == 201


def test_consent_of_a_service_holds_for_all_its_numbers(admin: AdminClient, api: Api) -> None:
    admin.post("numbers", {"number": "+15017250605", "serviceSid": SERVICE_SID})
    admin.inbound(to=SERVICE_NUMBER, from_=THEM, body="END")
    for form in ({"From": "+15017250605"}, {"From": None, "MessagingServiceSid": SERVICE_SID}):
        assert api.create(**form).json()["code"] == 21610


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        *((word, "STOP") for word in ["STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"]),
        *((word, "START") for word in ["START", "YES", "UNSTOP"]),
        *((word, "HELP") for word in ["HELP", "INFO"]),
        pytest.param("  stOp\n", "STOP", id="any case, blanks around"),
        pytest.param("STOP it", None, id="more than the word"),
        pytest.param("STOP.", None, id="punctuation is more than the word"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_keywords(body: str, kind: str | None) -> None:
    assert keyword(body) == kind


@pytest.mark.parametrize(
    ("text", "replies"),
    [
        pytest.param("<Response/>", [], id="no reply"),
        pytest.param("<Response><Message>a</Message><Message>b</Message></Response>", ["a", "b"], id="two"),
        pytest.param("<Response><Message><Body>a</Body></Message></Response>", ["a"], id="with a body"),
        pytest.param("<Response><Redirect>/x</Redirect></Response>", [], id="another verb"),
    ],
)
def test_twiml(text: str, replies: list[str]) -> None:
    assert [reply.body for reply in parse_twiml(text)] == replies


def test_twiml_attributes() -> None:
    text = (
        '<?xml version="1.0"?><Response><Message to="+1" from="+2" statusCallback="/s">'
        "<Body>a</Body><Media>https://x/y.png</Media></Message></Response>"
    )
    assert parse_twiml(text) == [ReplyMessage("a", ("https://x/y.png",), "+1", "+2", "/s")]


def test_twiml_that_is_none() -> None:
    with pytest.raises(TwimlError):
        parse_twiml("hello")


@pytest.mark.parametrize(
    ("message", "word"),
    [
        pytest.param({"to": "+15550000000", "from_": THEM}, "to:", id="to a number that is not ours"),
        pytest.param({"to": OURS, "from_": "nobody"}, "from:", id="from nobody"),
        pytest.param({"to": OURS, "from_": THEM, "accountSid": "AC2"}, "accountSid:", id="an unknown account"),
    ],
)
def test_what_nobody_could_text(admin: AdminClient, message: dict[str, str], word: str) -> None:
    with pytest.raises(AdminCallError, match=word):
        admin.inbound(**message)
