"""A start pays for no entities: SQLite and the catalogue come with the first request that needs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.fixtures.processes import ROOT

CODE = """
import sys, json, flask
from sms_connector import app
handle = app.build("connector", json.loads(sys.argv[1]))
web = flask.Flask("connector")
prefix = "/v2/projects/p/locations/l/connections/local"
def ask(path, **more):
    with web.test_request_context(path, **more) as context:
        answer = handle(context.request)
    names = ("apsw", "sms_connector.entities.service", "sms_connector.providers.twilio.entities")
    print(answer.status_code, *(name in sys.modules for name in names))
ask("/v1/limits")
ask(prefix + "/entityTypes")
ask(prefix + ":executeSqlQuery", method="POST", json={"query": {"query": "SELECT 1"}})
"""


def test_entities_are_loaded_by_the_first_request_for_them(tmp_path: Path) -> None:
    for name, value in (("account-sid", "AC" + "0" * 32), ("auth-token", "0" * 32)):
        (tmp_path / name).write_text(value)
    environ = {"SMS_LEDGER": f"sqlite:{tmp_path / 'ledger'}", "SMS_SECRETS_DIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(environ)],
        cwd=ROOT / "function",
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in run.stdout.splitlines() if not line.startswith("{")]
    assert lines == ["200 False False False", "200 False True True", "200 True True True"]
