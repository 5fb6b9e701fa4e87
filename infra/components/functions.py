"""A connection's functions."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

import environment
from components.accounts import ConnectionAccounts
from components.component import Component
from components.database import LedgerDatabase
from components.network import PrivateConnectivity
from components.platform import Platform
from components.queues import ConnectionQueues
from components.rotation import ROTATOR_SECONDS
from components.secrets import ConnectionSecrets
from config_rules import WEBHOOK_MAX
from connection_config import ConnectionConfig
from grants import wait_for_grants
from labels import own_labels
from lookups import Lookups
from naming import ConnectionNames, function_address
from providers import CA_CERTIFICATES

RUNTIME = "python312"
# The rotator takes no callbacks, so it needs none of their secrets.
NOT_FOR_THE_ROTATOR = frozenset({"SMS_WEBHOOK_URL"})


@dataclass(frozen=True, slots=True)
class Shape:
    """How a function is run. `concurrency` above one takes a whole CPU and as many threads, or requests wait inside."""

    concurrency: int
    memory: str
    timeout: int
    low: int
    high: int


def shapes(config: ConnectionConfig) -> dict[str, Shape]:
    """By role. The connector may wait for tracking, so it has the platform's longest time; a task's longest is half of
    that."""
    return {
        "connector": Shape(80, "512Mi", 3600, config.nodes_min, config.nodes_max),
        "worker": Shape(1, "512Mi", 1800, 0, config.workers_max),
        "webhook": Shape(80, "512Mi", 30, 0, WEBHOOK_MAX),
        "rotator": Shape(4, "512Mi", ROTATOR_SECONDS, 0, 2),
    }


class ConnectionFunctions(Component):
    """Owns `connector`, `worker`, `webhook` and `rotator`, all from one archive. Refuses to own who may call them
    (`access.py`).

    A function whose required secrets have no value can't start, so all but `webhook` wait for them; once they are there
    they stay, whatever becomes of the secrets.
    """

    def __init__(
        self,
        name: str,
        config: ConnectionConfig,
        platform: Platform,
        *,
        ledger: LedgerDatabase,
        accounts: ConnectionAccounts,
        secrets: ConnectionSecrets,
        queues: ConnectionQueues,
        network: PrivateConnectivity | None,
        lookups: Lookups,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self._config, self._platform, self._secrets, self._network = config, platform, secrets, network
        self._names, self._lookups = ConnectionNames(config.name), lookups
        self._granted = wait_for_grants(config, "functions")
        self._variables = environment.variables(config, self._endpoints(ledger, accounts))
        waits: list[pulumi.Resource] = [*platform.build.grants, *accounts.grants, *queues.grants]
        waits += network.ready if network else []
        self.by_role = {
            role: self._function(role, shape, accounts[role], waits)
            for role, shape in shapes(config).items()
            if self._can_start(role)
        }
        self.register_outputs({})

    def get(self, role: str) -> gcp.cloudfunctionsv2.Function | None:
        """Return the function of that role, None while it waits for its secrets."""
        return self.by_role.get(role)

    def _can_start(self, role: str) -> bool:
        lacks = [spec for spec in self._secrets.missing if role in spec.readers]
        platform = self._platform
        return not lacks or self._lookups.has_function(platform.project, platform.region, self._names.function(role))

    def service(self, role: str) -> pulumi.Output[str]:
        """Return the full name of the Run service behind a function, once it is deployed."""
        run = f"projects/{self._platform.project}/locations/{self._platform.region}/services/"
        return pulumi.Output.concat(run, self.by_role[role].name)

    def address(self, role: str) -> pulumi.Output[str]:
        """Return the address, which is known before the function exists: each function gets the others'."""
        name, region = self._names.function(role), self._platform.region
        return self._platform.project_number.apply(lambda number: function_address(name, number, region))

    def _endpoints(self, ledger: LedgerDatabase, accounts: ConnectionAccounts) -> environment.RuntimeEndpoints:
        return environment.RuntimeEndpoints(
            project=self._platform.project,
            region=self._platform.region,
            database=ledger.database.name,
            connector_url=self.address("connector"),
            worker_url=self.address("worker"),
            webhook_url=self.address("webhook"),
            tasks_account=accounts["tasks"].email,
        )

    def _function(
        self, role: str, shape: Shape, account: gcp.serviceaccount.Account, waits: list[pulumi.Resource]
    ) -> gcp.cloudfunctionsv2.Function:
        config, platform = self._config, self._platform
        return gcp.cloudfunctionsv2.Function(
            f"{config.name}-{role}",
            project=platform.project,
            location=platform.region,
            name=self._names.function(role),
            description=config.description,
            labels=own_labels(config.name, config.labels),
            build_config=self._build(role),
            service_config=self._service(role, shape, account),
            opts=self.child(
                platform.apis["cloudfunctions"],
                platform.apis["run"],
                platform.apis["cloudbuild"],
                *waits,
                *self._secrets.ready(role),
                hooks=self._granted,
            ),
        )

    def _build(self, role: str) -> gcp.cloudfunctionsv2.FunctionBuildConfigArgs:
        build = self._platform.build
        return gcp.cloudfunctionsv2.FunctionBuildConfigArgs(
            runtime=RUNTIME,
            entry_point=role,
            service_account=build.account.name,
            docker_repository=build.repository.id,
            environment_variables=self._lookups.build_variables(
                self._platform.project, self._platform.region, self._names.function(role), build.digest
            ),
            source=gcp.cloudfunctionsv2.FunctionBuildConfigSourceArgs(
                storage_source=gcp.cloudfunctionsv2.FunctionBuildConfigSourceStorageSourceArgs(
                    bucket=build.bucket.name, object=build.source.name, generation=build.source.generation
                )
            ),
        )

    def _service(
        self, role: str, shape: Shape, account: gcp.serviceaccount.Account
    ) -> gcp.cloudfunctionsv2.FunctionServiceConfigArgs:
        network = self._network if role != "webhook" else None  # the webhook calls Google's own services only
        return gcp.cloudfunctionsv2.FunctionServiceConfigArgs(
            available_cpu="1",
            available_memory=shape.memory,
            min_instance_count=shape.low,
            max_instance_count=shape.high,
            max_instance_request_concurrency=shape.concurrency,
            timeout_seconds=shape.timeout,
            service_account_email=account.email,
            ingress_settings="ALLOW_ALL",  # who may call is decided by IAM alone
            all_traffic_on_latest_revision=True,
            environment_variables=self._environment(role, shape),
            secret_volumes=[self._volume(name) for name in self._secrets.mounts(role)],
            vpc_connector=network.connector if network else None,
            vpc_connector_egress_settings=network.connector_egress if network else None,
            direct_vpc_network_interfaces=network.interfaces if network else None,
            direct_vpc_egress=network.direct_egress if network else None,
        )

    def _environment(self, role: str, shape: Shape) -> dict[str, pulumi.Input[str]]:
        """Set the number of threads: the platform's server has four by default."""
        trusted = CA_CERTIFICATES.name in self._secrets.mounts(role)
        left_out = NOT_FOR_THE_ROTATOR if role == "rotator" else ()
        return {
            **{name: value for name, value in self._variables.items() if name not in left_out},
            "THREADS": str(shape.concurrency),
            **({"SMS_CA_FILE": environment.secret_file(CA_CERTIFICATES.name)} if trusted else {}),
        }

    def _volume(self, name: str) -> gcp.cloudfunctionsv2.FunctionServiceConfigSecretVolumeArgs:
        """`latest` is resolved at each reading of the file: a new version needs no deployment."""
        folder, _, file = environment.secret_file(name).rpartition("/")
        return gcp.cloudfunctionsv2.FunctionServiceConfigSecretVolumeArgs(
            mount_path=folder,
            project_id=self._platform.project,
            secret=self._secrets.by_name[name].secret_id,
            versions=[gcp.cloudfunctionsv2.FunctionServiceConfigSecretVolumeVersionArgs(path=file, version="latest")],
        )
