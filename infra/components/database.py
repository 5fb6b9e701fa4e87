"""The ledger's database."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

import indexes
from components.component import Component
from components.platform import Platform
from connection_config import ConnectionConfig
from lookups import Lookups
from naming import ConnectionNames


class LedgerDatabase(Component):
    """Owns a connection's Firestore database, its backups, what expires in it and what is indexed.

    Refuses to own documents, and to be shared: a database of its own is the only border that IAM can draw between the
    messages of two connections (docs/decisions/0102-a-database-for-each-connection.md). The project's "(default)" one
    is left to others. All of it is protected together: what expires and what is indexed belongs to the database that
    stays.
    """

    def __init__(
        self,
        name: str,
        config: ConnectionConfig,
        platform: Platform,
        *,
        lookups: Lookups,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self._config, self._name, self._project = config, config.name, platform.project
        protection = "ENABLED" if config.protect else "DISABLED"
        recovery = "ENABLED" if config.backup_point_in_time else "DISABLED"
        database = ConnectionNames(config.name).database
        self.database = gcp.firestore.Database(
            f"{config.name}-ledger",
            project=platform.project,
            name=database,
            location_id=platform.region,
            type="FIRESTORE_NATIVE",
            database_edition="STANDARD",
            concurrency_mode="PESSIMISTIC",
            app_engine_integration_mode="DISABLED",
            point_in_time_recovery_enablement=f"POINT_IN_TIME_RECOVERY_{recovery}",
            delete_protection_state=f"DELETE_PROTECTION_{protection}",
            deletion_policy="DELETE",  # the provider's own default forgets it, and the next `up` finds it in its way
            opts=self.child(
                platform.apis["firestore"],
                protect=config.protect,
                **(_taken_in(platform.project, database) if lookups.has_database(platform.project, database) else {}),
            ),
        )
        self._backups()
        self._indexes(self._fields())
        self.register_outputs({"name": self.database.name})

    def _backups(self) -> None:
        if not self._config.backup_days:
            return
        gcp.firestore.BackupSchedule(
            f"{self._name}-backups",
            project=self._project,
            database=self.database.name,
            retention=f"{self._config.backup_days * 24 * 3600}s",
            daily_recurrence={},
            opts=self.child(protect=self._config.protect),
        )

    def _fields(self) -> pulumi.Resource:
        """Declare what expires, and what no query asks for; return the last one.

        One chain: two operations on a database's fields at the same time end with "cross-transaction contention", which
        the provider does not repeat.
        """
        before: pulumi.Resource = self.database
        for setting in indexes.fields():
            before = gcp.firestore.Field(
                f"{self._name}-{setting.collection}-{setting.field}",
                project=self._project,
                database=self.database.name,
                collection=setting.collection,
                field=setting.field,
                ttl_config=gcp.firestore.FieldTtlConfigArgs() if setting.expires else None,
                index_config=gcp.firestore.FieldIndexConfigArgs(indexes=[]),
                opts=self.child(before, protect=self._config.protect),
            )
        return before

    def _indexes(self, before: pulumi.Resource) -> None:
        """Begun and not waited for: each takes minutes on the service's side, also in an empty database."""
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
                opts=self.child(before, protect=self._config.protect),
            )


def _index_field(collection: str, field: str, *, descending: bool) -> gcp.firestore.IndexFieldArgs:
    if (collection, field) in indexes.ARRAY_FIELDS:
        return gcp.firestore.IndexFieldArgs(field_path=field, array_config="CONTAINS")
    return gcp.firestore.IndexFieldArgs(field_path=field, order="DESCENDING" if descending else "ASCENDING")


def _taken_in(project: str, database: str) -> dict[str, object]:
    """Take in a database that is there already. One that was made a moment ago can read as absent, and the provider
    forgets it (github.com/hashicorp/terraform-provider-google/issues/22533). Where the state has it, this changes
    nothing.

    The deletion policy is the provider's own and not kept in the cloud, so a database that is taken in has its default.
    """
    return {"import_": f"projects/{project}/databases/{database}", "ignore_changes": ["deletionPolicy"]}
