"""Rules between keys: combinations that could not work, each with what to do about it. `{where}` is the prefix of the keys."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import config_keys
import providers
from config_values import SecretText, Wrong
from connection_config import ConnectionConfig
from naming import ConnectionNames

Mistake = tuple[str, str, str]  # key, problem, fix
Values = Mapping[str, Any]

WEBHOOK_MAX = 20  # instances of the public function: a flood of callbacks must not eat the project's quota


@dataclass(frozen=True, slots=True)
class Place:
    """Where the stack is; empty where that isn't known because it was said wrong."""

    project: str
    region: str


def is_default(path: str, value: object) -> bool:
    """Whether the value is what holds anyway: `Pulumi.yaml` hands over the defaults as if they had been set."""
    key = config_keys.BY_PATH.get(path)
    if key is None:
        return value in ("{}", {}, "[]", [])
    try:
        read = key.read(value)
    except Wrong:
        return False
    return bool(read == key.default or read in ((), {}))


def find(values: Values, secrets: Mapping[str, SecretText], place: Place) -> Iterator[Mistake]:
    """Every broken rule of a connection whose values could be read."""
    yield from _sizes(values)
    yield from _rate(values)
    yield from _provider(values, secrets)
    yield from _proxy(values, secrets)
    yield from _network(values)
    yield from _elsewhere(values, place)
    yield from _destination(values)
    yield from _callbacks(values)


def find_clashes(connections: Sequence[ConnectionConfig]) -> Iterator[str]:
    """Connections whose secrets would have one name: `a` with a proxy and `a-proxy` with a user name. No other names can meet."""
    owners: dict[str, str] = {}
    for name, wanted in ((c.name, ConnectionNames(c.name).secret(s.name)) for c in connections for s in c.secret_specs):
        if owners.setdefault(wanted, name) != name:
            yield (
                f"connections.{name}: its secret {wanted} is connection {owners[wanted]}'s too; "
                "fix: choose another name for one of them"
            )


def _sizes(values: Values) -> Iterator[Mistake]:
    if values["nodes.min"] > values["nodes.max"]:
        problem = f"{values['nodes.min']} is more than nodes.max ({values['nodes.max']})"
        yield "nodes.min", problem, f"pulumi config set --path {{where}}nodes.min {values['nodes.max']}"
    waiting = values["tracking.retryIntervalMillis"] * values["tracking.retryAttempts"]
    if waiting > config_keys.TRACKING_LIMIT_MILLIS:
        yield (
            "tracking.retryAttempts",
            f"times retryIntervalMillis is {waiting // 60_000} minutes; a waiting request ends after 60, so 50 are allowed",
            "pulumi config set --path {where}tracking.retryAttempts 6",
        )


