"""How calls to the provider leave."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from components.platform import Platform
from connection_config import ConnectionConfig
from labels import own_labels
from lookups import Lookups
from naming import ConnectionNames

NO_PRIVATE_ACCESS = (
    "{existing} has no Private Google Access, so with network.egress all the functions would not reach Firestore and Cloud Tasks; "
    "fix: gcloud compute networks subnets update {existing} --region={region} --enable-private-ip-google-access"
)


class PrivateConnectivity(Component):
    """Owns what a connection puts into the company's VPC: a subnetwork, a fixed public address with its NAT, a private
    endpoint.

    Refuses to own the VPC, its firewall rules and existing subnetworks and connectors: they belong to whoever runs the
    network.
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
        self._config, self._platform, self._lookups = config, platform, lookups
        self._names = ConnectionNames(config.name)
        self.address: pulumi.Output[str] | None = None
        self.subnetwork = self._subnetwork()
        self.static_address = self._static_address() if config.network_static_address else None
        self.endpoint = self._endpoint() if config.network_service_attachment else None
        self.ready: list[pulumi.Resource] = [part for part in (self.static_address, self.endpoint) if part is not None]
        self.register_outputs({})

    @property
    def connector(self) -> str | None:
        return self._config.network_connector and self._full("locations", "connectors", self._config.network_connector)

    @property
    def connector_egress(self) -> str | None:
        settings = {"private": "PRIVATE_RANGES_ONLY", "all": "ALL_TRAFFIC"}
        return settings[self._config.network_egress] if self._config.network_connector else None

    @property
    def interfaces(self) -> list[gcp.cloudfunctionsv2.FunctionServiceConfigDirectVpcNetworkInterfaceArgs] | None:
        if self.subnetwork is None:
            return None
        return [
            gcp.cloudfunctionsv2.FunctionServiceConfigDirectVpcNetworkInterfaceArgs(
                network=self._vpc, subnetwork=self.subnetwork, tags=list(self._config.network_tags) or None
            )
        ]

    @property
    def direct_egress(self) -> str | None:
        settings = {"private": "VPC_EGRESS_PRIVATE_RANGES_ONLY", "all": "VPC_EGRESS_ALL_TRAFFIC"}
        return settings[self._config.network_egress] if self._config.network_vpc else None

    @property
    def _vpc(self) -> str:
        vpc = self._config.network_vpc or ""
        return vpc if "/" in vpc else f"projects/{self._platform.project}/global/networks/{vpc}"

    def _full(self, scope: str, collection: str, name: str) -> str:
        if "/" in name:
            return name
        return f"projects/{self._platform.project}/{scope}/{self._platform.region}/{collection}/{name}"

    def _subnetwork(self) -> pulumi.Input[str] | None:
        config = self._config
        if config.network_subnet:
            existing = self._full("regions", "subnetworks", config.network_subnet)
            if config.network_egress == "all" and not self._lookups.reaches_google(existing):
                raise pulumi.RunError(NO_PRIVATE_ACCESS.format(existing=existing, region=self._platform.region))
            return existing
        if not config.network_range:
            return None
        made = gcp.compute.Subnetwork(
            f"{self._config.name}-egress",
            project=self._platform.project,
            region=self._platform.region,
            name=self._names.other("egress"),
            network=self._vpc,
            ip_cidr_range=config.network_range,
            private_ip_google_access=True,  # Google's own services stay in reach when all traffic leaves through the VPC
            description=f"Egress of SMS connection {self._config.name}",
            opts=self.child(self._platform.apis["compute"]),
        )
        return made.id

    def _static_address(self) -> gcp.compute.RouterNat:
        config, platform = self._config, self._platform
        address = gcp.compute.Address(
            f"{config.name}-egress-address",
            project=platform.project,
            region=platform.region,
            name=self._names.other("egress"),
            address_type="EXTERNAL",
            labels=own_labels(config.name, config.labels),
            opts=self.child(platform.apis["compute"]),
        )
        router = gcp.compute.Router(
            f"{config.name}-egress-router",
            project=platform.project,
            region=platform.region,
            name=self._names.other("egress"),
            network=self._vpc,
            opts=self.child(platform.apis["compute"]),
        )
        self.address = address.address
        return gcp.compute.RouterNat(
            f"{config.name}-egress-nat",
            project=platform.project,
            region=platform.region,
            name=self._names.other("egress"),
            router=router.name,
            nat_ip_allocate_option="MANUAL_ONLY",
            nat_ips=[address.self_link],
            source_subnetwork_ip_ranges_to_nat="LIST_OF_SUBNETWORKS",
            subnetworks=[
                gcp.compute.RouterNatSubnetworkArgs(
                    name=self.subnetwork or "", source_ip_ranges_to_nats=["ALL_IP_RANGES"]
                )
            ],
            opts=self.child(),
        )

    def _endpoint(self) -> gcp.dns.RecordSet:
        """Make the consumer side of Private Service Connect, and a private zone in which the host's name leads
        there."""
        config, platform = self._config, self._platform
        labels = own_labels(config.name, config.labels)
        address = gcp.compute.Address(
            f"{config.name}-endpoint-address",
            project=platform.project,
            region=platform.region,
            name=self._names.other("endpoint"),
            address_type="INTERNAL",
            purpose="GCE_ENDPOINT",
            subnetwork=self.subnetwork,
            labels=labels,
            opts=self.child(platform.apis["compute"]),
        )
        gcp.compute.ForwardingRule(
            f"{config.name}-endpoint",
            project=platform.project,
            region=platform.region,
            name=self._names.other("endpoint"),
            target=config.network_service_attachment,
            load_balancing_scheme="",
            network=self._vpc,
            ip_address=address.self_link,
            labels=labels,
            opts=self.child(),
        )
        zone = gcp.dns.ManagedZone(
            f"{config.name}-endpoint-zone",
            project=platform.project,
            name=self._names.other("endpoint"),
            dns_name=f"{config.network_service_host}.",
            description=f"Leads SMS connection {config.name} to its private destination",
            visibility="private",
            private_visibility_config=gcp.dns.ManagedZonePrivateVisibilityConfigArgs(
                networks=[gcp.dns.ManagedZonePrivateVisibilityConfigNetworkArgs(network_url=self._vpc)]
            ),
            labels=labels,
            opts=self.child(platform.apis["dns"]),
        )
        return gcp.dns.RecordSet(
            f"{config.name}-endpoint-record",
            project=platform.project,
            managed_zone=zone.name,
            name=zone.dns_name,
            type="A",
            ttl=300,
            rrdatas=[address.address],
            opts=self.child(),
        )
