"""One connection: everything that serves one business unit's or one provider's messages."""

from __future__ import annotations

import pulumi

from components.access import ConnectionAccess
from components.accounts import ConnectionAccounts
from components.alerts import ConnectionAlerts
from components.component import Component
from components.dashboard import ConnectionDashboard
from components.database import LedgerDatabase
from components.functions import ConnectionFunctions
from components.jobs import ConnectionJobs
from components.network import PrivateConnectivity
from components.platform import Platform
from components.queues import ConnectionQueues
from components.request_log import RequestLog
from components.rotation import RotationNotices
from components.secrets import ConnectionSecrets
from components.storage import CampaignSources
from components.uptime import WebhookUptime
from connection_config import ConnectionConfig
from lookups import Lookups


class Connection(Component):
    """Owns the ledger, accounts, secrets, queues, functions, access, private connectivity and what is watched of one
    connection.

    Refuses to share any of it: two connections of a stack meet only in the platform, and neither can use what is the
    other's.
    """

    def __init__(
        self,
        config: ConnectionConfig,
        platform: Platform,
        *,
        lookups: Lookups,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(config.name, opts)
        name, inside = config.name, self.child()
        self.config = config
        self.ledger = LedgerDatabase(f"{name}-ledger", config, platform, lookups=lookups, opts=inside)
        self.accounts = ConnectionAccounts(f"{name}-accounts", config, platform, self.ledger, opts=inside)
        self.rotation = RotationNotices(f"{name}-rotation", config, platform, opts=inside)
        self.secrets = ConnectionSecrets(
            f"{name}-secrets", config, platform, self.accounts, rotation=self.rotation, lookups=lookups, opts=inside
        )
        self.queues = ConnectionQueues(f"{name}-queues", config, platform, self.accounts, opts=inside)
        self.sources = CampaignSources(f"{name}-sources", config, self.accounts, opts=inside)
        self.network = (
            PrivateConnectivity(f"{name}-network", config, platform, lookups=lookups, opts=inside)
            if config.uses_network
            else None
        )
        self.functions = ConnectionFunctions(
            f"{name}-functions",
            config,
            platform,
            ledger=self.ledger,
            accounts=self.accounts,
            secrets=self.secrets,
            queues=self.queues,
            network=self.network,
            lookups=lookups,
            opts=inside,
        )
        self.access = ConnectionAccess(
            f"{name}-access", config, platform, accounts=self.accounts, functions=self.functions, opts=inside
        )
        self.rotation.subscribe(
            self.secrets.noticed, rotator=self.functions.get("rotator"), caller=self.accounts["push"]
        )
        connector = self.functions.get("connector")
        if connector:
            ConnectionJobs(f"{name}-jobs", config, platform, accounts=self.accounts, connector=connector, opts=inside)
        self.alerts = ConnectionAlerts(f"{name}-alerts", config, platform, opts=inside)
        RequestLog(f"{name}-request-log", config, platform, opts=inside)
        if config.alerts_uptime and config.webhook_public != "none":
            address, channels = self.functions.address("webhook"), self.alerts.channels
            WebhookUptime(f"{name}-uptime", config, platform, address=address, channels=channels, opts=inside)
        self.dashboard = ConnectionDashboard(f"{name}-dashboard", config, platform, opts=inside)
        self.register_outputs({})

    def uri(self, role: str) -> pulumi.Output[str] | None:
        """Return where a function is reached, as the platform says; None while it waits for its secrets."""
        function = self.functions.get(role)
        if function is None:
            return None
        return function.service_config.apply(lambda service: (service.uri if service else None) or "")
