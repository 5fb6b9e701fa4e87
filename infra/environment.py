"""The environment variables of a connection's functions, by the names both sides agree on (docs/settings.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from connection_config import ConnectionConfig, ListedSender

SECRETS_DIR = "/secrets"


@dataclass(frozen=True, slots=True)
class RuntimeEndpoints:
    """Addresses and names that the functions get beside the connection's configuration."""

    project: str
    region: str
    database: pulumi.Input[str]
    connector_url: pulumi.Input[str]
    worker_url: pulumi.Input[str]
    webhook_url: pulumi.Input[str]
    tasks_account: pulumi.Input[str]


def secret_file(name: str) -> str:
    """Return a secret's path: a mount hides everything else in its folder, so each secret has a folder of its own."""
    return f"{SECRETS_DIR}/{name}/{name}"


def variables(config: ConnectionConfig, around: RuntimeEndpoints) -> dict[str, pulumi.Input[str]]:
    """Return every variable that has a value; without a variable the functions' own default holds."""
    optional: Mapping[str, object] = {
        "SMS_PROVIDER_URL": config.provider_url,
        "SMS_PROVIDER_OPTIONS": _named(config.provider_options),
        "SMS_SENDER": config.sender,
        "SMS_SENDERS": _write_senders(config.senders),
        "SMS_BUSINESS_UNIT": config.business_unit,
        "SMS_DEFAULT_COUNTRY": config.default_country,
        "SMS_CONNECTION_RATE": config.rate_connection,
        "SMS_LABELS": _named(config.labels),
        "SMS_CAMPAIGN_SOURCES": ",".join(f"gs://{bucket}" for bucket in config.campaigns_buckets),
        "SMS_CALLBACK_URL": config.callbacks_url,
        "SMS_CALLBACK_FORMAT": config.callbacks_url and config.callbacks_format,
        "SMS_JOURNEYS_ORGANIZATION_ID": config.callbacks_journeys_organization_id,
        "SMS_CALLBACK_PRIVATE_HOSTS": ",".join(config.callbacks_private_hosts),
        "SMS_STOP_WORDS": ",".join(config.consent_stop_words),
        "SMS_HELP_REPLY": config.consent_help_reply,
        "SMS_ENTITY_WRITES": ",".join(config.entities_writes),
        "SMS_MCP_TOOLS": ",".join(config.entities_tools),
        "SMS_PROXY_URL": config.proxy_url,
        "SMS_PROXY_AUTH": config.proxy_url and config.proxy_auth,
        "SMS_PROXY_SSL": config.proxy_url and config.proxy_ssl,
    }
    return {
        "SMS_CONNECTION": config.name,
        "SMS_DESCRIPTION": config.description,
        "SMS_REGION": around.region,
        "SMS_NODES_MIN": str(config.nodes_min),
        "SMS_NODES_MAX": str(config.nodes_max),
        "SMS_WORKERS_MAX": str(config.workers_max),
        "SMS_PROVIDER": config.provider,
        "SMS_RETRY_INTERVAL_MILLIS": str(config.tracking_retry_interval_millis),
        "SMS_RETRY_ATTEMPTS": str(config.tracking_retry_attempts),
        "SMS_EXPIRE_AFTER_HOURS": str(config.tracking_expire_after_hours),
        "SMS_NODE_RATE": str(config.rate_node),
        "SMS_SECRETS_DIR": SECRETS_DIR,
        "SMS_LEDGER": pulumi.Output.concat("firestore:", around.project, "/", around.database),
        "SMS_QUEUE": f"cloud-tasks:{around.project}/{around.region}",
        "SMS_WORKER_URL": around.worker_url,
        "SMS_CONNECTOR_URL": around.connector_url,
        "SMS_TASKS_ACCOUNT": around.tasks_account,
        **({"SMS_WEBHOOK_URL": around.webhook_url} if config.webhook_public != "none" else {}),
        "SMS_LOG_LEVEL": config.log_level,
        "SMS_SUSPENDED": "true" if config.suspended else "false",
        **{name: str(value) for name, value in optional.items() if value},
    }


def _named(values: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in values.items())


def _write_senders(senders: Sequence[ListedSender]) -> str | None:
    documents = [sender.model_dump(mode="json", by_alias=True, exclude_defaults=True) for sender in senders]
    return json.dumps(documents, ensure_ascii=False) if documents else None