def _rate(values: Values) -> Iterator[Mistake]:
    """A node's share of the rate is at least one call a second, so the nodes beyond the rate would have none and refuse every send."""
    rate, nodes, workers = values["rate.connection"], values["nodes.max"], values["workers.max"]
    if rate and max(rate, 2) < nodes + workers:
        more = max(1, rate - rate // 2)
        yield (
            "rate.connection",
            f"{rate} a second are fewer than nodes.max ({nodes}) and workers.max ({workers}) together, so some would have no share",
            f"pulumi config set --path {{where}}nodes.max {max(1, rate // 2)} && "
            f"pulumi config set --path {{where}}workers.max {more}, or raise rate.connection",
        )


def _provider(values: Values, secrets: Mapping[str, SecretText]) -> Iterator[Mistake]:
    name = values["provider"]
    provider = providers.PROVIDERS[name]
    own = [spec.key for spec in provider.secrets if spec.origin is providers.Origin.OWNER]
    proxy = [spec.key for spec in providers.PROXY_SECRETS]
    for key in secrets:
        if key not in own and key not in proxy:
            yield key, f"is not a secret of {name}, which has {', '.join(own)}", f"pulumi config rm {{where}}{key}"
    if provider.needs_url and not values["providerUrl"]:
        problem = f"is missing; {name} has no address that is the same for everybody"
        yield "providerUrl", problem, "pulumi config set {where}providerUrl https://…"
    pair = ("apiKeySid", "apiKeySecret")
    for here, there in (pair, pair[::-1]):
        if here in secrets and there not in secrets:
            yield there, f"is missing; {here} is of no use without it", f"pulumi config set --secret {{where}}{there}"


def _proxy(values: Values, secrets: Mapping[str, SecretText]) -> Iterator[Mistake]:
    for key in ("proxy.auth", "proxy.ssl"):
        if values[key] != config_keys.BY_PATH[key].default and not values["proxy.url"]:
            yield (
                key,
                "is set, but there is no proxy",
                "pulumi config set --path {where}proxy.url http://proxy.example.com:3128",
            )
    for spec in providers.PROXY_SECRETS:
        if spec.key in secrets and values["proxy.auth"] == "none":
            yield spec.key, "is set, but the proxy asks for nothing", "pulumi config set --path {where}proxy.auth basic"


def _network(values: Values) -> Iterator[Mistake]:
    vpc, connector = values["network.vpc"], values["network.connector"]
    subnets = [key for key in ("network.subnet", "network.range") if values[key]]
    if vpc and connector:
        yield (
            "network.connector",
            "is set beside network.vpc; egress takes one way",
            "pulumi config rm --path {where}network.connector",
        )
    if vpc and not subnets:
        problem = "names no subnetwork"
        yield (
            "network.vpc",
            problem,
            "pulumi config set --path {where}network.subnet <name>, or network.range for a new one",
        )
    if len(subnets) == 2:
        yield (
            "network.range",
            "is set beside network.subnet; one of them is enough",
            "pulumi config rm --path {where}network.range",
        )
    for key in (
        "network.subnet",
        "network.range",
        "network.tags",
        "network.staticAddress",
        "network.serviceAttachment",
    ):
        if values[key] and not vpc:
            yield key, "needs the VPC it belongs to", "pulumi config set --path {where}network.vpc <name>"
    if values["network.egress"] == "all" and not (vpc or connector):
        yield (
            "network.egress",
            "is set, but nothing leaves through a VPC",
            "pulumi config set --path {where}network.vpc <name>",
        )
    if values["network.staticAddress"] and values["network.egress"] != "all":
        problem = "needs all traffic to leave through the VPC: what leaves directly has an address of Google's"
        yield "network.staticAddress", problem, "pulumi config set --path {where}network.egress all"
    if values["network.range"]:
        yield from _range(values)


def _range(values: Values) -> Iterator[Mistake]:
    """Direct VPC egress takes about two addresses an instance, and a subnetwork of /26 at least; four of each range are Google's.

    Source: https://cloud.google.com/run/docs/configuring/vpc-direct-vpc#scale_up
    """
    needed = 2 * (values["nodes.max"] + values["workers.max"] + WEBHOOK_MAX) + 4
    prefix = min(26, 32 - (needed - 1).bit_length())
    if ipaddress.IPv4Network(values["network.range"]).prefixlen > prefix:
        size = values["network.range"]
        problem = f"{size} is too small: {values['nodes.max']} nodes and {values['workers.max']} workers take {needed} addresses"
        yield "network.range", problem, f"give a /{prefix} or lower nodes.max and workers.max"


def _elsewhere(values: Values, place: Place) -> Iterator[Mistake]:
    """What a connection uses lies in its region; what is made for it lies in its project, and so must what that is made in."""
    for key in ("network.subnet", "network.connector", "network.serviceAttachment"):
        found = re.search(r"/(?:regions|locations)/([^/]+)/", values[key] or "")
        if found and place.region and found[1] != place.region:
            problem = f"is in {found[1]}, but the functions are in {place.region}; they reach their own region's only"
            yield key, problem, f"name one in {place.region}"
    host = re.match(r"projects/([^/]+)/", values["network.vpc"] or "")
    if not host or not place.project or host[1] == place.project:
        return
    if values["network.subnet"] and "/" not in values["network.subnet"]:
        problem = f"is a name in {place.project}, but the VPC is {host[1]}'s"
        full = f"projects/{host[1]}/regions/{place.region}/subnetworks/{values['network.subnet']}"
        yield "network.subnet", problem, f"pulumi config set --path {{where}}network.subnet {full}"
    for key in ("network.range", "network.staticAddress"):
        if values[key]:
            problem = (
                f"would be made in {place.project}, but the VPC is {host[1]}'s, and only that project can add to it"
            )
            yield key, problem, f"pulumi config rm --path {{where}}{key}; ask who runs {host[1]} for it"


def _destination(values: Values) -> Iterator[Mistake]:
    attachment, host = values["network.serviceAttachment"], values["network.serviceHost"]
    if bool(attachment) != bool(host):
        there = "network.serviceHost" if attachment else "network.serviceAttachment"
        yield (
            there,
            "is missing; a private destination takes both",
            f"pulumi config set --path {{where}}{there} <value>",
        )
    used = {urlsplit(values[key] or "").hostname for key in ("proxy.url", "providerUrl")}
    if host and host not in used:
        problem = f"{host} is neither the proxy's host nor the provider's, so nothing would go there"
        yield "network.serviceHost", problem, f"name {host} in proxy.url or providerUrl"


def _callbacks(values: Values) -> Iterator[Mistake]:
    if values["callbacks.privateHosts"] and not (values["network.vpc"] or values["network.connector"]):
        problem = "is set, but nothing leaves through a VPC, so no private host is in reach"
        yield "callbacks.privateHosts", problem, "pulumi config set --path {where}network.vpc <name>"
