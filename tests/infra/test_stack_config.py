"""The stack's configuration: what is refused, with which key and fix, and what comes out of what is right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

import connection_config
import providers
import stack_config
from stack_config import ConfigError, StackConfig
from tests.infra import config_docs, harness
from tests.infra.configurations import CERTIFICATES, CONFIGURATIONS, NETWORK, texts

TWILIO_SECRETS = {"accountSid": "AC1", "authToken": "a-token"}


def load(plain: Mapping[str, object], secret: Mapping[str, str] | None = None) -> StackConfig:
    """`plain` with structures as JSON text, `secret` as secrets of the stack."""
    values = {**harness.BASE, **{k if ":" in k else f"sms-connector:{k}": v for k, v in texts(plain).items()}}
    values |= {f"sms-connector:{k}": v for k, v in (secret or {}).items()}
    return stack_config.load(values, frozenset(f"sms-connector:{k}" for k in secret or {}))


def problems(plain: Mapping[str, object], secret: Mapping[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        load(plain, secret)
    return refused.value.problems


BAD: list[tuple[str, dict[str, object], dict[str, str], str, str]] = [
    # (why, plain, secret, key, part of the fix or of what is allowed)
    ("a region is needed", {"gcp:region": ""}, {}, "gcp:region", "pulumi config set gcp:region us-central1"),
    ("a project is needed", {"gcp:project": ""}, {}, "gcp:project", "pulumi config set gcp:project"),
    ("a region has a form", {"gcp:region": "Frankfurt"}, {}, "gcp:region", "is not a region"),
    (
        "a region that is none",
        {"gcp:region": "us-centrel1"},
        {},
        "gcp:region",
        "pulumi config set gcp:region us-central1",
    ),
    ("a project's number is not its id", {"gcp:project": "123456789"}, {}, "gcp:project", "is not a project's id"),
    ("unknown key", {"sendr": "+15551234567"}, {}, "sendr", "did you mean sender?"),
    ("unknown key in a group", {"nodes": {"minimum": 2}}, {}, "nodes.minimum", "pulumi config rm --path nodes.minimum"),
    (
        "an unknown key with a dot, set without --path",
        {"nodes.minimum": "2"},
        {},
        "nodes.minimum",
        "fix: pulumi config rm nodes.minimum",
    ),
    (
        "a wrong value, set without --path",
        {"nodes.min": "two"},
        {},
        "nodes.min",
        "fix: pulumi config rm nodes.min && pulumi config set --path nodes.min 2",
    ),
    ("a group is a map", {"nodes": "2"}, {}, "nodes", "pulumi config set --path nodes.<key>"),
    ("a name has a form", {"connection": "My Shop"}, {}, "connection", "lower-case letters"),
    ("a name ends properly", {"connection": "shop-"}, {}, "connection", "not ending with a hyphen"),
    ("a name is at most 63 long", {"connection": "a" * 64}, {}, "connection", "at most 63"),
    ("Google's names are Google's", {"connection": "google-sms"}, {}, "connection", "not with goog"),
    ("text is no structure", {"description": {"a": 1}}, {}, "description", "a line of text"),
    ("a sender has a form", {"sender": "+1 555"}, {}, "sender", "+15551234567"),
    ("a national number is no sender", {"sender": "07700900123"}, {}, "sender", "E.164"),
    ("an alphanumeric id has an end", {"sender": "ACME Corporation"}, {}, "sender", "at most 11"),
    (
        "a number that may have lost its plus",
        {"connections": {"a": {"sender": 2901234}}},
        {},
        "connections.a.sender",
        "--type string",
    ),
    ("a sender is one", {"sender": ["+15551234567"]}, {}, "sender", "a sender"),
    (
        "senders are a list",
        {"senders": "ACME"},
        {},
        "senders",
        "rm --path senders && pulumi config set --path 'senders[0].address'",
    ),
    ("of maps", {"senders": ["ACME"]}, {}, "senders", "pulumi config set --path 'senders[0].address' +15551234567"),
    (
        "with an address",
        {"senders": [{"name": "x"}]},
        {},
        "senders",
        "[0].address is missing; fix: pulumi config set --path 'senders[0].address' +1",
    ),
    ("that has a form", {"senders": [{"address": "+1 555"}]}, {}, "senders", "[0].address '+1 555' is not a sender"),
    ("and known fields", {"senders": [{"address": "ACME", "sms": 1}]}, {}, "senders", "rm --path 'senders[0].sms'"),
    ("of a kind", {"senders": [{"address": "ACME", "kind": "x"}]}, {}, "senders", "allowed are long_code, toll_free"),
    (
        "for countries",
        {"senders": [{"address": "ACME", "countries": ["DE", "UK"]}]},
        {},
        "senders",
        "for UK write GB; fix: pulumi config set --path 'senders[0].countries[1]' DE",
    ),
    (
        "named in a line",
        {"senders": [{"address": "ACME", "name": "a\nb"}]},
        {},
        "senders",
        "a line of text of 1 to 100",
    ),
    (
        "each once",
        {"senders": [{"address": "ACME"}, {"address": "ACME"}]},
        {},
        "senders",
        "[1] has the address of another one; fix: pulumi config rm --path 'senders[1]'",
    ),
    (
        "by its own name",
        {"senders": [{"address": "A", "name": "X"}, {"address": "B", "name": " x"}]},
        {},
        "senders",
        "[1] has the name of another one",
    ),
    (
        "with one default",
        {"senders": [{"address": "A", "default": True}, {"address": "B", "default": True}]},
        {},
        "senders",
        "[1] has a second default",
    ),
    (
        "one key or the other",
        {"sender": "ACME", "senders": [{"address": "ACME"}]},
        {},
        "sender",
        "pulumi config rm --path sender",
    ),
    (
        "a unit is a line",
        {"businessUnit": "x" * 101},
        {},
        "businessUnit",
        "1 to 100 bytes; fix: pulumi config set businessUnit Retail",
    ),
    ("one line of text", {"description": "two\nlines"}, {}, "description", "a line of text"),
    ("text has an end", {"description": "x" * 257}, {}, "description", "1 to 256 bytes"),
    (
        "labels are a map",
        {"labels": "a"},
        {},
        "labels",
        "rm --path labels && pulumi config set --path 'labels.team' retail",
    ),
    ("label keys are lower case", {"labels": {"Team": "x"}}, {}, "labels", "'Team'"),
    ("label values are lower case", {"labels": {"team": "SMS Team"}}, {}, "labels", "a value is at most 63 of"),
    ("a wrong label goes", {"labels": {"a": "b", "Team": "x"}}, {}, "labels", "pulumi config rm --path 'labels.Team'"),
    ("a wrong value is set", {"labels": {"a": "B"}}, {}, "labels", "pulumi config set --path 'labels.a' retail"),
    ("our labels are ours", {"labels": {"connection": "x"}}, {}, "labels", "reserved"),
    ("Google's labels are Google's", {"labels": {"goog-x": "x"}}, {}, "labels", "reserved"),
    ("64 labels are the limit", {"labels": {f"k{i}": "v" for i in range(62)}}, {}, "labels", "too many"),
    ("unknown provider", {"provider": "twillio"}, {}, "provider", "allowed are twilio"),
    ("plain http to a provider", {"providerUrl": "http://api.example.com"}, {}, "providerUrl", "https://"),
    ("a password in an address", {"providerUrl": "https://u:pw@api.example.com"}, {}, "providerUrl", "without user"),
    ("an empty user in an address", {"providerUrl": "https://@api.example.com"}, {}, "providerUrl", "without user"),
    ("a space in an address", {"providerUrl": "https://api.example.com/a b"}, {}, "providerUrl", "https://"),
    ("an account's own address", {"provider": "infobip"}, {}, "providerUrl", "pulumi config set providerUrl"),
    ("nodes are a number", {"nodes": {"min": "two"}}, {}, "nodes.min", "allowed are 0 to 1000"),
    ("nodes are whole", {"nodes": {"min": 1.5}}, {}, "nodes.min", "whole number"),
    ("no truth values for numbers", {"nodes": {"min": True}}, {}, "nodes.min", "whole number"),
    ("at least one node", {"nodes": {"max": 0}}, {}, "nodes.max", "allowed are 1 to 1000"),
    ("more least than most", {"nodes": {"min": 5, "max": 2}}, {}, "nodes.min", "pulumi config set --path nodes.min 2"),
    ("at least one worker", {"workers": {"max": 0}}, {}, "workers.max", "allowed are 1 to 1000"),
    ("25 a second is a node's most", {"rate": {"node": 26}}, {}, "rate.node", "allowed are 1 to 25"),
    ("a rate is positive", {"rate": {"connection": 0}}, {}, "rate.connection", "allowed are 1"),
    ("an interval has a least", {"tracking": {"retryIntervalMillis": 5}}, {}, "tracking.retryIntervalMillis", "100"),
    (
        "nothing expires when it is gone",
        {"tracking": {"expireAfterHours": 697}},
        {},
        "tracking.expireAfterHours",
        "1 to 696",
    ),
    ("attempts have a most", {"tracking": {"retryAttempts": 101}}, {}, "tracking.retryAttempts", "0 to 100"),
    (
        "waiting ends before the request does",
        {"tracking": {"retryIntervalMillis": 60_000, "retryAttempts": 60}},
        {},
        "tracking.retryAttempts",
        "50 are allowed",
    ),
    ("a proxy has a port", {"proxy": {"url": "http://proxy.example.com"}}, {}, "proxy.url", "http://host:port"),
    (
        "TLS to a proxy is another key",
        {"proxy": {"url": "https://proxy.example.com:3128"}},
        {},
        "proxy.url",
        "proxy.ssl",
    ),
    (
        "a proxy's user is a secret",
        {"proxy": {"url": "http://u:pw@proxy.example.com:3128"}},
        {},
        "proxy.url",
        "proxyUsername",
    ),
    ("a proxy's empty user", {"proxy": {"url": "http://@proxy.example.com:3128"}}, {}, "proxy.url", "proxyUsername"),
    ("a proxy has no path", {"proxy": {"url": "http://proxy.example.com:3128//"}}, {}, "proxy.url", "proxy's address"),
    ("a space in a proxy", {"proxy": {"url": "http://pro xy:3128"}}, {}, "proxy.url", "a proxy's address"),
    ("unknown proxy authentication", {"proxy": {"auth": "ntlm"}}, {}, "proxy.auth", "none, basic, digest"),
    ("authentication without a proxy", {"proxy": {"auth": "basic"}}, {}, "proxy.auth", "proxy.url"),
    ("unknown TLS mode", {"proxy": {"ssl": "sometimes"}}, {}, "proxy.ssl", "auto, always, never, tunnel"),
    (
        "a user at a proxy that asks for none",
        {"proxy": {"url": "http://proxy.example.com:3128"}},
        {"proxyUsername": "me"},
        "proxyUsername",
        "pulumi config set --path proxy.auth basic",
    ),
    ("a VPC without a subnetwork", {"network": {"vpc": "v"}}, {}, "network.vpc", "network.range"),
    ("a subnetwork without a VPC", {"network": {"subnet": "s"}}, {}, "network.subnet", "network.vpc"),
    ("two subnetworks", {"network": {"vpc": "v", "subnet": "s", "range": "10.8.0.0/23"}}, {}, "network.range", "rm"),
    ("two ways out", {"network": {"vpc": "v", "subnet": "s", "connector": "co"}}, {}, "network.connector", "rm"),
    ("not a range", {"network": {"vpc": "v", "range": "10.8.0.7/23"}}, {}, "network.range", "not an IPv4 range"),
    ("this machine's own range", {"network": {"vpc": "v", "range": "127.0.0.0/8"}}, {}, "network.range", "10/8"),
    (
        "a subnetwork of another region",
        {"network": {"vpc": "v", "subnet": "projects/p/regions/europe-west1/subnetworks/s"}},
        {},
        "network.subnet",
        "name one in us-central1",
    ),
    (
        "a connector of another region",
        {"network": {"connector": "projects/p/locations/europe-west1/connectors/co"}},
        {},
        "network.connector",
        "is in europe-west1",
    ),
    (
        "an attachment of another region",
        {
            "network": {**NETWORK, "serviceAttachment": "projects/p/regions/europe-west1/serviceAttachments/sms"},
            "proxy": {"url": "http://proxy.example.com:3128"},
        },
        {},
        "network.serviceAttachment",
        "is in europe-west1",
    ),
    (
        "a subnetwork's short name in a shared VPC",
        {"network": {"vpc": "projects/host-project/global/networks/v", "subnet": "s"}},
        {},
        "network.subnet",
        "projects/host-project/regions/us-central1/subnetworks/s",
    ),
    (
        "a new subnetwork in a shared VPC",
        {"network": {"vpc": "projects/host-project/global/networks/v", "range": "10.8.0.0/23"}},
        {},
        "network.range",
        "rm --path network.range",
    ),
    ("a public range", {"network": {"vpc": "v", "range": "8.8.0.0/23"}}, {}, "network.range", "private"),
    ("too small a range", {"network": {"vpc": "v", "range": "10.8.0.0/25"}}, {}, "network.range", "give a /24"),
    ("all traffic with no way out", {"network": {"egress": "all"}}, {}, "network.egress", "network.vpc"),
    (
        "a fixed address for part of it",
        {"network": {"vpc": "v", "subnet": "s", "staticAddress": True}},
        {},
        "network.staticAddress",
        "egress all",
    ),
    ("tags without a VPC", {"network": {"connector": "co", "tags": ["t"]}}, {}, "network.tags", "network.vpc"),
    (
        "an endpoint without a name",
        {"network": {k: v for k, v in NETWORK.items() if k != "serviceHost"}},
        {},
        "network.serviceHost",
        "network.serviceAttachment is of no use without it",
    ),
    ("an endpoint that nothing uses", {"network": NETWORK}, {}, "network.serviceHost", "proxy.url or providerUrl"),
    (
        "not an attachment",
        {"network": {**NETWORK, "serviceAttachment": "sms"}},
        {},
        "network.serviceAttachment",
        "projects/",
    ),
    ("certificates in PEM", {"network": {"ca": "MIIB"}}, {}, "network.ca", "PEM"),
    (
        "a private key is none",
        {"network": {"ca": CERTIFICATES + "-----BEGIN PRIVATE KEY-----"}},
        {},
        "network.ca",
        "private key",
    ),
    (
        "callers are a list",
        {"callers": "user:a@b.co"},
        {},
        "callers",
        "rm --path callers && pulumi config set --path 'callers[0]'",
    ),
    ("a caller has a kind", {"callers": ["ann@example.com"]}, {}, "callers", "user:ann@example.com"),
    ("the public is no caller", {"callers": ["allUsers"]}, {}, "callers", "would make the private connector public"),
    ("a caller twice", {"callers": ["user:a@b.co", "user:a@b.co"]}, {}, "callers", "more than once"),
    (
        "the wrong one of several callers",
        {"callers": ["user:a@b.co", "ann", "bob"]},
        {},
        "callers",
        "pulumi config set --path 'callers[1]' user:ann@example.com",
    ),
    ("every wrong caller", {"callers": ["user:a@b.co", "ann", "bob"]}, {}, "callers", "[2] 'bob' is not an IAM member"),
    (
        "IAM knows no case",
        {"callers": ["user:a@b.co", "user:A@b.co"]},
        {},
        "callers",
        "pulumi config rm --path 'callers[1]'",
    ),
    ("a mailbox twice", {"alerts": {"emails": ["a@b.co", "A@b.co"]}}, {}, "alerts.emails", "more than once"),
    ("an address has an @", {"alerts": {"emails": ["ops"]}}, {}, "alerts.emails", "an e-mail address"),
    ("a channel's full name", {"alerts": {"channels": ["1234"]}}, {}, "alerts.channels", "projects/"),
    ("a bucket's name", {"campaigns": {"buckets": ["gs://b"]}}, {}, "campaigns.buckets", "a bucket's name"),
    ("results go by https", {"callbacks": {"url": "http://crm.example.com"}}, {}, "callbacks.url", "https://"),
    (
        "a password in a callback",
        {"callbacks": {"url": "https://u:pw@crm.example.com"}},
        {},
        "callbacks.url",
        "without user",
    ),
    (
        "a host has no path",
        {"callbacks": {"privateHosts": ["https://crm"]}},
        {},
        "callbacks.privateHosts",
        "crm.internal",
    ),
    (
        "a private host out of reach",
        {"callbacks": {"privateHosts": ["crm.internal"]}},
        {},
        "callbacks.privateHosts",
        "pulumi config set --path network.vpc",
    ),
    ("not the country's code", {"defaultCountry": "UK"}, {}, "defaultCountry", "write GB"),
    ("a country in two letters", {"defaultCountry": "de"}, {}, "defaultCountry", "such as DE"),
    ("a word has no comma", {"consent": {"stopWords": ["A,B"]}}, {}, "consent.stopWords", "without a comma"),
    ("words are a list", {"consent": {"stopWords": "STOPP"}}, {}, "consent.stopWords", "'consent.stopWords[0]' STOPP"),
    ("an answer to HELP has an end", {"consent": {"helpReply": "x" * 1601}}, {}, "consent.helpReply", "1 to 1600"),
    ("rotation takes a day at least", {"rotation": {"days": 0}}, {}, "rotation.days", "1 to 3650"),
    ("truth values are words", {"protect": "yes"}, {}, "protect", "true and false"),
    ("unknown log level", {"logLevel": "warning"}, {}, "logLevel", "error, info, debug"),
    ("suspended is a truth value", {"suspended": "1"}, {}, "suspended", "true and false"),
    ("a secret in the clear", {"authToken": "a-token"}, {}, "authToken", "pulumi config set --secret authToken"),
    ("an account in the clear", {"accountSid": "AC1"}, {}, "accountSid", "pulumi config set --secret accountSid"),
    ("no secret where it is shown", {}, {"sender": "+15551234567"}, "sender", "without --secret"),
    ("an empty secret", {}, {"authToken": " "}, "authToken", "printable ASCII"),
    ("a secret of several lines", {}, {"authToken": "a\nb"}, "authToken", "one line"),
    ("values mixed up", {}, {"accountSid": "SK1"}, "accountSid", "begin with 'AC'"),
    ("half a key pair", {}, {"apiKeySid": "SK1"}, "apiKeySecret", "of no use without it"),
    ("the other half", {}, {"apiKeySecret": "x"}, "apiKeySid", "of no use without it"),
    ("another provider's secret", {"provider": "telesign"}, {"authToken": "x"}, "authToken", "has customerId, apiKey"),
    (
        "half of what callbacks come with",
        {"provider": "vibes"},
        {"webhookPassword": "x"},
        "webhookUsername",
        "pulumi config set --secret webhookUsername",
    ),
    (
        "half an OAuth client",
        {"provider": "link-mobility"},
        {"clientId": "x"},
        "clientSecret",
        "of no use without it",
    ),
    (
        "an option of no provider",
        {"provider": "telesign", "providerOptions": {"messagetype": "OTP"}},
        {},
        "providerOptions.messagetype",
        "pulumi config rm --path providerOptions.messagetype",
    ),
    (
        "an option's value",
        {"provider": "telesign", "providerOptions": {"messageType": "otp"}},
        {},
        "providerOptions.messageType",
        "'otp' is not one of ARN, OTP, MKT",
    ),
    (
        "a provider without options",
        {"provider": "azure", "providerUrl": "https://x.communication.azure.com", "providerOptions": {"a": "b"}},
        {},
        "providerOptions.a",
        "the provider has none",
    ),
    (
        "an option that has to be there",
        {"provider": "link-mobility", "providerOptions": {"platformId": "7"}},
        {},
        "providerOptions.platformPartnerId",
        "pulumi config set --path providerOptions.platformPartnerId",
    ),
    (
        "options are separated by commas",
        {"provider": "infobip", "providerOptions": {"entityId": "a,b"}},
        {},
        "providerOptions",
        "without spaces and commas",
    ),
    ("options are a map", {"providerOptions": "messageType=OTP"}, {}, "providerOptions", "is not a map"),
    (
        "statuses go by https",
        {"provider": "custom", "providerUrl": "https://a.co", "providerOptions": {"statusUrl": "http://a.co"}},
        {},
        "providerOptions.statusUrl",
        "an absolute https:// address",
    ),
    (
        "documents that are posted nowhere",
        {"callbacks": {"format": "journeys", "journeysOrganizationId": "x"}},
        {},
        "callbacks.format",
        "pulumi config set --path callbacks.url",
    ),
    (
        "documents of an organization",
        {"callbacks": {"format": "journeys", "url": "https://a.co"}},
        {},
        "callbacks.journeysOrganizationId",
        "of no use without it",
    ),
    (
        "an organization without its documents",
        {"callbacks": {"journeysOrganizationId": "x", "url": "https://a.co"}},
        {},
        "callbacks.format",
        "pulumi config set --path callbacks.format journeys",
    ),
    (
        "an unknown form of results",
        {"callbacks": {"format": "xml", "url": "https://a.co"}},
        {},
        "callbacks.format",
        "allowed are standard, journeys",
    ),
    (
        "another secret's form",
        {"provider": "custom"},
        {"signingSecret": "x"},
        "signingSecret",
        "begin with 'whsec_'",
    ),
    ("several connections are a map", {"connections": ["a"]}, {}, "connections", "not a map of names"),
    (
        "flat keys beside several",
        {"sender": "+15551234567", "connections": {"a": {}}},
        {},
        "connections",
        "beside sender",
    ),
    (
        "names that make one secret's name",
        {
            "connections": {
                "a": {"proxy": {"url": "http://p:1", "auth": "basic"}},
                "a-proxy": {"provider": "link-mobility", "providerUrl": "https://sms.example.com"},
            }
        },
        {},
        "connections.a-proxy",
        "a-proxy-username is connection a's too",
    ),
    ("names of several have the form", {"connections": {"A": {}}}, {}, "connections", "choose another name"),
    ("a connection is a map", {"connections": {"a": "x"}}, {}, "connections.a", "is not a map"),
    ("a name twice", {"connections": {"a": {"connection": "b"}}}, {}, "connections.a.connection", "rm --path"),
    (
        "an unknown key in one of several",
        {"connections": {"a": {"sendr": "x"}}},
        {},
        "connections.a.sendr",
        "connections.a.sender",
    ),
    (
        "a secret in the clear in one of several",
        {"connections": {"a": {"authToken": "x"}}},
        {},
        "connections.a.authToken",
        "pulumi config set --path --secret connections.a.authToken",
    ),
    (
        "a rule between keys in one of several",
        {"connections": {"a": {"nodes": {"min": 60}}}},
        {},
        "connections.a.nodes.min",
        "pulumi config set --path connections.a.nodes.min 50",
    ),
]


@pytest.mark.parametrize(("why", "plain", "secret", "key", "help_"), BAD, ids=[row[0] for row in BAD])
def test_a_mistake_is_named_with_its_fix(
    why: str, plain: dict[str, object], secret: dict[str, str], key: str, help_: str
) -> None:
    found = [problem for problem in problems(plain, secret) if problem.startswith(f"{key}: ")]
    assert found, f"{why}: {problems(plain, secret)}"
    assert help_ in found[0]
    assert "; fix: " in found[0]


def test_the_table_is_long_enough() -> None:
    assert len(BAD) >= 40


ONES_OF_THE_STACK = [row for row in BAD if not any(":" in key for key in row[1])]  # the place is the harness's own


@pytest.mark.parametrize("row", ONES_OF_THE_STACK[::7], ids=lambda row: row[0])
def test_a_mistake_stops_the_program_before_any_resource(row: tuple[Any, ...]) -> None:
    _, plain, secret, key, _ = row
    stack = harness.Stack()
    with pytest.raises(Exception, match=re.escape(key)):
        harness.run(texts(plain), secrets=secret, into=stack)
    assert stack.resources == []


def test_all_mistakes_are_told_at_once() -> None:
    plain = {"nodes": {"min": 5, "max": 2}, "sendr": "x", "logLevel": "loud", "callers": ["allUsers"], "authToken": "t"}
    keys = [problem.partition(":")[0] for problem in problems({**plain, "gcp:region": ""})]
    assert set(keys) == {"gcp", "nodes.min", "sendr", "logLevel", "callers", "authToken"}


def test_mistakes_of_all_connections_are_told_at_once() -> None:
    found = problems({"connections": {"a": {"sendr": "x"}, "b": {"logLevel": "loud"}, "c": {}}})
    assert [problem.partition(":")[0] for problem in found] == ["connections.a.sendr", "connections.b.logLevel"]


@pytest.mark.parametrize(
    "values",
    [
        {"authToken": "very secret\nvalue"},
        {"accountSid": "very-secret-value"},
        {"apiKeySid": "SK-very-secret-value"},
        {"username": "very-secret-value"},
    ],
)
def test_no_message_repeats_a_secret(values: dict[str, str]) -> None:
    assert "very" not in "".join(problems({}, values))
    assert "very" not in "".join(problems(values))


def test_the_command_for_certificates_is_one_that_pulumi_takes() -> None:
    """They begin with dashes: without `--` before them Pulumi looks for a flag of that name."""
    (problem,) = (m for m in problems({"network": {"ca": "MIIB"}}) if m.startswith("network.ca: "))
    assert problem.endswith('pulumi config set --path network.ca -- "$(cat ca.pem)"')


def test_a_masked_address_keeps_its_password() -> None:
    assert "hunter2" not in "".join(problems({"providerUrl": "https://u:hunter2@api.example.com"}))
    assert "hunter2" not in "".join(problems({"proxy": {"url": "https://u:hunter2@proxy.example.com:1"}}))


def test_without_any_key_the_documented_defaults_hold() -> None:
    (connection,) = load({}).connections
    assert (connection.name, connection.provider, connection.protect) == ("sms", "twilio", True)
    assert (connection.nodes_min, connection.nodes_max, connection.workers_max) == (2, 50, 50)
    assert (connection.tracking_retry_interval_millis, connection.tracking_retry_attempts, connection.rate_node) == (
        10_000,
        6,
        25,
    )
    assert (connection.proxy_url, connection.uses_network, connection.rate_connection) == (None, False, None)


@pytest.mark.parametrize(
    ("plain", "field", "value"),
    [
        ({"nodes": {"min": 3}}, "nodes_min", 3),
        ({"nodes.min": "3"}, "nodes_min", 3),
        ({"nodes": {"min": "3"}}, "nodes_min", 3),
        ({"protect": "false"}, "protect", False),
        ({"protect": False}, "protect", False),
        ({"labels": {"team": 7}}, "labels", {"team": "7"}),
        ({"providerUrl": "https://api.example.com/"}, "provider_url", "https://api.example.com"),
        ({"providerUrl": "http://127.0.0.1:9000"}, "provider_url", "http://127.0.0.1:9000"),
        (
            {"callers": ["group:g@example.com", "domain:example.com"]},
            "callers",
            ("group:g@example.com", "domain:example.com"),
        ),
        ({"sender": "", "labels": {}, "callers": [], "connections": {}}, "sender", None),
    ],
)
def test_what_is_right_is_read(plain: dict[str, object], field: str, value: object) -> None:
    (connection,) = load(plain).connections
    assert getattr(connection, field) == value


def test_secret_values_are_masked_wherever_they_are_printed() -> None:
    (connection,) = load({}, {"accountSid": "AC1\n", "authToken": "a-token"}).connections
    assert connection.secrets["auth-token"] == SecretStr("a-token")
    assert connection.secrets["account-sid"].get_secret_value() == "AC1", "a trailing newline is not part of it"
    assert "a-token" not in repr(connection)
    assert "a-token" not in f"{connection.secrets['auth-token']}"


def test_connections_are_read_in_their_order() -> None:
    config = load({"connections": {"b": {"provider": "vibes"}, "a": {"sender": "+15551234567"}}})
    assert [(c.name, c.provider) for c in config.connections] == [("b", "vibes"), ("a", "twilio")]


@pytest.mark.parametrize(
    ("stored", "sender", "why"),
    [
        (15551234567, "+15551234567", "`pulumi config set --path connections.a.sender +15551234567` stores this"),
        (12345, "12345", "and this of a short code"),
        ("+15551234567", "+15551234567", "with --type string, or in quotes"),
    ],
)
def test_a_sender_below_connections_keeps_its_plus(stored: object, sender: str, why: str) -> None:
    (connection,) = load({"connections": {"a": {"sender": stored}}}).connections
    assert connection.sender == sender, why


@pytest.mark.parametrize(
    ("values", "told", "why"),
    [
        (
            {"rate.connection": "99"},
            "rate.connection: 99 a second are fewer than nodes.max (50) and workers.max (50)",
            "one short",
        ),
        ({"rate.connection": "100"}, "", "one share each"),
        (
            {"rate.connection": "10", "nodes.max": "5", "workers.max": "5", "nodes.min": "1"},
            "",
            "as few nodes as calls",
        ),
        (
            {"rate.connection": "1", "nodes.max": "1", "workers.max": "1", "nodes.min": "1"},
            "",
            "the least there can be",
        ),
        ({"rate.connection": "1", "nodes.max": "2", "workers.max": "1"}, "nodes.max 1", "the fix is one that holds"),
        ({}, "", "no rate of its own"),
    ],
)
def test_each_node_has_a_share_of_the_rate(values: dict[str, str], told: str, why: str) -> None:
    if told:
        assert told in "".join(problems(values)), why
    else:
        assert load(values).connections, why


def test_a_wrong_region_makes_no_other_mistake() -> None:
    subnet = "projects/demo-project/regions/us-central1/subnetworks/s"
    found = problems({"gcp:region": "us-centrel1", "network": {"vpc": "v", "subnet": subnet}})
    assert len(found) == 1


def test_defaults_that_pulumi_hands_over_are_no_flat_keys() -> None:
    """`Pulumi.yaml` declares the defaults, so every stack has them, also one that describes several connections."""
    defaults = {key: value for key, value in declared_defaults().items() if key != "connections"}
    assert load({**defaults, "connections": {"a": {}}}).connections[0].name == "a"
    assert load(defaults) == load({})


@pytest.mark.parametrize("file", config_docs.FILES, ids=lambda file: file.name)
def test_the_keys_are_written_down_as_they_are(file: Path) -> None:
    assert file.read_text() == config_docs.replaced(file), "python -m tests.infra.config_docs"


def declared_defaults() -> dict[str, Any]:
    return {key: entry["default"] for key, entry in project_file()["config"].items()}


def project_file() -> dict[str, Any]:
    import yaml  # type: ignore[import-untyped]  # its types are a package of their own; this is its one use

    loaded: dict[str, Any] = yaml.safe_load((harness.ROOT / "Pulumi.yaml").read_text())
    return loaded


@pytest.mark.parametrize("provider", providers.PROVIDERS)
def test_every_provider_has_secrets_of_its_own_form(provider: str) -> None:
    for spec in providers.PROVIDERS[provider].secrets:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", spec.name)
        if spec.origin is providers.Origin.OWNER:
            assert spec.key in connection_config.SECRET_KEYS


def test_every_configuration_of_the_policies_is_right() -> None:
    for configuration in CONFIGURATIONS.values():
        load(configuration.plain, dict(configuration.secret))
