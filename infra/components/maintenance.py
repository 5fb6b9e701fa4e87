"""The job that runs a connection's maintenance each minute."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from components.accounts import ConnectionAccounts
from components.component import Component
from components.platform import Platform
from connection_config import ConnectionConfig
from naming import ConnectionNames

EVERY_MINUTE = "* * * * *"
# A run that takes longer is given up by the scheduler before the next one begins; the functions have a time budget below it.
DEADLINE = "60s"


class ConnectionMaintenance(Component):
    """Owns the job that posts to the connector's `/tasks/tick`, as an account that may call the connector and nothing else.

    Not the worker: an instance of it takes one request at a time, so that a run would wait while all of them send.

    Refuses to carry anything: the request has no body, and the connector finds open work in the ledger by itself. A run that fails is
    not repeated, since the next one follows within a minute.
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
        self.job = gcp.cloudscheduler.Job(
            f"{config.name}-maintenance",
            project=platform.project,
            region=platform.region,
            name=ConnectionNames(config.name).other("maintenance"),
            description=f"Finds and continues the open work of SMS connection {config.name}",
            schedule=EVERY_MINUTE,
            time_zone="Etc/UTC",
            attempt_deadline=DEADLINE,
            http_target=gcp.cloudscheduler.JobHttpTargetArgs(
                http_method="POST",
                uri=uri.apply(lambda base: f"{base}/tasks/tick"),
                oidc_token=gcp.cloudscheduler.JobHttpTargetOidcTokenArgs(
                    service_account_email=accounts["scheduler"].email, audience=uri
                ),
            ),
            opts=self.child(platform.apis["cloudscheduler"]),
        )
        self.register_outputs({})
