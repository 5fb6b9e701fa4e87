"""Rules between keys: combinations that could not work, each with what to do about it. `{where}` is the prefix of the
keys."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import providers
from connection_config import KEYS, ConnectionConfig
from naming import ConnectionNames

Problem = tuple[str, str, str]  # key, problem, fix

WEBHOOK_MAX = 20  # instances of the public function: a flood of callbacks must not eat the project's quota
# The connector's own request limit is 60 minutes; waiting for tracking has to end before that.
TRACKING_LIMIT_MILLIS = 50 * 60 * 1000
SET, REMOVE = "pulumi config set --path {where}", "pulumi config rm --path {where}"


def find(c: ConnectionConfig, project: str, region: str) -> Iterator[Problem]:
    """Yield every broken rule of a connection; `project` and `region` are empty where they are not known."""
    yield from _sizes(c)
    yield from _provider(c)
    yield from _proxy(c)
    yield from _network(c)
    yield from _range(c)
    yield from _elsewhere(c, project, region)
    yield from _destination(c)


def find_clashes(connections: Sequence[ConnectionConfig]) -> Iterator[str]:
    """Find connections whose secrets would have one name: `a` with a proxy and `a-proxy` with a user name."""
    owners: dict[str, str] = {}
    for name, wanted in ((c.name, ConnectionNames(c.name).secret(s.name)) for c in connections for s in c.secret_specs):
        if owners.setdefault(wanted, name) != name:
            problem = f"its secret {wanted} is connection {owners[wanted]}'s too"
            yield f"connections.{name}: {problem}; fix: choose another name for one of them"


def _sizes(c: ConnectionConfig) -> Iterator[Problem]:
    if c.nodes_min > c.nodes_max:
        yield "nodes.min", f"{c.nodes_min} is more than nodes.max ({c.nodes_max})", f"{SET}nodes.min {c.nodes_max}"
    waiting = c.retry_interval_millis * c.retry_attempts
    if waiting > TRACKING_LIMIT_MILLIS:
        problem = f"times retryIntervalMillis is {waiting // 60_000} minutes; a waiting request ends after 60, so 50 are allowed"
        yield "tracking.retryAttempts", problem, f"{SET}tracking.retryAttempts 6"
    # A node's share is at least one call a second: without one, a node would refuse every send.
    rate = c.connection_rate
    if rate and max(rate, 2) < c.nodes_max + c.workers_max:
        sizes = f"nodes.max ({c.nodes_max}) and workers.max ({c.workers_max})"
        nodes, workers = max(1, rate // 2), max(1, rate - rate // 2)
        fix = f"{SET}nodes.max {nodes} && {SET}workers.max {workers}, or raise rate.connection"
        yield "rate.connection", f"{rate} a second are fewer than {sizes} together, so some would have no share", fix


def _provider(c: ConnectionConfig) -> Iterator[Problem]:
    provider = providers.PROVIDERS[c.provider]
    own = [spec.key for spec in provider.secrets if spec.origin is providers.Origin.OWNER]
    known = [*own, *(spec.key for spec in providers.PROXY_SECRETS)]
    given = {spec.key: spec for spec in providers.configured_secrets() if spec.name in c.secrets}
    for key in (key for key in given if key not in known):
        yield key, f"is not a secret of {c.provider}, which has {', '.join(own)}", f"pulumi config rm {{where}}{key}"
    if provider.needs_url and not c.provider_url:
        problem = f"is missing; {c.provider} has no address that is the same for everybody"
        yield "providerUrl", problem, "pulumi config set {where}providerUrl https://…"
    for spec in given.values():
        if spec.pair and spec.pair not in c.secrets:
            there = providers.key_of(spec.pair)
            yield (
                there,
                f"is missing; {spec.key} is of no use without it",
                f"pulumi config set --secret {{where}}{there}",
            )


def _proxy(c: ConnectionConfig) -> Iterator[Problem]:
    for path, value in (("proxy.auth", c.proxy_auth), ("proxy.ssl", c.proxy_ssl)):
        if value != KEYS[path].default and not c.proxy_url:
            yield path, "is set without a proxy", f"{SET}proxy.url http://proxy.example.com:3128"
    for spec in providers.PROXY_SECRETS:
        if spec.name in c.secrets and c.proxy_auth == "none":
            yield spec.key, "is set, but the proxy asks for nothing", f"{SET}proxy.auth basic"


def _network(c: ConnectionConfig) -> Iterator[Problem]:
    if c.vpc and c.vpc_connector:
        problem = "is set beside network.vpc; egress takes one way"
        yield "network.connector", problem, f"{REMOVE}network.connector"
    if c.vpc and not (c.subnet or c.subnet_range):
        yield "network.vpc", "names no subnetwork", f"{SET}network.subnet <name>, or network.range for a new one"
    if c.subnet and c.subnet_range:
        problem = "is set beside network.subnet; one of them is enough"
        yield "network.range", problem, f"{REMOVE}network.range"
    within = {
        "network.subnet": c.subnet,
        "network.range": c.subnet_range,
        "network.tags": c.network_tags,
        "network.staticAddress": c.static_address,
        "network.serviceAttachment": c.service_attachment,
    }
    for path in (path for path, value in within.items() if value and not c.vpc):
        yield path, "needs the VPC it belongs to", f"{SET}network.vpc <name>"
    if c.egress == "all" and not c.uses_network:
        yield "network.egress", "is set, but nothing leaves through a VPC", f"{SET}network.vpc <name>"
    if c.static_address and c.egress != "all":
        problem = "needs all traffic to leave through the VPC: what leaves directly has an address of Google's"
        yield "network.staticAddress", problem, f"{SET}network.egress all"
    if c.callback_private_hosts and not c.uses_network:
        problem = "is set, but nothing leaves through a VPC, so no private host is in reach"
        yield "callbacks.privateHosts", problem, f"{SET}network.vpc <name>"


def _range(c: ConnectionConfig) -> Iterator[Problem]:
    """Direct VPC egress takes about two addresses an instance, and a subnetwork of /26 at least; four of each range are
    Google's.

    Source: https://cloud.google.com/run/docs/configuring/vpc-direct-vpc#scale_up
    """
    needed = 2 * (c.nodes_max + c.workers_max + WEBHOOK_MAX) + 4
    prefix = min(26, 32 - (needed - 1).bit_length())
    if c.subnet_range and ipaddress.IPv4Network(c.subnet_range).prefixlen > prefix:
        instances = f"{c.nodes_max} nodes and {c.workers_max} workers"
        problem = f"{c.subnet_range} is too small: {instances} take {needed} addresses"
        yield "network.range", problem, f"give a /{prefix} or lower nodes.max and workers.max"


def _elsewhere(c: ConnectionConfig, project: str, region: str) -> Iterator[Problem]:
    """Check places: a connection uses what is in its region, and what is made for it is in its project."""
    named = {
        "network.subnet": c.subnet,
        "network.connector": c.vpc_connector,
        "network.serviceAttachment": c.service_attachment,
    }
    for path, name in named.items():
        found = re.search(r"/(?:regions|locations)/([^/]+)/", name or "")
        if found and region and found[1] != region:
            problem = f"is in {found[1]}, but the functions are in {region}; they reach their own region's only"
            yield path, problem, f"name one in {region}"
    host = re.match(r"projects/([^/]+)/", c.vpc or "")
    if not host or not project or host[1] == project:
        return
    if c.subnet and "/" not in c.subnet:
        full = f"projects/{host[1]}/regions/{region}/subnetworks/{c.subnet}"
        yield "network.subnet", f"is a name in {project}, but the VPC is {host[1]}'s", f"{SET}network.subnet {full}"
    for path, value in (("network.range", c.subnet_range), ("network.staticAddress", c.static_address)):
        if value:
            problem = f"would be made in {project}, but the VPC is {host[1]}'s, and only that project can add to it"
            yield path, problem, f"{REMOVE}{path}; ask who runs {host[1]} for it"


def _destination(c: ConnectionConfig) -> Iterator[Problem]:
    if bool(c.service_attachment) != bool(c.service_host):
        there = "network.serviceHost" if c.service_attachment else "network.serviceAttachment"
        yield there, "is missing; a private destination takes both", f"{SET}{there} <value>"
    used = {urlsplit(url or "").hostname for url in (c.proxy_url, c.provider_url)}
    if c.service_host and c.service_host not in used:
        problem = f"{c.service_host} is neither the proxy's host nor the provider's, so nothing would go there"
        yield "network.serviceHost", problem, f"name {c.service_host} in proxy.url or providerUrl"
