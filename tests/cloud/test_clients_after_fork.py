"""Google's clients are made after the server has forked: gunicorn loads the function first and forks its worker then."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "SMS_LEDGER": "firestore:forks/sms",
    "SMS_QUEUE": "cloud-tasks:forks/europe-west3",
    "SMS_WORKER_URL": "https://worker.example",
    "SMS_CONNECTOR_URL": "https://connector.example",
    "SMS_TASKS_ACCOUNT": "tasks@forks.iam.gserviceaccount.com",
    "SMS_CAMPAIGN_SOURCES": "gs://inputs",
    "SMS_SENDER": "+15551234567",
}
START = """
import gc, os, grpc
from sms_connector import app
handle = app.build(os.environ["FUNCTION_TARGET"], os.environ)
made = [each for each in gc.get_objects() if isinstance(each, grpc.Channel)]
assert not made, f"{len(made)} channels before the fork"
"""
# Parent and children use the ledger at the same time; a channel that had been forked would hang (grpc/grpc#41725).
USE = """
import os
from sms_connector.cloud.ledger import FirestoreLedger
from sms_connector.local.clock import SystemClock
from sms_connector.ports import Write
ledger = FirestoreLedger.connect("forks", "sms", clock=SystemClock())
children = []
for number in range(2):
    child = os.fork()
    if child == 0:
        ledger.commit([Write("messages", f"m{number}", {"to": "+15558675310"})])
        os._exit(0 if ledger.get("messages", [f"m{number}"])[0] else 1)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
assert all(ledger.get("messages", ["m0", "m1"]))
"""


def run(code: str, **environ: str) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SMS_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean | {"PYTHONPATH": str(ROOT / "function")} | environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("target", ["connector", "worker", "webhook"])
def test_no_channel_is_open_when_the_server_forks(target: str, tmp_path: Path) -> None:
    for name in ("account-sid", "auth-token", "webhook-key"):
        (tmp_path / name).write_text("AC" + "0" * 32)
    run(
        START,
        **SETTINGS,
        SMS_SECRETS_DIR=str(tmp_path),
        FUNCTION_TARGET=target,
        SMS_WEBHOOK_URL="https://sms.example",
        FIRESTORE_EMULATOR_HOST="127.0.0.1:1",
        CLOUD_TASKS_EMULATOR_HOST="127.0.0.1:1",
        STORAGE_EMULATOR_HOST="http://127.0.0.1:1",
    )


@pytest.mark.real
def test_a_ledger_works_in_every_process_after_a_fork(firestore_emulator: str) -> None:
    run(USE, FIRESTORE_EMULATOR_HOST=firestore_emulator)
