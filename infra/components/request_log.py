"""What the platform writes of each request to a connection's functions."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from components.platform import Platform
from connection_config import ConnectionConfig
from naming import ConnectionNames


class RequestLog(Component):
    """Owns the exclusion that keeps the platform's request log of the functions from being stored: its addresses hold
    numbers, texts of previews and the tokens of callbacks. The functions write a line of their own for each request,
    without those.

    Refuses to own the sink and the bucket: they are the project's. Metrics count excluded lines all the same
    (https://cloud.google.com/logging/docs/logs-based-metrics#sources).
    """

    def __init__(
        self, name: str, config: ConnectionConfig, platform: Platform, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        if not config.logs_requests:
            names = ConnectionNames(config.name)
            gcp.logging.ProjectExclusion(
                f"{config.name}-requests",
                project=platform.project,
                name=names.other("requests"),
                description=f"Request log of SMS connection {config.name}: its addresses hold numbers",
                filter=exclusion(names),
                opts=self.child(platform.apis["logging"]),
            )
        self.register_outputs({})


def exclusion(names: ConnectionNames) -> str:
    """Match the platform's request log of the connection's three functions alone."""
    services = " OR ".join(f'"{names.function(role)}"' for role in ("connector", "worker", "webhook"))
    return (
        f'resource.type="cloud_run_revision" AND resource.labels.service_name=({services})'
        ' AND logName:"run.googleapis.com%2Frequests"'
    )
