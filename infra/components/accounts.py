"""Who acts for a connection."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from components.database import LedgerDatabase
from components.platform import Platform
from connection_config import ConnectionConfig
from naming import ConnectionNames

ROLES = {
    "connector": "runs the private API",
    "worker": "carries out campaigns",
    "webhook": "takes callbacks from the public",
    "rotator": "makes new credentials at the provider and adds them as versions of secrets",
    "tasks": "is the account by which the queues call the private functions",
    "check": "is the account by which the connection check calls the connector",
    "scheduler": "is the account by which the scheduled maintenance job calls the connector",
    "push": "is the account by which rotation notices call the rotator",
}

MINTS_TOKENS = "roles/iam.serviceAccountOpenIdTokenCreator"
# Accounts that a service calls as, and the service.
CALLED_BY = {"tasks": "cloudtasks", "check": "cloudscheduler", "scheduler": "cloudscheduler", "push": "pubsub"}


class ConnectionAccounts(Component):
    """Owns one account for each of the connection's roles, who may act as those that call, and that connector, worker
    and rotator may use the connection's database.

    Refuses to make keys: every identity here is attached, or impersonated for minutes.
    """

    def __init__(
        self,
        name: str,
        config: ConnectionConfig,
        platform: Platform,
        ledger: LedgerDatabase,
        *,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        names = ConnectionNames(config.name)
        self.by_role = {
            role: gcp.serviceaccount.Account(
                f"{config.name}-{role}",
                project=platform.project,
                account_id=names.account(role),
                display_name=f"SMS connection {config.name}: {role}"[:100],
                description=f"{role} of SMS connection {config.name}: {what}",
                opts=self.child(platform.apis["iam"]),
            )
            for role, what in ROLES.items()
        }
        self.grants: list[pulumi.Resource] = [
            self._grant(f"{config.name}-{role}-uses-tasks", "tasks", "roles/iam.serviceAccountUser", self[role].member)
            for role in ("connector", "worker", "webhook")
        ]
        # Google grants as much on the project by itself, but late, and a project may lack it (docs/permissions.md).
        self.grants += [
            self._grant(f"{config.name}-{api}-calls-as-{role}", role, MINTS_TOKENS, platform.agents[api])
            for role, api in CALLED_BY.items()
        ]
        self.grants += [
            gcp.projects.IAMMember(
                f"{config.name}-{role}-uses-ledger",
                project=platform.project,
                role="roles/datastore.user",
                member=self[role].member,
                condition=gcp.projects.IAMMemberConditionArgs(
                    title="the connector's database",
                    description="Only the database that holds the ledger",
                    expression=ledger.database.name.apply(
                        lambda database: f'resource.name == "projects/{platform.project}/databases/{database}"'
                    ),
                ),
                opts=self.child(),
            )
            for role in ("connector", "worker", "rotator")
        ]
        self.register_outputs({})

    def _grant(self, name: str, on: str, role: str, member: pulumi.Input[str]) -> pulumi.Resource:
        return gcp.serviceaccount.IAMMember(
            name, service_account_id=self[on].name, role=role, member=member, opts=self.child()
        )

    def __getitem__(self, role: str) -> gcp.serviceaccount.Account:
        return self.by_role[role]
