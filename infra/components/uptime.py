"""The public address is looked at from outside."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from components.platform import Platform
from connection_config import ConnectionConfig
from labels import own_labels


class WebhookUptime(Component):
    """Owns the check that asks `webhook` how it is from several continents every five minutes, and the alert on its
    silence.

    Refuses to check the other functions: they can't be called from outside.
    """

    def __init__(
        self,
        name: str,
        config: ConnectionConfig,
        platform: Platform,
        *,
        address: pulumi.Output[str],
        channels: list[pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        labels = own_labels(config.name, config.labels)
        check = gcp.monitoring.UptimeCheckConfig(
            f"{config.name}-webhook-uptime",
            project=platform.project,
            display_name=f"SMS connection {config.name}: webhook",
            period="300s",
            timeout="30s",  # a first instance takes some seconds
            http_check=gcp.monitoring.UptimeCheckConfigHttpCheckArgs(
                path="/health", port=443, use_ssl=True, validate_ssl=True, request_method="GET"
            ),
            monitored_resource=gcp.monitoring.UptimeCheckConfigMonitoredResourceArgs(
                type="uptime_url",
                labels={"project_id": platform.project, "host": address.apply(lambda url: url.partition("://")[2])},
            ),
            user_labels=labels,
            opts=self.child(platform.apis["monitoring"]),
        )
        condition = gcp.monitoring.AlertPolicyConditionConditionPrometheusQueryLanguageArgs(
            query=check.uptime_check_id.apply(unreachable),
            duration="600s",
            evaluation_interval="60s",
            disable_metric_validation=True,
        )
        gcp.monitoring.AlertPolicy(
            f"{config.name}-webhook-unreachable",
            project=platform.project,
            display_name=f"SMS connection {config.name}: {TITLE}",
            combiner="OR",
            severity="ERROR",
            conditions=[
                gcp.monitoring.AlertPolicyConditionArgs(
                    display_name=TITLE, condition_prometheus_query_language=condition
                )
            ],
            notification_channels=channels,
            documentation=gcp.monitoring.AlertPolicyDocumentationArgs(content=TODO, mime_type="text/markdown"),
            alert_strategy=gcp.monitoring.AlertPolicyAlertStrategyArgs(auto_close="86400s"),
            user_labels=labels,
            opts=self.child(platform.apis["monitoring"]),
        )
        self.register_outputs({})


TITLE = "the webhook can't be reached from outside"
TODO = (
    "Callbacks and inbound messages don't arrive. See the stack's output `webhookAccess`, and run `pulumi up`: it switches the "
    "platform's check of callers off again where something switched it on."
)


def unreachable(check: str) -> str:
    """PromQL that is true while most places can't reach what the check asks."""
    passed = "monitoring_googleapis_com:uptime_check_check_passed"
    return f'avg(avg_over_time({passed}{{monitored_resource="uptime_url",check_id="{check}"}}[10m])) < 0.5'
