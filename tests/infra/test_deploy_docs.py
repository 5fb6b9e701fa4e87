"""docs/deploy.md says what the code does: every key with its default, and names that exist."""

from __future__ import annotations

import re

import connection_config
from components.alerts import alerts
from components.functions import shapes
from naming import ConnectionNames
from stack_config import load
from tests.infra import configurations
from tests.infra.harness import BASE, ROOT

PAGE = (ROOT / "docs" / "deploy.md").read_text()


def test_commands_name_keys_that_exist() -> None:
    """Each `pulumi config set` of the page, read as the program would."""
    for flags, key in re.findall(r"pulumi config set ((?:--\w+ )*)'?([\w.\[\]:]+)'?", PAGE):
        if key.startswith("gcp:"):
            continue
        path = re.sub(r"^(labels|providerOptions)\..*|\[\d+\]$", r"\1", re.sub(r"^connections\.\w+\.", "", key))
        if path == "KEY":
            continue
        assert path in connection_config.SCHEMAS, key
        assert ("--secret" in flags) == (path in connection_config.SECRET_KEYS), key


def test_the_outputs_named_exist() -> None:
    text = (ROOT / "infra" / "outputs.py").read_text()
    for name in (
        "missingSecrets",
        "connectorUrl",
        "webhookUrl",
        "egressAddress",
        "commands",
        "callbackSecret",
        "inboundAddress",
        "callbackAddresses",
        "rotatorUrl",
        "rotateNow",
    ):
        assert f'"{name}"' in text
        assert name in PAGE


def test_the_picture_has_the_sizes_of_the_code() -> None:
    (connection,) = load(BASE).connections
    sizes = shapes(connection)
    assert f"connector<br/>{sizes['connector'].low} to {sizes['connector'].high} nodes" in PAGE
    assert f"worker<br/>{sizes['worker'].low} to {sizes['worker'].high}, one chunk each" in PAGE
    assert f"webhook<br/>{sizes['webhook'].low} to {sizes['webhook'].high}" in PAGE
    assert f"rotator<br/>{sizes['rotator'].low} to {sizes['rotator'].high}" in PAGE
    assert len(alerts(ConnectionNames("sms"))) == 10
    assert "ten alerts" in PAGE


def test_every_alert_is_listed() -> None:
    rows = PAGE.split("| alert | severity |\n|---|---|\n")[1].split("\n\n")[0].splitlines()
    assert rows == [f"| {alert.title} | {alert.severity} |" for alert in alerts(ConnectionNames("sms"))]


def test_the_arithmetic_is_right() -> None:
    """Each row's sum is what its formula gives, and the last row is the rows' sum."""
    for table in re.findall(r"\| what \| arithmetic \| \$.*?\n\n", PAGE, re.DOTALL):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]
        *parts, total = rows
        for _, formula, amount in parts:
            if re.search(r"\d", formula):
                assert round(evaluate(formula), 2) == float(amount), formula
        assert round(sum(float(amount) for *_, amount in parts), 2) == float(total[2].strip("*"))


def evaluate(formula: str) -> float:
    """Digits, operators and brackets of a formula; words and units fall away."""
    plain = re.sub(r"(?<=\d) (?=\d{3})", "", formula).replace("×", "*")
    plain = re.sub(r"[A-Za-z]+", "", plain)
    assert re.fullmatch(r"[\d\s.()*+/]+", plain), formula
    return float(eval(plain))  # arithmetic only: the line above saw to it


def test_the_warm_nodes_in_the_bill_are_the_default() -> None:
    stack = configurations.stack("smallest that sends")
    connector = stack.named("gcp:cloudfunctionsv2/function:Function", "sms-connector").inputs["serviceConfig"]
    assert (connector["minInstanceCount"], connector["availableMemory"]) == (2, "512Mi")
    assert "two warm nodes, 1 vCPU and 512 MiB each" in PAGE
