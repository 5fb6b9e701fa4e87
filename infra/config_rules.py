"""Rules between keys: combinations that could not work, each with what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any
from urllib.parse import urlsplit

import providers
from connection_config import SECRET_KEYS, ConnectionConfig
from naming import ConnectionNames

# Key, problem, and the fix: a command, or the key to set to its example. `{where}` is the prefix of the keys.
Problem = tuple[str, str, str]

WEBHOOK_MAX = 20  # instances of the public function: a flood of callbacks must not eat the project's quota
TRACKING_LIMIT_MINUTES = 50  # the connector's own request limit is 60; waiting for tracking has to end before that
SET, REMOVE = "pulumi config set --path {where}", "pulumi config rm --path {where}"

ANY_VPC = "network.vpc network.connector"
# Keys, of which a set one needs one of others (the first is the usual one), and what is wrong without.
NEEDS = (
    ("proxy.auth proxy.ssl", "proxy.url", "is set without a proxy"),
    ("proxyUsername proxyPassword", "proxy.auth", "is set, but the proxy asks for nothing"),
    ("network.vpc", "network.subnet network.range", "names no subnetwork, existing or new (network.range)"),
    ("network.subnet network.range network.tags", "network.vpc", "needs the VPC it belongs to"),
    ("network.staticAddress network.serviceAttachment", "network.vpc", "needs the VPC it belongs to"),
    ("network.egress", ANY_VPC, "is set, but nothing leaves through a VPC"),
    ("callbacks.format callbacks.journeysOrganizationId", "callbacks.url", "is set, but results are posted nowhere"),
    ("callbacks.privateHosts", ANY_VPC, "is set, but nothing leaves through a VPC, so no private host is in reach"),
)
# A key that another one excludes, and what is wrong with it.
EXCLUDES = (
    ("network.connector", "network.vpc", "is set beside network.vpc; egress takes one way"),
    ("network.range", "network.subnet", "is set beside network.subnet; one of them is enough"),
    ("sender", "senders", "is set beside senders; it is short for a list of one"),
)
# Keys of which each is of no use without the others.
WHOLE = ("network.serviceAttachment network.serviceHost", "callbacks.format callbacks.journeysOrganizationId")


def find(c: ConnectionConfig, project: str, region: str) -> Iterator[Problem]:
    """Yield every broken rule of a connection; `project` and `region` are empty where they are not known."""
    given = c.model_dump(by_alias=True, exclude_defaults=True)
    yield from _together(c, set(given))
    yield from _sizes(c)
    yield from _elsewhere(given, project, region)


def find_clashes(connections: Sequence[ConnectionConfig]) -> Iterator[str]:
    """Find connections whose secrets would have one name: `a` with a proxy and `a-proxy` with a user name."""
    owners: dict[str, str] = {}
    for name, wanted in ((c.name, ConnectionNames(c.name).secret(s.name)) for c in connections for s in c.secret_specs):
        if owners.setdefault(wanted, name) != name:
            problem = f"its secret {wanted} is connection {owners[wanted]}'s too"
            yield f"connections.{name}: {problem}; fix: choose another name for one of them"


def _together(c: ConnectionConfig, given: set[str]) -> Iterator[Problem]:
    """Check which keys are set together."""
    for keys, needed, problem in NEEDS:
        if given.isdisjoint(needed.split()):
            yield from ((key, problem, needed.split()[0]) for key in keys.split() if key in given)
    yield from ((key, problem, REMOVE + key) for key, other, problem in EXCLUDES if given >= {key, other})
    provider = providers.PROVIDERS[c.provider]
    for group in (*map(str.split, WHOLE), *([providers.key_of(name) for name in group] for group in provider.wholes)):
        if (present := given.intersection(group)) and (missing := sorted(set(group) - given)):
            yield missing[0], f"is missing; {', '.join(sorted(present))} is of no use without it", missing[0]
    own, shared = ([spec.key for spec in specs] for specs in (provider.owned, providers.PROXY_SECRETS))
    for key in sorted(given & SECRET_KEYS - {*own, *shared}):
        yield key, f"is not a secret of {c.provider}, which has {', '.join(own)}", f"pulumi config rm {{where}}{key}"
    if c.network_static_address and c.network_egress != "all":
        problem = "needs all traffic to leave through the VPC: what leaves directly has an address of Google's"
        yield "network.staticAddress", problem, f"{SET}network.egress all"
    if not (provider.url or c.provider_url):
        yield "providerUrl", f"is missing; {c.provider} has no address that is the same for everybody", ""
    for name, problem in provider.find_problems(c.provider_options):
        place = f"providerOptions.{name}"
        yield place, problem, f"{SET}{place} <value>" if name in provider.options else REMOVE + place


def _sizes(c: ConnectionConfig) -> Iterator[Problem]:
    """Check values that have to fit each other."""
    if c.nodes_min > c.nodes_max:
        yield "nodes.min", f"{c.nodes_min} is more than nodes.max ({c.nodes_max})", f"{SET}nodes.min {c.nodes_max}"
    waiting = c.tracking_retry_interval_millis * c.tracking_retry_attempts / 60_000
    if waiting > TRACKING_LIMIT_MINUTES:
        problem = f"{int(waiting)} minutes; a waiting request ends after 60, so {TRACKING_LIMIT_MINUTES} are allowed"
        yield "tracking.retryAttempts", f"times retryIntervalMillis is {problem}", f"{SET}tracking.retryAttempts 6"
    # A node's share is at least one call a second: without one, a node would refuse every send.
    if (rate := c.rate_connection) and max(rate, 2) < c.nodes_max + c.workers_max:
        sizes = f"nodes.max ({c.nodes_max}) and workers.max ({c.workers_max}) together"
        fix = f"{SET}nodes.max {max(1, rate // 2)} && {SET}workers.max {max(1, rate - rate // 2)}"
        problem = f"{rate} a second are fewer than {sizes}, so some would have no share"
        yield "rate.connection", problem, f"{fix}, or raise rate.connection"
    # Direct VPC egress takes about two addresses an instance, and a subnetwork of /26 at least; four of each range are
    # Google's: https://cloud.google.com/run/docs/configuring/vpc-direct-vpc#scale_up
    needed = 2 * (c.nodes_max + c.workers_max + WEBHOOK_MAX) + 4
    prefix = min(26, 32 - (needed - 1).bit_length())
    if c.network_range and IPv4Network(c.network_range).prefixlen > prefix:
        problem = f"is too small: {c.nodes_max} nodes and {c.workers_max} workers take {needed} addresses"
        fix = f"give a /{prefix} or lower nodes.max and workers.max"
        yield "network.range", f"{c.network_range} {problem}", fix
    host = c.network_service_host
    if host and host not in {urlsplit(url or "").hostname for url in (c.proxy_url, c.provider_url)}:
        problem = f"{host} is neither the proxy's host nor the provider's, so nothing would go there"
        yield "network.serviceHost", problem, f"name {host} in proxy.url or providerUrl"


def _elsewhere(given: Mapping[str, Any], project: str, region: str) -> Iterator[Problem]:
    """Check places: a connection uses what is in its region, and what is made for it is in its project."""
    for key in ("network.subnet", "network.connector", "network.serviceAttachment"):
        found = re.search(r"/(?:regions|locations)/([^/]+)/", given.get(key, ""))
        if found and region and found[1] != region:
            problem = f"is in {found[1]}, but the functions are in {region}; they reach their own region's only"
            yield key, problem, f"name one in {region}"
    vpc, subnet = re.match(r"projects/([^/]+)/", given.get("network.vpc", "")), given.get("network.subnet", "/")
    if vpc and project and vpc[1] != project:
        owner = f"the VPC is {vpc[1]}'s"
        if "/" not in subnet:
            fix = f"{SET}network.subnet projects/{vpc[1]}/regions/{region}/subnetworks/{subnet}"
            yield "network.subnet", f"is a name in {project}, but {owner}", fix
        for key in ("network.range", "network.staticAddress"):
            if key in given:
                problem = f"would be made in {project}, but {owner}, and only that project can add to it"
                yield key, problem, f"{REMOVE}{key}; ask who runs {vpc[1]} for it"
