"""Who may call a connection's functions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pulumi
import pulumi_gcp as gcp

from components.accounts import ConnectionAccounts
from components.component import Component
from components.functions import ConnectionFunctions
from components.platform import Platform
from connection_config import ConnectionConfig


class ConnectionAccess(Component):
    """Owns the invoker grants: callers, the check and the maintenance job on `connector`, the queues on `connector` and
    `worker`, callers and rotation notices on `rotator`, and anyone on `webhook` where that is the way it is public
    (`webhook_access.py`).

    Refuses paths: the platform grants a whole service, so what is public is a service of its own. A grant lies on the
    Run service behind the function and goes when that is replaced, so it is replaced with it.
    """

    def __init__(
        self,
        name: str,
        config: ConnectionConfig,
        platform: Platform,
        *,
        accounts: ConnectionAccounts,
        functions: ConnectionFunctions,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self._config, self._platform = config, platform
        callers = {caller_slug(member): member for member in config.callers}
        members: Mapping[str, Mapping[str, pulumi.Input[str]]] = {
            "connector": {
                "tasks": accounts["tasks"].member,
                "check": accounts["check"].member,
                "scheduler": accounts["scheduler"].member,
                **callers,
            },
            "worker": {"tasks": accounts["tasks"].member},
            "rotator": {"push": accounts["push"].member, **callers},
            "webhook": {"everyone": "allUsers"} if config.webhook_public == "grant" else {},
        }
        self.grants = {
            (role, who): self._invoker(role, who, function, member)
            for role, function in functions.by_role.items()
            for who, member in members[role].items()
        }
        self.register_outputs({})

    def _invoker(
        self, role: str, who: str, function: gcp.cloudfunctionsv2.Function, member: pulumi.Input[str]
    ) -> gcp.cloudrunv2.ServiceIamMember:
        return gcp.cloudrunv2.ServiceIamMember(
            f"{self._config.name}-{who}-calls-{role}",
            project=self._platform.project,
            location=self._platform.region,
            name=function.name,
            role="roles/run.invoker",
            member=member,
            opts=self.child(function, replace_with=[function]),
        )


def caller_slug(member: str) -> str:
    """Return a caller's part of a resource name: no name of a person in the state's addresses, and no clash."""
    return f"caller-{hashlib.sha256(member.encode()).hexdigest()[:8]}"
