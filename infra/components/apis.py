"""The Google APIs the connector uses."""

from __future__ import annotations

from collections.abc import Iterable

import pulumi
import pulumi_gcp as gcp

from components.component import Component

# Enabled for every stack; `compute`, `dns` and `servicedirectory` only where a connection has private connectivity.
ALWAYS = (
    "artifactregistry",
    "cloudbuild",
    "cloudfunctions",
    "cloudresourcemanager",
    "cloudscheduler",
    "cloudtasks",
    "firestore",
    "iam",
    "iamcredentials",
    "logging",
    "monitoring",
    "pubsub",
    "run",
    "secretmanager",
    "storage",
)
FOR_NETWORKS = ("compute", "dns", "servicedirectory")


class ProjectApis(Component):
    """Owns that the APIs are on. Refuses to turn one off: other workloads of the project may live on it."""

    def __init__(
        self, name: str, project: str, apis: Iterable[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        self.services = {
            api: gcp.projects.Service(
                f"{name}-{api}",
                project=project,
                service=f"{api}.googleapis.com",
                disable_on_destroy=False,
                disable_dependent_services=False,
                opts=self.child(),
            )
            for api in apis
        }
        self.register_outputs({})

    def __getitem__(self, api: str) -> gcp.projects.Service:
        return self.services[api]
