"""What a stack tells when it is up: addresses, names, the connection's state, and commands that can be pasted."""

from __future__ import annotations

import pulumi

from components.connection import Connection
from components.platform import Platform
from connection_check import Check, not_deployed, verify

Result = dict[str, pulumi.Input[object]]


def of_connection(connection: Connection, platform: Platform, check: Check) -> Result:
    """One connection's outputs. No secret value is among them."""
    secrets = connection.secrets
    return {
        "database": connection.ledger.database.name,
        "connectorUrl": connection.uri("connector"),
        "workerUrl": connection.uri("worker"),
        "webhookUrl": connection.functions.address("webhook"),
        "accounts": {role: account.email for role, account in connection.accounts.by_role.items()},
        "secrets": {name: secret.secret_id for name, secret in secrets.by_name.items()},
        "queues": {"chunks": connection.queues.chunks.name, "events": connection.queues.events.name},
        "egressAddress": getattr(connection.network, "address", None),
        "keptByDestroy": kept_by_destroy(connection),
        "state": _state(connection, check),
        "missingSecrets": {
            spec.name: add_command(platform, secrets.names.secret(spec.name)) for spec in secrets.missing
        },
        "commands": _commands(connection, platform),
    }


def kept_by_destroy(connection: Connection) -> list[pulumi.Output[str]]:
    """What `pulumi destroy` leaves while `protect` is on."""
    if not connection.config.protect:
        return []
    secrets = (secret.secret_id for secret in connection.secrets.by_name.values())
    return [connection.ledger.database.name, *secrets]


def add_command(platform: Platform, secret: str) -> str:
    return f'printf %s "$VALUE" | gcloud secrets versions add {secret} --project={platform.project} --data-file=-'


def _state(connection: Connection, check: Check) -> pulumi.Output[dict[str, object]]:
    uri, access, secrets = connection.uri("connector"), connection.access.grants, connection.secrets
    if uri is None:
        return not_deployed(
            [spec.name for spec in secrets.missing],
            after=pulumi.Output.all(*(secret.id for secret in secrets.by_name.values())),
            require_active=connection.config.require_active,
            name=connection.config.name,
        )
    return verify(
        uri,
        connection.accounts["check"].email,
        after=pulumi.Output.all(
            access["connector", "check"].id, *(version.id for version in secrets.versions.values())
        ),
        check=check,
        require_active=connection.config.require_active,
        name=connection.config.name,
    )


def _commands(connection: Connection, platform: Platform) -> Result:
    uri, name = connection.uri("connector"), connection.config.name
    header = '-H "Authorization: Bearer $(gcloud auth print-identity-token)"'
    message = """-H 'Content-Type: application/json' -d '{"to": "+15558675310", "message": "Hello"}'"""
    logs = f"gcloud logging read 'jsonPayload.connection=\"{name}\"' --project={platform.project} --freshness=1h --order=asc"
    commands: Result = {"rotate": _rotate(connection, platform), "watch": logs}
    if uri is not None:
        commands["send"] = uri.apply(lambda u: f"curl -X POST {header} {message} {u}/v1/messages:send")
        commands["test"] = uri.apply(lambda u: f"curl -X POST {header} {u}/v1/connection:test")
    return commands


def _rotate(connection: Connection, platform: Platform) -> dict[str, pulumi.Output[str]]:
    """By secret. A new value is used within half a minute; the token before it stays valid for callbacks on their way."""
    project, names = f"--project={platform.project}", connection.secrets.names
    previous = (
        f"gcloud secrets versions access latest --secret={names.secret('auth-token')} {project} | "
        f"gcloud secrets versions add {names.secret('auth-token-previous')} {project} --data-file=- && "
    )
    return {
        spec.name: pulumi.Output.concat(
            previous if spec.name == "auth-token" else "",
            f"{add_command(platform, names.secret(spec.name))} && gcloud pubsub subscriptions pull ",
            connection.rotation.inbox.name,
            f" {project} --auto-ack --limit=100",
        )
        for spec in connection.secrets.specs
        if spec.rotates and spec.name in connection.secrets.mounted
    }
