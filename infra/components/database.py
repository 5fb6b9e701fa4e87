"""The ledger's database."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

import indexes
from components.component import Component
from components.platform import Platform
from connection_config import ConnectionConfig
from naming import ConnectionNames


class LedgerDatabase(Component):
    """Owns a connection's Firestore database, what expires in it and what is indexed.

    Refuses to own documents, and to be shared: a database of its own is the only border that IAM can draw between the messages
    of two connections (docs/decisions/0102-a-database-for-each-connection.md). The project's "(default)" one is left to others.
    """

    def __init__(
        self, name: str, config: ConnectionConfig, platform: Platform, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        self._name, self._project = config.name, platform.project
        protection = "ENABLED" if config.protect else "DISABLED"
        self.database = gcp.firestore.Database(
            f"{config.name}-ledger",
            project=platform.project,
            name=ConnectionNames(config.name).database,
            location_id=platform.region,
            type="FIRESTORE_NATIVE",
            database_edition="STANDARD",
            concurrency_mode="PESSIMISTIC",
            app_engine_integration_mode="DISABLED",
            point_in_time_recovery_enablement="POINT_IN_TIME_RECOVERY_DISABLED",
            delete_protection_state=f"DELETE_PROTECTION_{protection}",
            deletion_policy="DELETE",  # the provider's own default forgets it, and the next `up` finds it in its way
            opts=self.child(platform.apis["firestore"], protect=config.protect),
        )
        self._fields()
        self._indexes()
        self.register_outputs({"name": self.database.name})

    def _fields(self) -> None:
        """What expires, and what no query asks for. A chain for each collection: Firestore refuses changes that meet each other."""
        last: dict[str, pulumi.Resource] = {}
        for setting in indexes.fields():
            last[setting.collection] = gcp.firestore.Field(
                f"{self._name}-{setting.collection}-{setting.field}",
                project=self._project,
                database=self.database.name,
                collection=setting.collection,
                field=setting.field,
                ttl_config=gcp.firestore.FieldTtlConfigArgs() if setting.expires else None,
                index_config=gcp.firestore.FieldIndexConfigArgs(indexes=[]),
                opts=self.child(last.get(setting.collection, self.database)),
            )

    def _indexes(self) -> None:
        """Begun and not waited for: each takes minutes on the service's side, also in an empty database."""
        before: pulumi.Resource = self.database
        for collection, equal, order, descending in indexes.COMPOSITE_INDEXES:
            fields = [_index_field(collection, field, descending=False) for field in equal]
            fields.append(_index_field(collection, order, descending=descending))
            before = gcp.firestore.Index(
                f"{self._name}-index-{'-'.join([collection, *equal, order])}",
                project=self._project,
                database=self.database.name,
                collection=collection,
                query_scope="COLLECTION",
                fields=fields,
                skip_wait=True,
                opts=self.child(before),
            )


def _index_field(collection: str, field: str, *, descending: bool) -> gcp.firestore.IndexFieldArgs:
    if (collection, field) in indexes.ARRAY_FIELDS:
        return gcp.firestore.IndexFieldArgs(field_path=field, array_config="CONTAINS")
    return gcp.firestore.IndexFieldArgs(field_path=field, order="DESCENDING" if descending else "ASCENDING")
