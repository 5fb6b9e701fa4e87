"""The connection is asked how it is, whether or not anybody sends."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from components.accounts import ConnectionAccounts
from components.component import Component
from components.platform import Platform
from connection_config import ConnectionConfig
from naming import ConnectionNames

EVERY_FIVE_MINUTES = "*/5 * * * *"


class ConnectionWatch(Component):
    """Owns the job that calls `connection:test`; the answer is in the log, and the alert `not-active` reads it there.

    Refuses to send: the test is a query to the provider, never a message.
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
            f"{config.name}-test",
            project=platform.project,
            region=platform.region,
            name=ConnectionNames(config.name).other("test"),
            description=f"Asks SMS connection {config.name} how it is",
            schedule=EVERY_FIVE_MINUTES,
            time_zone="Etc/UTC",
            attempt_deadline="60s",
            http_target=gcp.cloudscheduler.JobHttpTargetArgs(
                http_method="POST",
                uri=uri.apply(lambda base: f"{base}/v1/connection:test"),
                oidc_token=gcp.cloudscheduler.JobHttpTargetOidcTokenArgs(
                    service_account_email=accounts["check"].email, audience=uri
                ),
            ),
            opts=self.child(platform.apis["cloudscheduler"]),
        )
        self.register_outputs({})
