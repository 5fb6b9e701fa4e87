"""The ledger's database."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

import indexes
from components.apis import ProjectApis
from components.component import Component
from naming import StackNames


class LedgerDatabase(Component):
    """Owns the Firestore database, what expires in it and its composite indexes.

    Refuses to own documents, and the project's "(default)" database: whoever uses that one uses it for something else.
    """

    def __init__(
        self,
        name: str,
        names: StackNames,
        *,
        region: str,
        protect: bool,
        apis: ProjectApis,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self.database = gcp.firestore.Database(
            f"{name}-database",
            project=names.project,
            name=names.database,
            location_id=region,
            type="FIRESTORE_NATIVE",
            database_edition="STANDARD",
            concurrency_mode="PESSIMISTIC",
            app_engine_integration_mode="DISABLED",
            point_in_time_recovery_enablement="POINT_IN_TIME_RECOVERY_DISABLED",
            delete_protection_state="DELETE_PROTECTION_ENABLED" if protect else "DELETE_PROTECTION_DISABLED",
            deletion_policy="DELETE",  # the provider's own default forgets the database, and the next `up` finds it in its way
            opts=self.child(apis["firestore"], protect=protect),
        )
        self._name = name
        self._project = names.project
        self._expire()
        self._index()
        self.register_outputs({"name": self.database.name})

    def _expire(self) -> None:
        """One after the other: Firestore refuses index changes that meet each other."""
        before: pulumi.Resource = self.database
        for collection in indexes.TTL_COLLECTIONS:
            indexed = collection in indexes.TTL_INDEXED
            before = gcp.firestore.Field(
                f"{self._name}-expires-{collection}",
                project=self._project,
                database=self.database.name,
                collection=collection,
                field=indexes.TTL_FIELD,
                ttl_config=gcp.firestore.FieldTtlConfigArgs(),
                index_config=None if indexed else gcp.firestore.FieldIndexConfigArgs(indexes=[]),
                opts=self.child(before),
            )

    def _index(self) -> None:
        before: pulumi.Resource = self.database
        for collection, equal, order, descending in indexes.COMPOSITE_INDEXES:
            fields = [(field, "ASCENDING") for field in equal]
            fields.append((order, "DESCENDING" if descending else "ASCENDING"))
            before = gcp.firestore.Index(
                f"{self._name}-index-{'-'.join([collection, *equal, order])}",
                project=self._project,
                database=self.database.name,
                collection=collection,
                query_scope="COLLECTION",
                fields=[gcp.firestore.IndexFieldArgs(field_path=path, order=way) for path, way in fields],
                opts=self.child(before),
            )
