"""The jobs that call a connection's connector by the clock."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.accounts import ConnectionAccounts
from components.component import Component
from components.platform import Platform
from connection_config import ConnectionConfig
from naming import ConnectionNames


@dataclass(frozen=True, slots=True)
class ScheduledCall:
    """A POST without a body to `path`, as `account`, which may call the connector and nothing else."""

    schedule: str
    path: str
    account: str
    description: str


CALLS = {
    # The answer is in the log, and the alert `not-active` reads it there. It queries the provider and sends nothing.
    "test": ScheduledCall("*/5 * * * *", "/v1/connection:test", "check", "Asks SMS connection {} how it is"),
    # Not the worker's: an instance of it takes one request at a time, so that a run would wait while all of them send.
    "maintenance": ScheduledCall(
        "* * * * *", "/tasks/maintenance", "scheduler", "Finds and continues the open work of SMS connection {}"
    ),
}
# A maintenance run that takes longer is given up before the next one begins; the functions have a time budget below it.
DEADLINE = "60s"


class ConnectionJobs(Component):
    """Owns the connection test every five minutes, and the maintenance run each minute.

    Refuses to carry anything, and to repeat: the connector finds open work in the ledger by itself, and the next call
    follows soon.
    """

    def __init__(
        self,
        name: str,
        config: ConnectionConfig,
        platform: Platform,
        *,
        accounts: ConnectionAccounts,
        connector: gcp.cloudfunctionsv2.Function,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        uri = connector.service_config.apply(lambda service: (service.uri if service else None) or "")
        for key, call in CALLS.items():
            gcp.cloudscheduler.Job(
                f"{config.name}-{key}",
                project=platform.project,
                region=platform.region,
                name=ConnectionNames(config.name).other(key),
                description=call.description.format(config.name),
                schedule=call.schedule,
                time_zone="Etc/UTC",
                attempt_deadline=DEADLINE,
                http_target=gcp.cloudscheduler.JobHttpTargetArgs(
                    http_method="POST",
                    uri=pulumi.Output.concat(uri, call.path),
                    oidc_token=gcp.cloudscheduler.JobHttpTargetOidcTokenArgs(
                        service_account_email=accounts[call.account].email, audience=uri
                    ),
                ),
                opts=self.child(platform.apis["cloudscheduler"]),
            )
        self.register_outputs({})
