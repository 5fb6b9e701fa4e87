"""The stack's outputs: addresses, names, the connection's state, and commands that can be pasted."""

from __future__ import annotations

import pulumi

import webhook_access
from components.connection import Connection
from components.platform import Platform
from connection_check import Check, not_deployed, verify
from providers import PROVIDERS, Origin, SecretSpec
from webhook_access import Switch

Result = dict[str, pulumi.Input[object]]


def of_connection(connection: Connection, platform: Platform, check: Check, switch: Switch) -> Result:
    """Return one connection's outputs. No secret value is among them."""
    secrets = connection.secrets
    return {
        "database": connection.ledger.database.name,
        "connectorUrl": connection.uri("connector"),
        "workerUrl": connection.uri("worker"),
        "rotatorUrl": connection.uri("rotator"),
        "webhookUrl": connection.functions.address("webhook"),
        "webhookAccess": webhook_access.verify(
            connection.functions.service("webhook"),
            mode=connection.config.webhook_public,
            switch=switch,
            require=connection.config.require_active,
            name=connection.config.name,
        ),
        "accounts": {role: account.email for role, account in connection.accounts.by_role.items()},
        "secrets": {name: secret.secret_id for name, secret in secrets.by_name.items()},
        "queues": {"chunks": connection.queues.chunks.name, "events": connection.queues.events.name},
        "egressAddress": connection.network and connection.network.address,
        "keptByDestroy": kept_by_destroy(connection),
        "state": _state(connection, check),
        "missingSecrets": {
            spec.name: add_command(platform, secrets.names.secret(spec.name)) for spec in secrets.missing
        },
        "callbackAddresses": _callback_addresses(connection, platform),
        "commands": _commands(connection, platform),
    }


def kept_by_destroy(connection: Connection) -> list[pulumi.Output[str]]:
    """Return what `pulumi destroy` leaves while `protect` is on."""
    if not connection.config.protect:
        return []
    secrets = (secret.secret_id for secret in connection.secrets.by_name.values())
    return [connection.ledger.database.name, *secrets, connection.queues.chunks.name, connection.queues.events.name]


def add_command(platform: Platform, secret: str) -> str:
    return f'printf %s "$VALUE" | {_add(platform, secret)}'


def read_command(platform: Platform, secret: str) -> str:
    return f"gcloud secrets versions access latest --secret={secret} --project={platform.project}"


def _add(platform: Platform, secret: str) -> str:
    return f"gcloud secrets versions add {secret} --project={platform.project} --data-file=-"


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
    uri, rotator, name = connection.uri("connector"), connection.uri("rotator"), connection.config.name
    header = '-H "Authorization: Bearer $(gcloud auth print-identity-token)"'
    message = """-H 'Content-Type: application/json' -d '{"to": "+15558675310", "message": "Hello"}'"""
    logs = f"gcloud logging read 'jsonPayload.connection=\"{name}\"' --project={platform.project} --freshness=1h --order=asc"
    commands: Result = {
        "rotate": _rotate(connection, platform),
        "endOverlap": _end_overlap(connection, platform),
        "watch": logs,
        "inboundAddress": _print_address(connection, platform, "inbound"),
        "callbackSecret": read_command(platform, connection.secrets.names.secret("callback-secret")),
    }
    if uri is not None:
        commands["send"] = uri.apply(lambda u: f"curl -X POST {header} {message} {u}/v1/messages:send")
        commands["test"] = uri.apply(lambda u: f"curl -X POST -d '' {header} {u}/v1/connection:test")
    if rotator is not None:
        json = "-H 'Content-Type: application/json'"
        commands["rotateNow"] = {
            secret: pulumi.Output.concat(
                f'curl -X POST {header} {json} -d \'{{"secret": "{secret}"}}\' ', rotator, "/v1/rotations:run"
            )
            for secret in connection.secrets.noticed
            if secret in PROVIDERS[connection.config.provider].rotated
        }
    return commands


def _callback_addresses(connection: Connection, platform: Platform) -> dict[str, Result]:
    """By what is called back: the address, where it is entered at the provider, and the command that prints it whole."""
    config = connection.config
    return {
        kind: {
            "url": pulumi.Output.concat(_address(connection, kind), "{token}"),
            "enterAt": place,
            "command": _print_address(connection, platform, kind),
        }
        for kind, place in PROVIDERS[config.provider].places.items()
        if config.webhook_public != "none"
    }


def _address(connection: Connection, kind: str) -> pulumi.Output[str]:
    webhook = connection.functions.address("webhook")
    return pulumi.Output.concat(webhook, f"/webhooks/{connection.config.provider}/{kind}/")


def _print_address(connection: Connection, platform: Platform, kind: str) -> pulumi.Output[str]:
    """Prints a callback address with its token. That is a digest under `webhook-key`, which only its readers see, so it
    is no output itself."""
    key = read_command(platform, connection.secrets.names.secret("webhook-key"))
    digest = f'printf %s {kind}:{connection.config.name} | openssl dgst -sha256 -hmac "$({key})" -r | cut -c1-24'
    return pulumi.Output.concat('echo "', _address(connection, kind), f'$({digest})"')


def _rotate(connection: Connection, platform: Platform) -> dict[str, pulumi.Output[str]]:
    """By secret. A new value is used within half a minute; the one before stays valid while the rotation overlaps."""
    return {
        spec.name: _rotation(spec, connection, platform)
        for spec in connection.secrets.specs
        if (spec.rotates or spec.previous) and spec.name in connection.secrets.mounted
    }


def _end_overlap(connection: Connection, platform: Platform) -> dict[str, str]:
    """By secret: stop accepting the value before. A random version takes its place, since a disabled one could not be
    mounted."""
    secrets = connection.secrets
    return {
        spec.name: f"openssl rand -base64 32 | {_add(platform, secrets.names.secret(spec.previous))}"
        for spec in secrets.specs
        if spec.previous and spec.name in secrets.mounted
    }


def _rotation(spec: SecretSpec, connection: Connection, platform: Platform) -> pulumi.Output[str]:
    """Keeps the value before where it overlaps, adds the new one, marks its notice as read."""
    secrets, project = connection.secrets.names, f"--project={platform.project}"
    keep = f"{read_command(platform, secrets.secret(spec.name))} | {_add(platform, secrets.secret(spec.previous))} && "
    made = f'VALUE="{spec.prefix}$(openssl rand -base64 32)"; ' if spec.origin is Origin.MADE else ""
    seen = f"{project} --time=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    inbox = connection.rotation.inboxes.get(spec.name)
    done = (" && gcloud pubsub subscriptions seek ", inbox.name, f" {seen}") if inbox else ()
    return pulumi.Output.concat(
        made, keep if spec.previous else "", add_command(platform, secrets.secret(spec.name)), *done
    )
