"""What each function needs to start, and what it tells where that is missing."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path

import pytest

from sms_connector import app
from sms_connector.api.resources.tasks import TaskLater
from sms_connector.app.container import start
from sms_connector.app.webhook import start_webhook
from sms_connector.app.worker import LOOPS, Loops
from sms_connector.errors import LedgerUnavailable, StartError, StoreMisconfigured
from sms_connector.local.clock import SystemClock
from sms_connector.local.queue import SqliteQueue
from sms_connector.local.worker_loop import MinuteTimer
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.status import MessageStatus
from sms_connector.ports import MUST_BE_ABSENT, Delivery, Json, Task
from sms_connector.rate_limit.throttle import Throttle
from sms_connector.store.message_record import MessageRecord
from sms_connector.structured_log import StructuredLog
from sms_connector.transport.http import Lane
from tests.fixtures.fake_clock import ThreadedClock

SECRETS = {
    "account-sid": "AC00000000000000000000000000000001",
    "auth-token": "0123456789abcdef0123456789abcdef",
    "webhook-key": "k" * 32,
}


NOBODY = "http://127.0.0.1:9"  # the port of a service that is long gone: whoever asks is refused at once


def environ(folder: Path, *secrets: str, **settings: str) -> dict[str, str]:
    (folder / "secrets").mkdir(exist_ok=True)
    for name in secrets:
        (folder / "secrets" / name).write_text(SECRETS[name])
    return {"SMS_SECRETS_DIR": str(folder / "secrets"), **settings}


def problems(function: str, settings: dict[str, str]) -> list[str]:
    with pytest.raises(StartError) as refused:
        app.build(function, settings)
    return refused.value.problems


def test_a_function_we_do_not_have(tmp_path: Path) -> None:
    [problem] = problems("mailer", environ(tmp_path))
    assert "the functions are connector, worker, webhook" in problem


def test_the_webhook_needs_its_address_its_key_and_a_queue_and_nothing_else(tmp_path: Path) -> None:
    told = problems("webhook", environ(tmp_path))
    assert [problem.split(" is missing")[0] for problem in told] == [
        "SMS_WEBHOOK_URL",
        "SMS_QUEUE",
        "secret webhook-key",
    ]
    queue = f"sqlite:{tmp_path / 'queue.db'}"
    settings = environ(tmp_path, "webhook-key", SMS_WEBHOOK_URL="http://127.0.0.1:1", SMS_QUEUE=queue)
    assert start_webhook(settings).address.public_url == "http://127.0.0.1:1"


def test_a_worker_needs_a_queue(tmp_path: Path) -> None:
    [problem] = problems(
        "worker", environ(tmp_path, "account-sid", "auth-token", SMS_LEDGER=f"sqlite:{tmp_path / 'ledger.db'}")
    )
    assert problem.startswith("SMS_QUEUE is missing")


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("SMS_SENDER", "MG" + "0" * 32, "SMS_SENDER"),
        ("SMS_SENDERS", '[{"address": "ACME"}, {"address": "whatsapp:+15551234567"}]', "SMS_SENDERS[1].address"),
    ],
)
def test_a_sender_of_a_kind_that_the_provider_does_not_have(tmp_path: Path, name: str, value: str, place: str) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "access-key").write_text("a2V5")
    azure = {"SMS_PROVIDER": "azure", "SMS_PROVIDER_URL": "https://x.communication.azure.com"}
    ledger = {"SMS_LEDGER": f"sqlite:{tmp_path / 'ledger.db'}"}
    [problem] = problems("connector", environ(tmp_path, **azure, **ledger, **{name: value}))
    assert problem.startswith(f"{place} (environment): ")
    assert "which the provider does not have; it has: alphanumeric, long_code, short_code, toll_free" in problem


def test_a_secret_that_cant_be_read_is_a_problem_of_the_start(tmp_path: Path) -> None:
    settings = environ(tmp_path, "account-sid", SMS_LEDGER=f"sqlite:{tmp_path / 'ledger.db'}")
    (tmp_path / "secrets" / "auth-token").symlink_to("auth-token")
    [problem] = problems("connector", settings)
    assert "secret auth-token can't be read" in problem


@pytest.mark.parametrize("function", ["connector", "worker"])
def test_what_sends_needs_the_provider_and_a_ledger(tmp_path: Path, function: str) -> None:
    told = problems(function, environ(tmp_path, SMS_WEBHOOK_URL="http://127.0.0.1:1"))
    text = "\n".join(told)
    assert all(each in text for each in ("SMS_LEDGER", "account-sid", "auth-token", "webhook-key"))


def test_callbacks_are_applied_only_where_they_come_in(tmp_path: Path) -> None:
    ledger = f"sqlite:{tmp_path / 'ledger.db'}"
    settings = environ(tmp_path, *SECRETS, SMS_LEDGER=ledger)
    assert start(settings).events is None
    assert start({**settings, "SMS_WEBHOOK_URL": "http://127.0.0.1:1"}).events is not None


def test_a_rate_of_the_whole_connection_is_the_gate(tmp_path: Path) -> None:
    ledger = f"sqlite:{tmp_path / 'ledger.db'}"
    settings = environ(tmp_path, *SECRETS, SMS_LEDGER=ledger, SMS_CONNECTION_RATE="7")
    node = start(settings)
    with pytest.raises(Exception, match=r"127\.0\.0\.1"):
        start({**settings, "SMS_PROVIDER_URL": "http://127.0.0.1:9"}).provider.fetch_reports(["SM" + "0" * 32])
    assert isinstance(node.throttle, Throttle)
    [document] = node.ledger.get("connectionRate", ["allocation"])
    assert document is not None
    [(share, *_)] = document.data["nodes"].values()
    assert share == 7


def test_the_gate_is_the_throttles_own_without_one(tmp_path: Path) -> None:
    ledger = f"sqlite:{tmp_path / 'ledger.db'}"
    node = start(environ(tmp_path, *SECRETS, SMS_LEDGER=ledger))
    node.throttle.wait_turn(Lane.SEND)
    assert node.ledger.get("connectionRate", ["allocation"]) == [None]


@pytest.mark.parametrize(("hours", "status"), [("1", MessageStatus.EXPIRED), ("3", MessageStatus.SENT)])
def test_a_message_without_news_expires_after_the_hours_that_were_set(
    tmp_path: Path, hours: str, status: MessageStatus
) -> None:
    ledger = f"sqlite:{tmp_path / 'ledger.db'}"
    node = start(
        environ(
            tmp_path,
            "account-sid",
            "auth-token",
            SMS_LEDGER=ledger,
            SMS_EXPIRE_AFTER_HOURS=hours,
            SMS_PROVIDER_URL=NOBODY,
        )
    )
    sent_at = node.clock.time() - 2 * 3600
    record = MessageRecord("msg_1", "+15558675310", "+15551234567", "digest", sent_at, sent_at, version=MUST_BE_ABSENT)
    record.apply_report(DeliveryReport("SM1", MessageStatus.SENT, "sent"), at=sent_at, source="send")
    record.next_check_at = sent_at + int(hours) * 3600  # nobody is asked before
    node.ledger.commit([record.to_write()])
    assert node.engine.messages.get("msg_1").status is status


def test_a_local_worker_takes_tasks_from_the_file_once_it_serves(tmp_path: Path) -> None:
    clock = SystemClock()
    queue = SqliteQueue(tmp_path / "queue.db", clock=clock)
    done, seen = threading.Event(), []

    def carry_out(payload: Json) -> None:
        seen.append((payload["n"], threading.current_thread().name))
        if len(seen) == 3:
            done.set()

    loops = Loops(queue, {"/tasks/x": carry_out}, clock, StructuredLog(level="error"))
    queue.enqueue([Task("chunks", "/tasks/x", {"n": 1}), *(Task("events", "/tasks/x", {"n": n}) for n in (2, 3))])
    before = threading.active_count()
    for _ in range(3):
        loops.start()
    assert done.wait(30)
    assert sorted(number for number, _ in seen) == [1, 2, 3]
    assert threading.active_count() - before <= 2 * len(LOOPS)


def test_a_local_worker_runs_maintenance_at_once_and_each_minute_whatever_the_queue_holds() -> None:
    """A run that fails, or that another holds, stops none of those that follow."""
    clock = ThreadedClock()
    runs: list[float] = []
    timer: list[MinuteTimer] = []

    def maintain() -> None:
        runs.append(clock.now)
        if len(runs) == 4:
            timer[0].stopping.set()
        raise LookupError("a failure")

    failures: list[BaseException] = []
    timer.append(MinuteTimer(maintain, clock=clock, report=lambda _, failure: failures.append(failure)))
    begun = clock.now
    clock.run(timer[0].run)
    assert [moment - begun for moment in runs] == [0.0, 60.0, 120.0, 180.0]
    assert len(failures) == 4


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        pytest.param(TaskLater("the chunk is not done"), [], id="no failure"),
        pytest.param(LedgerUnavailable(), [("WARNING", "ledger_unavailable")], id="the ledger is out of reach"),
        pytest.param(StoreMisconfigured("no index"), [("ERROR", "store_misconfigured")], id="the ledger refuses us"),
        pytest.param(KeyError("x"), [("ERROR", "task failed")], id="a defect"),
    ],
)
def test_what_a_local_worker_tells_of_a_task_that_comes_again(
    tmp_path: Path, failure: Exception, told: list[tuple[str, str]]
) -> None:
    clock, log = SystemClock(), io.StringIO()
    loops = Loops(SqliteQueue(tmp_path / "queue.db", clock=clock), {}, clock, StructuredLog(stream=log))
    loops.report(Delivery(Task("events", "/tasks/x", {}), 3), failure)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["severity"], line["message"]) for line in lines] == told
    assert [(line["task"], line["attempt"]) for line in lines] == [("/tasks/x", 3)] * len(told)
