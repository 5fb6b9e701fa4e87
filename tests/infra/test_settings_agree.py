"""Infrastructure and functions meet in names alone; here both sides are read and held against each other."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import components.rotation
import connection_config
import countries
import indexes
import providers
from components.alerts import LOG_LABELS, log_filters
from naming import ConnectionNames
from sms_connector import ports, registry, sender_settings, settings, settings_values
from sms_connector.api.resources import rotations
from sms_connector.app import startup_checks
from sms_connector.callbacks import callback_address
from sms_connector.local.clock import SystemClock
from sms_connector.model import standard_webhooks
from sms_connector.model.phone_number import Sender, SenderKind, parse_country, parse_sender
from sms_connector.notifications import signature as callback_signature
from sms_connector.provider import ProviderSettings
from sms_connector.providers.twilio import credentials
from sms_connector.transport.http import NoTransport
from sms_connector.transport.settings import ProxyAuth, ProxySettings, ProxySsl
from tests.contract.providers.doubles import CannedSecrets
from tests.infra import configurations
from tests.infra.configurations import CONFIGURATIONS, STATUS_URL
from tests.infra.harness import ROOT, Registration

FUNCTION = ROOT / "function" / "sms_connector"


def environment(function: Registration, folder: Path) -> dict[str, str]:
    """The declared variables on the platform, with the mounts as files: exactly what a started function sees."""
    declared: dict[str, Any] = dict(function.inputs["serviceConfig"]["environmentVariables"])
    for volume in function.inputs["serviceConfig"].get("secretVolumes", []):
        for version in volume["versions"]:
            file = folder / f"{volume['mountPath']}/{version['path']}".lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("a-value\n")
    rooted = {k: str(folder) + v if k in ("SMS_SECRETS_DIR", "SMS_CA_FILE") else v for k, v in declared.items()}
    return {**rooted, "K_SERVICE": function.inputs["name"]}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_functions_accept_every_variable(name: str, tmp_path: Path) -> None:
    for function in configurations.stack(name).of("gcp:cloudfunctionsv2/function:Function"):
        loaded = settings.load(environment(function, tmp_path / function.name))
        provider = registry.provider_class(loaded.provider)
        assert provider.setting_problems(startup_checks.provider_settings(loaded)) == []
        assert loaded.on_platform
        assert loaded.connection == function.name.rpartition("-")[0]


def test_the_values_arrive(tmp_path: Path) -> None:
    stack = configurations.stack("everything")
    loaded = settings.load(
        environment(stack.named("gcp:cloudfunctionsv2/function:Function", "orders-worker"), tmp_path)
    )
    assert loaded.ledger == settings.Address(project="demo-project", place="orders-ledger")
    assert loaded.queue is not None
    assert loaded.worker_url == "https://orders-worker-123456789012.us-central1.run.app"
    assert loaded.connector_url == "https://orders-connector-123456789012.us-central1.run.app"
    assert loaded.tasks_account == "orders-tasks@demo-project.iam.gserviceaccount.com"
    assert loaded.webhook_url == "https://orders-webhook-123456789012.us-central1.run.app"
    assert loaded.labels == {"cost-center": "4711"}
    assert loaded.suspended
    assert (loaded.nodes_min, loaded.nodes_max) == (1, 20)
    assert (loaded.node_rate, loaded.connection_rate, loaded.log_level) == (20, 100, "debug")
    assert loaded.proxy == ProxySettings("proxy.example.com", 3128, ProxyAuth.DIGEST, ProxySsl.TUNNEL)
    assert loaded.campaign_sources == ("gs://my-campaigns",)
    assert (loaded.retry_interval_millis, loaded.retry_attempts, loaded.expire_after_hours) == (5000, 3, 48)
    assert loaded.callback_url == "https://crm.example.com/sms?tenant=7"
    assert loaded.callback_private_hosts == ("*.internal", "10.1.0.0/16")
    assert (loaded.callback_format, loaded.journeys_organization_id) == ("journeys", "4c1f0a52-an-organization")
    assert loaded.default_country == "DE"
    assert loaded.business_unit == "Head office"
    assert loaded.senders == (
        Sender("+15551234567", SenderKind.LONG_CODE, "Orders", "Retail", ("US", "CA")),
        Sender("ACME", SenderKind.ALPHANUMERIC, default=True),
    )
    assert loaded.stop_words == ("STOPP", "NO MORE")
    assert loaded.help_reply == "Help: support@example.com, or 555"
    assert loaded.entity_writes == ("IncomingPhoneNumbers.CREATE", "Keys.DELETE")
    assert loaded.mcp_tools == ("list_messages",)
    assert loaded.ca_file is not None


def test_infrastructure_sets_every_setting_there_is() -> None:
    """What the loader reads, and what the fullest configurations declare, over all functions."""
    stacks = (configurations.stack(name) for name in ("everything", "two keys"))  # `senders` excludes `sender`
    functions = [f for stack in stacks for f in stack.of("gcp:cloudfunctionsv2/function:Function")]
    declared = {name for f in functions for name in f.inputs["serviceConfig"]["environmentVariables"]}
    declared |= {"SMS_PROVIDER_OPTIONS"}  # of a provider that has options: below
    assert set(settings.READERS) == {name for name in declared if name.startswith("SMS_")}


@pytest.mark.parametrize(
    ("key", "accepts", "values"),
    [
        (
            "sender",
            lambda raw: parse_sender(raw).address,
            ["+15551234567", "12345", "ACME", "A-1 &_+b", "MG" + "0aF1" * 8, "whatsapp:+15551234567", "rcs:agent_1"],
        ),
        ("defaultCountry", parse_country, sorted(countries.COUNTRIES)),
        ("providerUrl", settings_values.base_url, ["https://a.example", "https://a.example:8443/x/y"]),
        (
            "proxy.url",
            lambda raw: settings_values.proxy_address(raw) and raw,
            ["http://proxy:3128", "http://[::1]:3128"],
        ),
        ("callbacks.url", settings_values.callback_url, ["https://a.example", "https://a.example:8443/x?y=z&w=%20"]),
        (
            "callbacks.privateHosts",
            settings_values.list_of(settings_values.host),
            [["crm.internal"], ["*.internal", "10.1.0.0/16"], ["::1", "fd00::/8"], ["127.0.0.1"], ["my_service"]],
        ),
        (
            "consent.stopWords",
            settings_values.list_of(settings_values.keyword),
            [["STOPP"], ["NO MORE", "x" * 40], ["停"]],
        ),
        ("consent.helpReply", settings_values.text(1600), ["x" * 1600, "Hilfe: übermorgen, 9–17 h"]),
    ],
)
def test_what_infrastructure_takes_the_functions_take(key: str, accepts: Any, values: list[object]) -> None:
    for value in values:
        config = connection_config.WITH_SECRETS.model_validate({key: value})
        [read] = [getattr(config, name) for name, field in type(config).model_fields.items() if field.alias == key]
        assert accepts(",".join(read) if isinstance(read, tuple) else read) == read


def test_the_same_kinds_of_senders_and_fields_of_one_are_known() -> None:
    fields = connection_config.SCHEMAS["senders"]["items"]["properties"]
    assert list(fields) == list(sender_settings.FIELDS)
    assert fields["kind"]["enum"] == list(SenderKind)


def test_the_webhook_needs_no_file_it_does_not_get(tmp_path: Path) -> None:
    stack = configurations.stack("everything")
    webhook = stack.named("gcp:cloudfunctionsv2/function:Function", "orders-webhook")
    assert settings.load(environment(webhook, tmp_path)).ca_file is None


def test_options_arrive(tmp_path: Path) -> None:
    stack = configurations.stack("options")
    connector = stack.named("gcp:cloudfunctionsv2/function:Function", "custom-connector")
    loaded = settings.load(environment(connector, tmp_path))
    assert loaded.provider_options == {"recipientsPerCall": "20", "supportsStatus": "false", "statusUrl": STATUS_URL}


def test_the_same_providers_are_known() -> None:
    assert set(registry.PROVIDERS) == set(providers.PROVIDERS)


@pytest.mark.parametrize("name", providers.PROVIDERS)
def test_the_secrets_that_are_made_are_those_that_are_read(name: str) -> None:
    entry, provider = providers.PROVIDERS[name], registry.provider_class(name)
    assert {spec.name for spec in entry.secrets} == set(provider.secret_names)
    overlapping = {spec.name: spec.previous for spec in entry.secrets if spec.previous}
    assert set(overlapping.values()) == {each for each in provider.secret_names if each.endswith("-previous")}
    assert all(previous == f"{current}-previous" for current, previous in overlapping.items())


@pytest.mark.parametrize("name", providers.PROVIDERS)
def test_addresses_and_options_are_those_of_the_functions(name: str) -> None:
    entry, provider = providers.PROVIDERS[name], registry.provider_class(name)
    assert (entry.url or None) == provider.default_url
    assert entry.places == provider.callback_places
    ours = {key: (o.values, o.form, o.described, o.required) for key, o in entry.options.items()}
    assert ours == {key: (o.values, o.form, o.described, o.required) for key, o in provider.options.items()}


# A value of a secret that has a form.
FORMS = {"account-sid": "AC" + "0" * 32, "api-key-sid": "SK" + "0" * 32}


def secret_problems(name: str, present: Iterable[str], *, callbacks: bool) -> list[str]:
    """What the functions say at their start of these secrets and no others."""
    secrets = CannedSecrets({each: FORMS.get(each, "d2hzZWM=") for each in present})
    clock = SystemClock()
    made = registry.make_provider(name, ProviderSettings(), secrets=secrets, transport=NoTransport(), clock=clock)
    return made.problems(callbacks=callbacks)


@pytest.mark.parametrize("name", providers.PROVIDERS)
def test_the_functions_start_when_nothing_is_missing_and_not_before(name: str) -> None:
    """Over every choice of the secrets that an owner may give. Half of an optional group is never deployed, also where
    the functions would leave it alone."""
    entry = providers.PROVIDERS[name]
    owned = [spec.name for spec in entry.owned]
    required = {spec.name for spec in entry.secrets if spec.required}
    for count in range(len(owned) + 1):
        for present in itertools.combinations(owned, count):
            missing = required.difference(present) | entry.lacking(present)
            problems = secret_problems(name, present, callbacks=True)
            halves = {each for group in entry.wholes for each in group}
            assert missing if problems else missing <= halves, (present, missing, problems)


@pytest.mark.parametrize("name", providers.PROVIDERS)
def test_each_function_gets_all_of_a_group_or_nothing(name: str) -> None:
    entry = providers.PROVIDERS[name]
    readers = {spec.name: spec.readers for spec in entry.secrets}
    for group in (*entry.logins, *entry.wholes):
        assert len({readers[each] for each in group}) == 1, group


def test_a_login_to_twilio_is_what_the_functions_take() -> None:
    forms = {credentials.ACCOUNT_SID: "AC" + "0" * 32, credentials.API_KEY_SID: "SK" + "0" * 32}
    for login in providers.PROVIDERS["twilio"].logins:
        values = {name: forms.get(name, "a-value") for name in (credentials.ACCOUNT_SID, *login)}
        assert credentials.problems(CannedSecrets(values)) == []
        for missing in login:
            rest = {name: value for name, value in values.items() if name != missing}
            assert credentials.problems(CannedSecrets(rest)), missing


def test_the_functions_read_the_secrets_that_every_connection_has() -> None:
    read = {*callback_address.KEY_SECRETS, *callback_signature.SECRETS, callback_signature.FALLBACK}
    assert {spec.name for spec in providers.OWN_SECRETS} == read


def test_who_reads_which_secret_of_callbacks() -> None:
    """The webhook knows keys of addresses alone; signatures are checked and made where the queue `events` leads."""
    readers = {
        spec.name: set(spec.readers) for spec in (*providers.PROVIDERS["twilio"].secrets, *providers.OWN_SECRETS)
    }
    assert {name for name, roles in readers.items() if "webhook" in roles} == set(callback_address.KEY_SECRETS)
    alone = {*callback_signature.SECRETS, *credentials.CALLBACK_SECRETS} - {credentials.AUTH_TOKEN}
    # The old token is checked against while a rotation that the rotator carries out overlaps.
    by_rotator = {"auth-token-previous"}
    assert {name for name, roles in readers.items() if roles == {"connector"}} == alone - by_rotator
    assert {name for name, roles in readers.items() if roles == {"connector", "rotator"}} == by_rotator


@pytest.mark.parametrize("name", providers.PROVIDERS)
def test_the_rotator_may_change_what_it_rotates(name: str) -> None:
    clock = SystemClock()
    secrets, transport = CannedSecrets({}), NoTransport()
    made = registry.make_provider(name, ProviderSettings(), secrets=secrets, transport=transport, clock=clock)
    entry = providers.PROVIDERS[name]
    assert set(entry.rotations) == {rotation.secrets for rotation in made.rotations()}
    specs = {spec.name: spec for spec in entry.secrets}
    for rotation in entry.rotations:
        assert all("rotator" in specs[each].readers for each in rotation)
        assert [each for each in rotation if specs[each].rotates], "a notice that begins it"


def test_the_rotators_paths_are_those_of_the_functions() -> None:
    assert components.rotation.PUSHED_TO == rotations.NOTICE_PATH


def test_a_made_callback_secret_is_one_that_receivers_can_read() -> None:
    specs = {spec.name: spec.prefix for spec in providers.OWN_SECRETS}
    assert {specs[name] for name in callback_signature.SECRETS} == {standard_webhooks.PREFIX}


def logged() -> dict[str, set[str]]:
    """The fields of every event the functions write, by the event's name."""
    found: dict[str, set[str]] = {}
    for path in FUNCTION.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            writes = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if writes and node.func.attr in ("error", "warning", "info", "debug") and node.args:
                name = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
                found.setdefault(str(name), set()).update(keyword.arg or "" for keyword in node.keywords)
    return found


