"""Who read a secret."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from components.apis import ProjectApis
from components.component import Component


class SecretAudit(Component):
    """Owns that Secret Manager logs who reads a value, for the whole project: the platform knows no narrower setting.

    Refuses the other kinds of audit logs and other services: those are the project's owner's to decide.
    """

    def __init__(
        self, name: str, project: str, apis: ProjectApis, *, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        gcp.projects.IAMAuditConfig(
            "secret-reads",
            project=project,
            service="secretmanager.googleapis.com",
            audit_log_configs=[gcp.projects.IAMAuditConfigAuditLogConfigArgs(log_type="DATA_READ")],
            opts=self.child(apis["cloudresourcemanager"]),
        )
        self.register_outputs({})
