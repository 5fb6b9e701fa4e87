"""A connection on one page."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_gcp as gcp

from components.alerts import REQUESTS, counted, series
from components.component import Component
from components.platform import Platform
from connection_config import ConnectionConfig
from labels import own_labels
from naming import ConnectionNames

WIDTH, HEIGHT, COLUMNS = 24, 16, 48


def charts(names: ConnectionNames) -> dict[str, str]:
    """Title → PromQL."""
    services = "|".join(names.function(role) for role in ("connector", "worker", "webhook"))
    functions = f'service_name=~"{services}"'
    queues = f"{names.queue('chunks')}|{names.queue('events')}"
    latency = "run_googleapis_com:request_latencies_bucket"
    return {
        "Requests a second by function": f"sum by (service_name) (rate({series(REQUESTS, functions)}[5m]))",
        "Answers by code": (
            "sum by (service_name, response_code) (rate("
            + series(REQUESTS, f'{functions},response_code!="200"')
            + "[5m]))"
        ),
        "Sends and chunks": f"sum(rate({counted(names, 'sends')}[5m]))",
        "Callbacks refused, by why": f"sum by (why) (increase({counted(names, 'callbacks-rejected')}[5m]))",
        "Results given up": f"sum(increase({counted(names, 'callbacks-given-up')}[5m]))",
        "Nodes": (
            "sum by (service_name) ("
            + series("run_googleapis_com:container_instance_count", f'{functions},state="active"')
            + ")"
        ),
        "Waiting tasks": f'max by (queue_id) (cloudtasks_googleapis_com:queue_depth{{queue_id=~"{queues}"}})',
        "Latency, 95th percentile (ms)": (
            f"histogram_quantile(0.95, sum by (le, service_name) (rate({series(latency, functions)}[5m])))"
        ),
    }


def document(name: str, names: ConnectionNames, labels: dict[str, str]) -> dict[str, Any]:
    """Return the dashboard as Monitoring stores it: keys it would fill in are said, so that nothing differs later."""
    tiles = []
    for place, (title, query) in enumerate(charts(names).items()):
        row, column = divmod(place, COLUMNS // WIDTH)
        chart = {"dataSets": [{"plotType": "LINE", "timeSeriesQuery": {"prometheusQuery": query}}]}
        spot = {key: value for key, value in (("xPos", column * WIDTH), ("yPos", row * HEIGHT)) if value}
        tiles.append({**spot, "width": WIDTH, "height": HEIGHT, "widget": {"title": title, "xyChart": chart}})
    return {
        "displayName": f"SMS connection {name}",
        "labels": {f"{key}-{value}"[:63]: "" for key, value in sorted(labels.items())},
        "mosaicLayout": {"columns": COLUMNS, "tiles": tiles},
    }


class ConnectionDashboard(Component):
    """Owns the connection's dashboard. Refuses nothing: copy it for another view."""

    def __init__(
        self, name: str, config: ConnectionConfig, platform: Platform, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        labels = own_labels(config.name, config.labels)
        text = json.dumps(document(config.name, ConnectionNames(config.name), labels), sort_keys=True)
        self.dashboard = gcp.monitoring.Dashboard(
            f"{config.name}-dashboard",
            project=platform.project,
            dashboard_json=text,
            opts=self.child(platform.apis["monitoring"]),
        )
        self.register_outputs({})
