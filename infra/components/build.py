"""How the functions' image comes to be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pulumi
import pulumi_gcp as gcp

from archive import Archive
from components.apis import ProjectApis
from components.component import Component
from naming import StackNames

KEPT_IMAGES = 3
IMAGE_AGE = f"{30 * 24 * 3600}s"


class BuildEnvironment(Component):
    """Owns the build account with just what a build needs, the source bucket with the archive, and the image
    repository.

    Refuses the project's default accounts and the shared `gcf-artifacts` repository: both have rights and contents of
    others.
    """

    def __init__(
        self,
        name: str,
        names: StackNames,
        *,
        region: str,
        project_number: pulumi.Output[str],
        archive: Archive,
        folder: Path,
        labels: dict[str, str],
        apis: ProjectApis,
        pullers: Mapping[str, pulumi.Output[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self.digest = archive.digest
        self.account = gcp.serviceaccount.Account(
            f"{name}-account",
            project=names.project,
            account_id=names.build_account,
            display_name="SMS connector: builds",
            description="Builds the functions of the SMS connector and nothing else",
            opts=self.child(apis["iam"]),
        )
        self.bucket = self._bucket(name, names, region, labels=labels, apis=apis)
        self.source = gcp.storage.BucketObject(
            f"{name}-source",
            bucket=self.bucket.name,
            name=archive.object_name,
            source=pulumi.FileAsset(str(archive.write(folder))),
            content_type="application/zip",
            opts=self.child(),
        )
        self.repository = self._repository(name, names, region, labels=labels, apis=apis)
        self.grants = [*self._grants(name, names, region, project_number), *self._pullers(name, names, region, pullers)]
        self.register_outputs({})

    def _bucket(
        self, name: str, names: StackNames, region: str, *, labels: dict[str, str], apis: ProjectApis
    ) -> gcp.storage.Bucket:
        return gcp.storage.Bucket(
            f"{name}-bucket",
            project=names.project,
            name=names.source_bucket,
            location=region.upper(),
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            force_destroy=True,  # holds nothing but archives, which any checkout makes again
            soft_delete_policy=gcp.storage.BucketSoftDeletePolicyArgs(retention_duration_seconds=0),
            labels=labels,
            opts=self.child(apis["storage"]),
        )

    def _repository(
        self, name: str, names: StackNames, region: str, *, labels: dict[str, str], apis: ProjectApis
    ) -> gcp.artifactregistry.Repository:
        policy = gcp.artifactregistry.RepositoryCleanupPolicyArgs
        return gcp.artifactregistry.Repository(
            f"{name}-images",
            project=names.project,
            location=region,
            repository_id=names.repository,
            format="DOCKER",
            description="Images of the SMS connector's functions",
            cleanup_policy_dry_run=False,
            cleanup_policies=[
                policy(
                    id="delete-old",
                    action="DELETE",
                    condition=gcp.artifactregistry.RepositoryCleanupPolicyConditionArgs(
                        tag_state="ANY", older_than=IMAGE_AGE
                    ),
                ),
                policy(
                    id="keep-recent",
                    action="KEEP",
                    most_recent_versions=gcp.artifactregistry.RepositoryCleanupPolicyMostRecentVersionsArgs(
                        keep_count=KEPT_IMAGES
                    ),
                ),
            ],
            labels=labels,
            opts=self.child(apis["artifactregistry"]),
        )

    def _pullers(
        self, name: str, names: StackNames, region: str, agents: Mapping[str, pulumi.Output[str]]
    ) -> list[pulumi.Resource]:
        """Let the agents that deploy and run the functions read the images, before the first function is made: the role
        that Google grants them on the project takes effect too late on a fresh one
        (github.com/firebase/firebase-tools/issues/5244)."""
        return [
            gcp.artifactregistry.RepositoryIamMember(
                f"{name}-{api}-reads-images",
                project=names.project,
                location=region,
                repository=self.repository.name,
                role="roles/artifactregistry.reader",
                member=agent,
                opts=self.child(),
            )
            for api, agent in agents.items()
        ]

    def _grants(self, name: str, names: StackNames, region: str, number: pulumi.Output[str]) -> list[pulumi.Resource]:
        # The platform copies each source to a bucket of its own and builds from there; its name is a convention of
        # Google's.
        copies = number.apply(lambda n: f"projects/_/buckets/gcf-v2-sources-{n}-{region}")
        return [
            gcp.projects.IAMMember(
                f"{name}-writes-logs",
                project=names.project,
                role="roles/logging.logWriter",
                member=self.account.member,
                opts=self.child(),
            ),
            gcp.projects.IAMMember(
                f"{name}-reads-copies",
                project=names.project,
                role="roles/storage.objectViewer",
                member=self.account.member,
                condition=gcp.projects.IAMMemberConditionArgs(
                    title="copies of function sources",
                    description="Only the bucket from which the platform builds",
                    expression=copies.apply(lambda bucket: f'resource.name.startsWith("{bucket}")'),
                ),
                opts=self.child(),
            ),
            gcp.storage.BucketIAMMember(
                f"{name}-reads-source",
                bucket=self.bucket.name,
                role="roles/storage.objectViewer",
                member=self.account.member,
                opts=self.child(),
            ),
            gcp.artifactregistry.RepositoryIamMember(
                f"{name}-writes-images",
                project=names.project,
                location=region,
                repository=self.repository.name,
                role="roles/artifactregistry.writer",
                member=self.account.member,
                opts=self.child(),
            ),
        ]
