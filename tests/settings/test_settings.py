"""What a start reads, and that it refuses with everything at once."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sms_connector.api.schemas.request_body import RETRY_ATTEMPTS, RETRY_INTERVAL_MILLIS
from sms_connector.errors import StartError
from sms_connector.model.phone_number import SenderKind
from sms_connector.settings import READERS, Address, load
from sms_connector.transport.settings import ProxyAuth, ProxySettings, ProxySsl

LEDGER = Path(__file__).with_name("ledger.db")  # nothing makes it
LOCAL = {"SMS_LEDGER": f"sqlite:{LEDGER}"}
PLATFORM = {"SMS_LEDGER": "firestore:a-project/sms", "K_SERVICE": "sms-connector"}
TASKS = {
    "SMS_QUEUE": "cloud-tasks:a-project/europe-west3",
    "SMS_WORKER_URL": "https://worker.example/",
    "SMS_CONNECTOR_URL": "https://connector.example",
    "SMS_TASKS_ACCOUNT": "tasks@a-project.iam.gserviceaccount.com",
}
PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(StartError) as caught:
        load(environ)
    return caught.value.problems


def test_the_ledger_is_all_that_has_to_be_said() -> None:
    settings = load(LOCAL)
    assert settings.ledger == Address(path=LEDGER)
    assert (settings.connection, settings.provider, settings.sender) == ("local", "twilio", None)
    assert (settings.retry_interval_millis, settings.retry_attempts, settings.expire_after_hours) == (10_000, 6, 72)
    assert (settings.node_rate, settings.connection_rate) == (25, None)
    assert settings.secrets_dir == Path("/secrets")
    assert (settings.queue, settings.webhook_url, settings.proxy, settings.ca_file) == (None, None, None, None)
    assert (settings.log_level, settings.on_platform, settings.project) == ("info", False, None)
    assert settings.suspended is False


def test_everything_said(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    settings = load(
        PLATFORM
        | TASKS
        | {
            "SMS_CONNECTION": "orders-2",
            "SMS_DESCRIPTION": "Order news",
            "SMS_LABELS": "team=shop, stage=prod,empty=",
            "SMS_REGION": "europe-west3",
            "SMS_NODES_MIN": "2",
            "SMS_NODES_MAX": "50",
            "SMS_SUSPENDED": "true",
            "SMS_PROVIDER_URL": "https://twilio.example/base/",
            "SMS_SENDER": "+15551234567",
            "SMS_BUSINESS_UNIT": "Retail",
            "SMS_DEFAULT_COUNTRY": "DE",
            "SMS_RETRY_INTERVAL_MILLIS": "100",
            "SMS_RETRY_ATTEMPTS": "0",
            "SMS_EXPIRE_AFTER_HOURS": "24",
            "SMS_NODE_RATE": "1",
            "SMS_CONNECTION_RATE": "40",
            "SMS_SECRETS_DIR": "/run/secrets",
            "SMS_WEBHOOK_URL": "https://hooks.example",
            "SMS_PROXY_URL": "http://proxy.example:3128",
            "SMS_PROXY_AUTH": "digest",
            "SMS_PROXY_SSL": "tunnel",
            "SMS_CA_FILE": str(tmp_path / "ca.pem"),
            "SMS_LOG_LEVEL": "debug",
            "SMS_CAMPAIGN_SOURCES": "gs://lists, gs://other-lists/sms/",
            "SMS_STOP_WORDS": "STOPP, ARRÊT",
            "SMS_HELP_REPLY": "Call 0800 1234",
            "SMS_CALLBACK_URL": "https://crm.example/sms?tenant=7",
            "SMS_CALLBACK_PRIVATE_HOSTS": "10.1.0.0/16,crm.internal",
        }
    )
    assert settings.queue == Address(None, "a-project", "europe-west3")
    assert (settings.worker_url, settings.connector_url) == ("https://worker.example", "https://connector.example")
    assert settings.tasks_account == TASKS["SMS_TASKS_ACCOUNT"]
    assert settings.ledger == Address(None, "a-project", "sms")
    assert settings.labels == {"team": "shop", "stage": "prod", "empty": ""}
    assert (settings.nodes_min, settings.nodes_max) == (2, 50)
    assert settings.suspended is True
    assert settings.provider_url == "https://twilio.example/base"
    assert settings.sender is not None
    assert settings.sender.kind is SenderKind.LONG_CODE
    assert settings.all_senders.listed == (replace(settings.sender, default=True),)
    assert settings.business_unit == "Retail"
    assert (settings.retry_interval_millis, settings.retry_attempts, settings.expire_after_hours) == (100, 0, 24)
    assert settings.proxy == ProxySettings("proxy.example", 3128, ProxyAuth.DIGEST, ProxySsl.TUNNEL)
    assert settings.campaign_sources == ("gs://lists", "gs://other-lists/sms")
    assert settings.default_country == "DE"
    assert settings.stop_words == ("STOPP", "ARRÊT")
    assert settings.callback_url == "https://crm.example/sms?tenant=7"
    assert settings.callback_private_hosts == ("10.1.0.0/16", "crm.internal")
    assert (settings.on_platform, settings.project) == (True, "a-project")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        pytest.param(
            {"SMS_LEDGER": ""}, "SMS_LEDGER is missing: looked in the environment; set it to sqlite", id="none"
        ),
        pytest.param({"SMS_LEDGER": "/data/x"}, "it has to be sqlite:<path> or firestore:", id="a path alone"),
        pytest.param({"SMS_LEDGER": "sqlite:"}, "it has to be sqlite:<path>", id="no path"),
        pytest.param({"SMS_LEDGER": "firestore:p"}, "firestore:<project>/<database>", id="no database"),
        pytest.param({"SMS_LEDGER": "firestore:p/a/b"}, "firestore:<project>/<database>", id="three parts"),
        pytest.param({"SMS_QUEUE": "redis:x"}, "cloud-tasks:<project>/<location>", id="another queue"),
        pytest.param({"SMS_CONNECTION": "Orders"}, "lower-case letters", id="upper case"),
        pytest.param({"SMS_CONNECTION": "2-orders"}, "starting with a letter", id="starts with a digit"),
        pytest.param({"SMS_CONNECTION": "orders-"}, "ending with a letter or digit", id="ends with a hyphen"),
        pytest.param({"SMS_CONNECTION": "o" * 64}, "at most 63", id="64 characters"),
        pytest.param({"SMS_PROVIDER": "nexmo"}, "'nexmo' is not one of twilio", id="another provider"),
        pytest.param({"SMS_PROVIDER_URL": "api.example"}, "absolute http:// or https://", id="no scheme"),
        pytest.param({"SMS_PROVIDER_URL": "https://a.example?x=1"}, "no user name, password, query", id="a query"),
        pytest.param({"SMS_PROVIDER_URL": "https://a.example:x"}, "check brackets and port", id="a port that is none"),
        pytest.param({"SMS_PROVIDER_URL": "https://a .example"}, "spaces", id="a space"),
        pytest.param({"SMS_SENDER": "much too long a name"}, "is not a sender", id="a sender that is none"),
        pytest.param({"SMS_RETRY_INTERVAL_MILLIS": "99"}, "from 100 to 3600000", id="too often"),
        pytest.param({"SMS_RETRY_ATTEMPTS": "-1"}, "from 0 to 100", id="a sign"),
        pytest.param({"SMS_EXPIRE_AFTER_HOURS": "0"}, "from 1 to 696", id="expired before it is sent"),
        pytest.param({"SMS_EXPIRE_AFTER_HOURS": "697"}, "from 1 to 696", id="expired when it is gone"),
        pytest.param({"SMS_NODE_RATE": "26"}, "from 1 to 25", id="over what a node may"),
        pytest.param({"SMS_NODE_RATE": "0"}, "from 1 to 25", id="never"),
        pytest.param({"SMS_NODE_RATE": "2.5"}, "whole number", id="a fraction"),
        pytest.param({"SMS_NODE_RATE": "٢"}, "whole number", id="Arabic digits"),
        pytest.param({"SMS_NODE_RATE": "9" * 5000}, "whole number", id="5 000 digits"),
        pytest.param({"SMS_CONNECTION_RATE": "0"}, "from 1 to", id="a connection that never sends"),
        pytest.param({"SMS_NODES_MIN": "3", "SMS_NODES_MAX": "2"}, "more than SMS_NODES_MAX", id="least over most"),
        pytest.param({"SMS_SUSPENDED": "yes"}, "neither true nor false", id="a word for true"),
        pytest.param({"SMS_LABELS": "team"}, "write key=value", id="a label without a value"),
        pytest.param({"SMS_LABELS": "Team=x"}, "'Team'", id="a label in upper case"),
        pytest.param({"SMS_REGION": "Frankfurt"}, "not a region", id="a city"),
        pytest.param({"SMS_DESCRIPTION": "x" * 1025}, "at most 1024", id="a long description"),
        pytest.param({"SMS_PROXY_URL": "https://proxy.example:3128"}, "http://host:port", id="a proxy over TLS"),
        pytest.param({"SMS_PROXY_URL": "http://proxy.example"}, "http://host:port", id="a proxy without a port"),
        pytest.param({"SMS_PROXY_AUTH": "basic"}, "SMS_PROXY_URL is missing", id="proxy credentials without a proxy"),
        pytest.param({"SMS_PROXY_SSL": "tunnel"}, "SMS_PROXY_URL is missing", id="a tunnel without a proxy"),
        pytest.param({"SMS_PROXY_AUTH": "ntlm"}, "none, basic, digest", id="another scheme"),
        pytest.param({"SMS_CA_FILE": "/nowhere/ca.pem"}, "no file /nowhere/ca.pem", id="a file that is not there"),
        pytest.param({"SMS_LOG_LEVEL": "warn"}, "error, info, debug", id="another level"),
        pytest.param({"SMS_CAMPAIGN_SOURCES": "lists"}, "absolute path", id="a relative folder"),
        pytest.param({"SMS_CAMPAIGN_SOURCES": "gs://x"}, "neither a bucket", id="a bucket's name too short"),
        *(
            pytest.param(
                {"SMS_CALLBACK_PRIVATE_HOSTS": f"crm.internal,{value}"}, "leave scheme, port and path out", id=why
            )
            for value, why in (
                ("http://x/", "an address for a host"),
                ("10.0.0.0/33", "more bits than an IPv4 address has"),
                ("fd00::/129", "more bits than an IPv6 address has"),
                ("0.0.0.0/0", "all IPv4 addresses"),
                ("::/0", "all IPv6 addresses"),
                ("*", "all names"),
                ("*.", "names below nothing"),
                ("*internal", "half a label"),
                ("a.*.internal", "an asterisk in between"),
                ("*.internal:8443", "a port behind a domain"),
                ("crm.internal:8443", "a port behind a name"),
                ("127.0.0.1:80", "a port behind an address"),
                ("10.0.0", "an address cut short"),
                ("10.0.0.256", "an address out of range"),
                ("crm..internal", "an empty label"),
                ("-crm.internal", "a label that begins with a hyphen"),
                ("crm.internal/16", "a name with bits"),
                ("[::1]", "an address in brackets"),
                ("fe80::1%eth0", "an address with a zone"),
                ("x" * 64 + ".internal", "a label of 64 characters"),
                ("bücher.internal", "a name beyond ASCII"),
            )
        ),
        pytest.param(
            {"SMS_CALLBACK_URL": "https://crm.example"}, "SMS_CALLBACK_URL needs it", id="results and no queue"
        ),
        pytest.param({"SMS_CALLBACK_URL": "crm.example"}, "absolute https://", id="results to no address"),
        pytest.param({"SMS_CALLBACK_URL": "https://a:b@crm.example"}, "no user name", id="results with a password"),
        pytest.param({"SMS_DEFAULT_COUNTRY": "UK"}, "write GB", id="not the country's code"),
        pytest.param({"SMS_DEFAULT_COUNTRY": "Germany"}, "such as DE", id="a country by its name"),
        pytest.param({"SMS_STOP_WORDS": "x" * 41}, "too long", id="a sentence for a word"),
        pytest.param({"SMS_SENDR": "x"}, "did you mean SMS_SENDER?", id="a slip of the pen"),
        pytest.param({"SMS_XYZZY": "x"}, "docs/settings.md lists them all", id="nothing like it"),
    ],
)
def test_one_problem(wrong: dict[str, str], told: str) -> None:
    [problem] = problems(LOCAL | wrong)
    assert told in problem
    assert next(iter(wrong)) in problem or "SMS_PROXY_URL" in problem


@pytest.mark.parametrize(
    ("local", "wanted"),
    [
        ({"SMS_LEDGER": "sqlite:{folder}/x"}, "firestore:<project>/<database>"),
        ({"SMS_QUEUE": "sqlite:{folder}/x"}, "cloud-tasks:<project>/<location>"),
        ({"SMS_PROVIDER_URL": "http://127.0.0.1:8080"}, "https://"),
        ({"SMS_WEBHOOK_URL": "http://hooks.example"}, "https://"),
        (TASKS | {"SMS_CALLBACK_URL": "http://crm.example"}, "https://"),
        (TASKS | {"SMS_WORKER_URL": "http://worker.example"}, "https://"),
        ({"SMS_CAMPAIGN_SOURCES": "/lists"}, "gs://<bucket>"),
    ],
    ids=lambda value: next(reversed(value)) if isinstance(value, dict) else "",
)
def test_local_surroundings_are_refused_on_the_platform_only(
    local: dict[str, str], wanted: str, tmp_path: Path
) -> None:
    local = {name: value.replace("{folder}", str(tmp_path)) for name, value in local.items()}
    load(LOCAL | local)
    [problem] = problems(PLATFORM | local)
    assert "K_SERVICE is set" in problem
    assert wanted in problem


@pytest.mark.parametrize("name", ["SMS_LEDGER", "SMS_QUEUE"])
@pytest.mark.parametrize(
    ("file", "told"),
    [
        pytest.param("missing/ledger.db", "no folder", id="a slip in the path"),
        pytest.param("folder", "is a folder", id="the folder itself"),
        pytest.param("notes.txt", "is not an SQLite file", id="a file of something else"),
    ],
)
def test_a_database_that_cant_be_opened(tmp_path: Path, name: str, file: str, told: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("do not overwrite")
    [problem] = problems(LOCAL | {name: f"sqlite:{tmp_path / file}"})
    assert problem.startswith(f"{name} (environment): ")
    assert told in problem


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0 and the rest"], ids=["empty", "used before"])
def test_a_database_that_is_there(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ledger.db").write_bytes(content)
    assert load({"SMS_LEDGER": f"sqlite:{tmp_path / 'ledger.db'}"}).ledger.path == tmp_path / "ledger.db"


def test_all_problems_at_once() -> None:
    found = problems(
        {"SMS_QUEUE": TASKS["SMS_QUEUE"], "SMS_NODE_RATE": "0", "SMS_TASKS_ACCOUNT": "me", "SMS_LOGLEVEL": "info"}
    )
    assert [problem.split(" ")[0] for problem in found] == [
        "SMS_LEDGER",
        "SMS_NODE_RATE",
        "SMS_TASKS_ACCOUNT",
        "SMS_WORKER_URL",
        "SMS_CONNECTOR_URL",
        "SMS_LOGLEVEL",
    ]


@pytest.mark.parametrize("name", ["SMS_PROVIDER_URL", "SMS_PROXY_URL", "SMS_WEBHOOK_URL"])
def test_a_credential_in_an_address_is_refused_and_not_repeated(name: str) -> None:
    [problem] = problems(LOCAL | {name: "http://me:hunter2@a.example:80"})
    assert "hunter2" not in problem
    assert "secrets" in problem


def test_the_command_line_and_the_sandbox_have_names_of_their_own() -> None:
    load(LOCAL | {"SMS_CLI_URL": "http://127.0.0.1:8080", "SMS_SANDBOX_PORT": "8090", "PATH": "/bin"})


@given(st.dictionaries(st.sampled_from(sorted(set(re.findall(r"SMS_[A-Z_]+[A-Z]", PAGE)))), st.text(max_size=40)))
def test_whatever_is_set_it_starts_or_tells_why(environ: dict[str, str]) -> None:
    with contextlib.suppress(StartError):
        load(environ)


@pytest.mark.parametrize("name", READERS)
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_defaults_of_requests_have_the_limits_of_requests() -> None:
    """Neither room may see the other, so that they agree is held here."""
    for name, (least, most) in (
        ("SMS_RETRY_INTERVAL_MILLIS", RETRY_INTERVAL_MILLIS),
        ("SMS_RETRY_ATTEMPTS", RETRY_ATTEMPTS),
    ):
        for value, fits in ((least, True), (most, True), (least - 1, False), (most + 1, False)):
            environ: dict[str, Any] = LOCAL | {name: str(value)}
            if fits:
                load(environ)
            else:
                assert name in problems(environ)[0]


@pytest.mark.parametrize(
    "value",
    [
        "crm.internal",
        "CRM.Internal",
        "*.internal",
        "localhost",
        "my_service",
        "10.1.0.7",
        "10.1.0.0/16",
        "::1",
        "fd00::/8",
        "4u.internal",
    ],
)
def test_private_hosts_as_they_are_written(value: str) -> None:
    assert load(LOCAL | {"SMS_CALLBACK_PRIVATE_HOSTS": value}).callback_private_hosts == (value.lower(),)
