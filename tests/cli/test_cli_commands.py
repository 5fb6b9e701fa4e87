"""Every command against a running connector: what people see, what programs get, and the exit code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from cli.stack import Stack
from sandbox import AdminClient
from tests.cli.conftest import Run
from tests.fixtures.functions import Received, answering

ANN, BOB = "+15558675310", "+15558675311"
FILTERED = "+15005530007"  # the sandbox's carrier refuses it
TEXT = (
    "--message",
    "Hello <first name>, order <order> ships today.",
    "--map",
    "to=mobile",
    "--map",
    "first name=Vorname",
)


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    file = tmp_path / "customers.csv"
    file.write_text(f"Vorname;mobile;order\nZoë;{ANN};A-1\nBob;{FILTERED};A-2\n", encoding="utf-8-sig")
    return file


@pytest.fixture
def sent_id(sms: Run) -> str:
    [result] = sms("--json", "send", "--to", BOB, "--message", "Hello").document["results"]
    return str(result["id"])


def sent_to_ann(sandbox: AdminClient) -> int:
    """Counted by recipient: a campaign of another test may still be leaving."""
    return sum(message["to"] == ANN for message in sandbox.messages())


class TestSend:
    def test_one_message(self, sms: Run) -> None:
        ran = sms("send", "--to", ANN, "--message", "Your code is 1234")
        assert ran.code == 0
        assert ANN in ran.out
        assert "1 delivered" in ran.out
        assert "--key" in ran.err

    def test_a_file_shows_what_did_not_arrive_and_why(self, sms: Run, customers: Path) -> None:
        ran = sms("send", "--csv", str(customers), *TEXT)
        assert ran.code == 1
        assert "1 delivered · 1 undelivered" in ran.out
        assert ANN not in ran.out
        assert "30007" in ran.out
        assert FILTERED in ran.out

    def test_lines_of_json(self, sms: Run, sandbox: AdminClient, tmp_path: Path) -> None:
        file = tmp_path / "records.ndjson"
        file.write_text(f'{{"to": "{ANN}", "who": "Łukasz"}}\n\n{{"to": "{BOB}", "who": "Inés"}}\n', encoding="utf-8")
        ran = sms("--json", "send", "--ndjson", str(file), "--message", "Hola <who>")
        assert [result["index"] for result in ran.document["results"]] == [0, 1]
        assert {message["body"] for message in sandbox.messages()} >= {"Hola Łukasz", "Hola Inés"}

    def test_the_same_key_sends_nothing_twice(self, sms: Run, sandbox: AdminClient, customers: Path) -> None:
        command = ("--json", "send", "--csv", str(customers), *TEXT, "--key", "monday")
        first = sms(*command)
        before = sent_to_ann(sandbox)
        again = sms(*command)
        assert (again.code, again.document) == (first.code, first.document)
        assert sent_to_ann(sandbox) == before

    def test_without_waiting(self, sms: Run) -> None:
        ran = sms("--json", "send", "--to", ANN, "--message", "Hi", "--no-wait")
        assert ran.code == 0
        assert ran.document["results"][0]["final"] is False

    def test_a_bad_record_refuses_the_file(self, sms: Run, sandbox: AdminClient, customers: Path) -> None:
        before = sent_to_ann(sandbox)
        customers.write_text(f"Vorname,mobile,order\nAnn,{ANN},A-1\nBob,0171 3920017,A-2\n")
        ran = sms("send", "--csv", str(customers), *TEXT)
        assert ran.code == 2
        assert "error: line 3, mobile: '0171 3920017' is not a phone number" in ran.err
        assert sent_to_ann(sandbox) == before

    def test_a_bad_record_is_reported_where_asked(self, sms: Run, customers: Path) -> None:
        customers.write_text(f"Vorname,mobile,order\nAnn,{ANN},A-1\nBob,0171 3920017,A-2\n")
        ran = sms("send", "--csv", str(customers), *TEXT, "--on-invalid", "report")
        assert ran.code == 1
        assert "1 delivered · 1 error" in ran.out

    def test_a_dry_run_sends_nothing(self, sms: Run, sandbox: AdminClient, customers: Path) -> None:
        before = sent_to_ann(sandbox)
        ran = sms("send", "--csv", str(customers), *TEXT, "--dry-run")
        assert ran.code == 0
        assert "Hello Zoë, order A-1 ships today." in ran.out
        assert "2 messages; nothing was sent" in ran.out
        assert sent_to_ann(sandbox) == before

    def test_preview(self, sms: Run, customers: Path) -> None:
        ran = sms("preview", "--csv", str(customers), *TEXT)
        assert ran.code == 0
        assert "UCS-2" in ran.out
        assert "Hello Bob" in ran.out

    def test_a_preview_of_what_is_wrong_ends_with_2(self, sms: Run, customers: Path) -> None:
        customers.write_text(f"Vorname;mobile;order\rAnn;{ANN};A-1\rBob;0123;A-2\r")
        ran = sms("preview", "--csv", str(customers), *TEXT)
        assert ran.code == 2
        assert "mobile: '0123' is not a phone number" in ran.out

    def test_the_files_offices_make_are_read_by_the_connector(self, sms: Run, customers: Path) -> None:
        text = f'sep=;\r\n"First\nname";mobile;;\r\nZoë;{ANN};;\r\n;;;\r\n'
        customers.write_bytes(text.encode("cp1252"))
        options = ("--message", "Hi <First name>", "--map", "to=mobile", "--encoding", "windows-1252")
        ran = sms("send", "--csv", str(customers), *options, "--json")
        assert ran.code == 0, ran.err
        assert [result["line"] for result in ran.document["results"]] == [4]

    def test_warnings_are_told(self, sms: Run) -> None:
        ran = sms("send", "--to", ANN, "--message", "Hi {name}")
        assert "warning: message: '{name}' looks like a placeholder" in ran.err
        assert sms("send", "--to", ANN, "--message", "Hi {name}", "--strict").code == 2

    def test_media(self, sms: Run, sandbox: AdminClient) -> None:
        ran = sms("send", "--to", ANN, "--message", "Hi", "--media", "https://example.com/cat.png")
        assert ran.code == 0, ran.err


class TestCampaign:
    TEXT = ("--message", "Hello <Vorname>", "--map", "to=mobile", "--interval", "0.5")

    @pytest.fixture
    def many(self, tmp_path: Path) -> Path:
        file = tmp_path / "many.csv"
        rows = [f"Vorname{number},+1555867{number:04}" for number in range(60)]
        file.write_text("\n".join(["Vorname,mobile", *rows, ""]), encoding="utf-16")
        return file

    def test_from_a_file_to_its_results(self, sms: Run, sandbox: AdminClient, customers: Path, tmp_path: Path) -> None:
        ran = sms("campaign", "create", str(customers), *self.TEXT)
        assert ran.code == 1
        assert "1 delivered · 1 undelivered" in ran.out
        [campaign] = sms("--json", "campaign", "list", "--limit", "1").document["campaigns"]
        assert "30007" in sms("campaign", "results", campaign["id"]).out
        file = tmp_path / "results.csv"
        assert sms("campaign", "results", campaign["id"], "--csv", str(file)).code == 0
        head, *rows = file.read_text().splitlines()
        assert head.startswith("index,id,to,status")
        assert [row.split(",")[2:4] for row in rows] == [[ANN, "delivered"], [FILTERED, "undelivered"]]
        assert {message["body"] for message in sandbox.messages()} >= {"Hello Zoë", "Hello Bob"}

    def test_the_same_key_is_the_same_campaign(self, sms: Run, sandbox: AdminClient, customers: Path) -> None:
        command = ("--json", "campaign", "create", str(customers), *self.TEXT, "--key", "tuesday")
        first = sms(*command).document
        before = sent_to_ann(sandbox)
        assert sms(*command).document["id"] == first["id"]
        assert sent_to_ann(sandbox) == before

    def test_a_dry_run(self, sms: Run, sandbox: AdminClient, many: Path) -> None:
        before = len(sandbox.messages())
        ran = sms("campaign", "create", str(many), *self.TEXT, "--dry-run")
        assert ran.code == 0
        assert "60 messages; nothing was sent" in ran.out
        assert "25 messages a second" in ran.out
        assert len(sandbox.messages()) == before

    def test_pause_resume_and_cancel(self, sms: Run, many: Path) -> None:
        created = sms("--json", "campaign", "create", str(many), *self.TEXT, "--no-watch").document
        assert created["state"] == "running"
        assert sms("--json", "campaign", "pause", created["id"], "--reason", "wait").document["state"] == "paused"
        assert "wait" in sms("campaign", "list", "--state", "paused").out
        assert sms("--json", "campaign", "resume", created["id"]).document["state"] == "running"
        assert sms("--json", "campaign", "cancel", created["id"]).document["state"] == "canceled"
        ran = sms("campaign", "resume", created["id"])
        assert ran.code == 2
        assert "canceled" in ran.err

    def test_a_wrong_column_keeps_nothing(self, sms: Run, customers: Path) -> None:
        ran = sms("campaign", "create", str(customers), "--message", "Hi", "--map", "to=Mobil")
        assert ran.code == 2
        assert "the CSV has no column 'Mobil'" in ran.err


def test_a_callback_that_was_given_up_is_told_again(sms: Run) -> None:
    codes = iter([410, 204])
    heard: Queue[Received] = Queue()

    def answer(received: Received) -> int:
        heard.put(received)
        return next(codes)

    with answering(answer) as url:
        sms("send", "--to", ANN, "--message", "Hi", "--callback-url", f"{url}/results")
        refused = heard.get(timeout=30)
        [callback] = wait_for(lambda: sms("--json", "replay").document["callbacks"])
        assert "410" in callback["lastError"]
        assert sms("--json", "replay", callback["id"]).document["callbacks"][0]["state"] == "pending"
        told = heard.get(timeout=30)
    assert told.headers["webhook-id"] == refused.headers["webhook-id"] == callback["id"]
    assert told.payload["data"]["status"] == "delivered"
    assert sms("replay").out.strip() == "no callback was given up"


def wait_for(look: Callable[[], Any]) -> Any:
    """What it finds, once it finds something."""
    deadline = time.monotonic() + 30
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


class TestMessages:
    def test_status_with_history(self, sms: Run, sent_id: str) -> None:
        ran = sms("status", sent_id, "--history", "--watch", "--interval", "0.1")
        assert ran.code == 0
        assert "delivered (final)" in ran.out
        assert "heard by" in ran.out

    def test_the_status_of_what_failed(self, sms: Run) -> None:
        [result] = sms("--json", "send", "--to", FILTERED, "--message", "Hello").document["results"]
        ran = sms("status", result["id"])
        assert ran.code == 1
        assert "30007" in ran.out

    def test_list(self, sms: Run, sent_id: str) -> None:
        ran = sms("--json", "messages", "--to", BOB, "--limit", "1")
        assert [message["id"] for message in ran.document["messages"]] == [sent_id]
        assert sent_id in sms("messages", "--status", "delivered", "--to", BOB).out

    def test_cancel_comes_too_late(self, sms: Run, sent_id: str) -> None:
        ran = sms("cancel", sent_id)
        assert (ran.code, ran.out) == (2, "")
        assert "delivered already" in ran.err

    def test_redact(self, sms: Run, sandbox: AdminClient, sent_id: str) -> None:
        at_provider = sms("--json", "status", sent_id).document["providerMessageId"]
        assert sms("redact", sent_id).code == 0
        assert [each["body"] for each in sandbox.messages() if each["sid"] == at_provider] == [""]

    def test_unknown(self, sms: Run) -> None:
        ran = sms("--json", "status", "msg_unknown")
        assert ran.code == 2
        assert ran.document["error"]["status"] == "NOT_FOUND"


class TestConnection:
    def test_test(self, sms: Run) -> None:
        ran = sms("--json", "test")
        assert (ran.code, ran.document["state"]) == (0, "ACTIVE")

    @pytest.mark.parametrize("command", ["connection", "senders", "limits", "inbound"])
    def test_shown(self, sms: Run, command: str) -> None:
        assert sms(command).code == 0
        assert sms("--json", command).document

    def test_senders_are_shown_with_what_they_can(self, sms: Run) -> None:
        [sender] = sms("--json", "senders").document["senders"]
        assert f"{sender['address']} (long_code)" in sms("connection").out
        shown = sms("senders").out
        assert (sender["address"] in shown, "all others" in shown) == (True, True)
        assert sender["address"] in sms("preview", "--to", ANN, "--message", "Hi").out
        assert "17122661" in sms("preview", "--to", ANN, "--message", "Hi", "--sender", "+15017122661").out

    @pytest.fixture
    def suspended(self, sms: Run) -> Iterator[None]:
        assert "stocktaking" in sms("suspend", "--reason", "stocktaking").out
        yield
        assert "ACTIVE" in sms("resume").out

    @pytest.mark.usefixtures("suspended")
    def test_nothing_is_sent_while_suspended(self, sms: Run) -> None:
        ran = sms("send", "--to", ANN, "--message", "Hi")
        assert ran.code == 2
        assert "stocktaking" in ran.err


def test_numbers_in_national_form(sms: Run, tmp_path: Path) -> None:
    words = ("--to", "0171 3920017", "--message", "Hi", "--default-country", "DE")
    assert "+491713920017" in sms("preview", *words).out
    assert "+491713920017" in sms("send", *words).out
    file = tmp_path / "national.csv"
    file.write_text("to\n0171 3920017\n", encoding="utf-8")
    ran = sms("--json", "campaign", "create", str(file), "--message", "Hi", "--default-country", "DE", "--dry-run")
    assert (ran.document["total"], ran.document["refused"]) == (1, 0)


def test_opt_outs(sms: Run) -> None:
    number = "+15558675399"
    assert sms("opt-outs", "add", number, "--reason", "by phone").code == 0
    assert number in sms("opt-outs", "list").out
    refused = sms("send", "--to", number, "--message", "Hi")
    assert refused.code == 1
    assert "OPTED_OUT" in refused.out
    assert sms("opt-outs", "remove", number).code == 0
    assert sms("opt-outs", "remove", number).code == 2
    shown = sms("opt-outs", "show", "+1 555 867 5399").out
    assert "may be written to" in shown
    assert "by phone" in shown
    assert "consent given again" in shown


def test_opt_outs_to_a_file_and_back(sms: Run, tmp_path: Path) -> None:
    file, other = tmp_path / "opt-outs.csv", tmp_path / "legacy.csv"
    other.write_text("Mobil;Grund\n+52 1 55 6200 0077;by phone\n0123;\n+15558675398;letter\n", encoding="utf-8")
    ran = sms("--json", "opt-outs", "import", str(other), "--column", "Mobil", "--reason", "legacy")
    assert ran.code == 2
    assert (ran.document["added"], [each["line"] for each in ran.document["problems"]]) == (2, [3])
    assert sms("opt-outs", "export", str(file)).code == 0
    exported = file.read_text(encoding="utf-8-sig")
    assert exported.startswith("number,source,reason,since")
    assert "+525562000077,api,legacy," in exported
    numbers = ("+525562000077", "+15558675398")
    for number in numbers:
        assert sms("opt-outs", "remove", number).code == 0
    assert sms("opt-outs", "import", str(file)).code == 0
    for number in numbers:
        assert sms("opt-outs", "remove", number).code == 0


def test_a_file_without_the_column_names_those_it_has(sms: Run, tmp_path: Path) -> None:
    file = tmp_path / "legacy.csv"
    file.write_text("Mobil\n+15558675398\n", encoding="utf-8")
    ran = sms("opt-outs", "import", str(file))
    assert ran.code == 2
    assert "Mobil" in ran.err
    assert "--column" in ran.err


def test_a_stop_can_be_tried(sms: Run, stack: Stack) -> None:
    """The sandbox calls the webhook, signed, at the inbound address that was set when the stack started."""
    sender = "+15558675397"
    words = ("sandbox", "inbound", "--from", sender, "--body", "Stop!", "--sandbox", stack.sandbox_url)
    ran = sms(*words)
    assert ran.code == 0, ran.err
    assert "the webhook took it" in ran.out
    wait_for(lambda: sender in sms("opt-outs", "list").out)
    refused = sms("send", "--to", sender, "--message", "Hi")
    assert "OPTED_OUT" in refused.out
    assert "Stop!" in sms("inbound", "--from", sender).out
    assert sms("opt-outs", "remove", sender).code == 0


def test_a_sandbox_that_does_not_answer(sms: Run) -> None:
    ran = sms("sandbox", "inbound", "--from", ANN, "--body", "STOP", "--sandbox", "http://127.0.0.1:9")
    assert ran.code == 3
    assert "make serve" in ran.err