def test_filters_listen_to_lines_that_are_written() -> None:
    events = logged()
    heard = {}
    for key, text in log_filters(ConnectionNames("sms")).items():
        for name in re.findall(r'jsonPayload\.message="([^"]+)"', text):
            fields = set(re.findall(r"jsonPayload\.(\w+)", " ".join([text, *LOG_LABELS.get(key, {}).values()])))
            assert fields - {"message"} <= events[name], f"{key} asks for fields that {name!r} doesn't have"
            heard[key] = name
    assert set(heard.values()) == {"connection test", "callback_rejected", "notification_given_up", "rotation_due"}
    assert set(LOG_LABELS) <= set(heard)


def test_the_reason_an_alert_asks_for_is_one_that_is_given() -> None:
    given = {
        node.value
        for node in ast.walk(ast.parse((FUNCTION / "callbacks" / "event_handler.py").read_text()))
        if isinstance(node, ast.Constant)
    }
    assert "signature" in given


def test_the_ledgers_collections_and_indexes_are_declared() -> None:
    assert set(indexes.COLLECTIONS) == set(ports.COLLECTIONS)
    assert set(indexes.COMPOSITE_INDEXES) == set(ports.COMPOSITE_INDEXES)
    assert indexes.ARRAY_FIELDS == ports.ARRAY_FIELDS


def test_what_is_taken_out_of_the_indexes_is_asked_for_by_no_query() -> None:
    asked = {field for fields in ports.COLLECTIONS.values() for field in fields}
    assert asked & {setting.field for setting in indexes.fields()} == set()
