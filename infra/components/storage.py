"""Where campaigns may come from."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from components.accounts import ConnectionAccounts
from components.component import Component
from connection_config import ConnectionConfig


class CampaignSources(Component):
    """Owns that connector and worker may read the named buckets. Refuses to own the buckets and to write to them."""

    def __init__(
        self,
        name: str,
        config: ConnectionConfig,
        accounts: ConnectionAccounts,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self.grants = [
            gcp.storage.BucketIAMMember(
                f"{config.name}-{role}-reads-{bucket}",
                bucket=bucket,
                role="roles/storage.objectViewer",
                member=accounts[role].member,
                opts=self.child(),
            )
            for bucket in config.campaigns_buckets
            for role in ("connector", "worker")
        ]
        self.register_outputs({})
