"""What is known of one connection once its keys were read and found right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import providers
from config_values import SecretText


@dataclass(frozen=True, slots=True)
class Proxy:
    url: str
    auth: str
    ssl: str


@dataclass(frozen=True, slots=True)
class Network:
    """`vpc` with `subnet` or `range` is direct VPC egress, `connector` the older way. `all_traffic`: public addresses too."""

    vpc: str | None
    subnet: str | None
    range: str | None
    connector: str | None
    all_traffic: bool
    tags: tuple[str, ...]
    static_address: bool
    service_attachment: str | None
    service_host: str | None


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """One connection. `secrets` maps file names (`auth-token`) to the values that were given."""

    name: str
    description: str
    labels: Mapping[str, str]
    provider: str
    provider_url: str | None
    sender: str | None
    default_country: str | None
    secrets: Mapping[str, SecretText]
    nodes_min: int
    nodes_max: int
    workers_max: int
    node_rate: int
    connection_rate: int | None
    retry_interval_millis: int
    retry_attempts: int
    expire_after_hours: int
    proxy: Proxy | None
    network: Network | None
    ca_certificates: str | None
    buckets: tuple[str, ...]
    callback_url: str | None
    callback_private_hosts: tuple[str, ...]
    stop_words: tuple[str, ...]
    help_reply: str | None
    callers: tuple[str, ...]
    emails: tuple[str, ...]
    channels: tuple[str, ...]
    rotation_days: int
    protect: bool
    log_level: str
    suspended: bool
    require_active: bool
    webhook_public: str
    request_logs: bool
    secret_reads: bool
    uptime: bool
    backup_days: int
    point_in_time: bool
    grant_seconds: int

    @property
    def secret_specs(self) -> tuple[providers.SecretSpec, ...]:
        """Every secret this connection has, given or not."""
        specs = [*providers.PROVIDERS[self.provider].secrets, *providers.OWN_SECRETS]
        if self.proxy and self.proxy.auth != "none":
            specs += providers.PROXY_SECRETS
        if self.ca_certificates:
            specs.append(providers.CA_CERTIFICATES)
        return tuple(specs)


def build(values: Mapping[str, Any], secrets: Mapping[str, SecretText]) -> ConnectionConfig:
    specs = {spec.key: spec.name for p in providers.PROVIDERS.values() for spec in p.secrets} | {
        spec.key: spec.name for spec in providers.PROXY_SECRETS
    }
    return ConnectionConfig(
        name=values["connection"],
        description=values["description"] or f"SMS connection {values['connection']}",
        labels=values["labels"] or {},
        provider=values["provider"],
        provider_url=values["providerUrl"],
        sender=values["sender"],
        default_country=values["defaultCountry"],
        secrets={specs[key]: value for key, value in secrets.items()},
        nodes_min=values["nodes.min"],
        nodes_max=values["nodes.max"],
        workers_max=values["workers.max"],
        node_rate=values["rate.node"],
        connection_rate=values["rate.connection"],
        retry_interval_millis=values["tracking.retryIntervalMillis"],
        retry_attempts=values["tracking.retryAttempts"],
        expire_after_hours=values["tracking.expireAfterHours"],
        proxy=Proxy(values["proxy.url"], values["proxy.auth"], values["proxy.ssl"]) if values["proxy.url"] else None,
        network=_network(values),
        ca_certificates=values["network.ca"],
        buckets=values["campaigns.buckets"] or (),
        callback_url=values["callbacks.url"],
        callback_private_hosts=values["callbacks.privateHosts"] or (),
        stop_words=values["consent.stopWords"] or (),
        help_reply=values["consent.helpReply"],
        callers=values["callers"] or (),
        emails=values["alerts.emails"] or (),
        channels=values["alerts.channels"] or (),
        rotation_days=values["rotation.days"],
        protect=values["protect"],
        log_level=values["logLevel"],
        suspended=values["suspended"],
        require_active=values["requireActive"],
        webhook_public=values["webhook.public"],
        request_logs=values["logs.requests"],
        secret_reads=values["logs.secretReads"],
        uptime=values["alerts.uptime"],
        backup_days=values["backup.days"],
        point_in_time=values["backup.pointInTime"],
        grant_seconds=values["grants.seconds"],
    )


def _network(values: Mapping[str, Any]) -> Network | None:
    if not (values["network.vpc"] or values["network.connector"]):
        return None
    return Network(
        vpc=values["network.vpc"],
        subnet=values["network.subnet"],
        range=values["network.range"],
        connector=values["network.connector"],
        all_traffic=values["network.egress"] == "all",
        tags=values["network.tags"] or (),
        static_address=values["network.staticAddress"],
        service_attachment=values["network.serviceAttachment"],
        service_host=values["network.serviceHost"],
    )
