"""What a stack has once, whatever its connections."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pulumi_gcp as gcp

from archive import Archive
from components.apis import ALWAYS, FOR_NETWORKS, ProjectApis
from components.audit import SecretAudit
from components.build import BuildEnvironment
from components.component import Component
from labels import own_labels
from naming import StackNames
from stack_config import StackConfig

# Secret Manager sends rotation notices; Cloud Functions and Cloud Run read the functions' images; Cloud Tasks, Cloud
# Scheduler and Pub/Sub make the tokens they call with. What else an agent needs is in the role that Google grants it on
# the project, as for Cloud Build's.
AGENTS = ("secretmanager", "cloudfunctions", "run", "cloudtasks", "cloudscheduler", "pubsub")


class Platform(Component):
    """Owns what connections share: enabled APIs, how images are built, and the identities of the services that act for
    them.

    Refuses to own the project, its networks, and whatever holds data or names a provider or a caller.
    """

    def __init__(
        self,
        name: str,
        config: StackConfig,
        *,
        stack: str,
        archive: Archive,
        folder: Path,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self.project = config.project
        self.region = config.region
        names = StackNames(config.project, stack)
        private = any(connection.uses_network for connection in config.connections)
        self.apis = ProjectApis(
            "apis", config.project, (*ALWAYS, *(FOR_NETWORKS if private else ())), opts=self.child()
        )
        # Asked for only when the API that answers is on; known again at once in every later run.
        self.project_number: pulumi.Output[str] = gcp.organizations.get_project_output(
            project_id=config.project, opts=pulumi.InvokeOutputOptions(depends_on=[self.apis["cloudresourcemanager"]])
        ).number
        self.agents = {api: self._agent(api) for api in AGENTS}
        if any(connection.logs_secret_reads for connection in config.connections):
            SecretAudit("secret-audit", config.project, self.apis, opts=self.child())
        self.build = BuildEnvironment(
            "build",
            names,
            region=config.region,
            project_number=self.project_number,
            archive=archive,
            folder=folder,
            labels=own_labels(),
            apis=self.apis,
            pullers={api: self.agents[api] for api in ("cloudfunctions", "run")},
            opts=self.child(),
        )
        self.register_outputs({})

    def _agent(self, api: str) -> pulumi.Output[str]:
        """Make an API's own identity, which exists only once it was asked for, and return it as a member."""
        identity = gcp.projects.ServiceIdentity(
            f"{api}-agent", project=self.project, service=f"{api}.googleapis.com", opts=self.child(self.apis[api])
        )
        return identity.email.apply(lambda email: f"serviceAccount:{email}")
