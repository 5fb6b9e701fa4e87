"""A connection's durable work."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from components.accounts import ConnectionAccounts
from components.component import Component
from components.platform import Platform
from connection_config import ConnectionConfig
from naming import ConnectionNames

# Who puts tasks where: the connector starts campaigns, workers go on with them; callbacks come in through the webhook,
# and connector and worker post results to callers.
ENQUEUERS = {"chunks": ("connector", "worker"), "events": ("connector", "worker", "webhook")}

# The longest pause between two tries. A chunk that several workers died over, or that was there while the provider was
# not, has to go on soon after; an event that can't be applied yet may wait.
CHUNKS_BACKOFF, EVENTS_BACKOFF = "60s", "300s"


class ConnectionQueues(Component):
    """Owns the two queues and who may put tasks into each. Refuses to own tasks, and the rates: those are kept by the
    functions.

    A queue's name can't be used again for days after its deletion, so it follows from the connection's name and nothing
    else.
    """

    def __init__(
        self,
        name: str,
        config: ConnectionConfig,
        platform: Platform,
        accounts: ConnectionAccounts,
        *,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self._config, self._platform = config, platform
        # One chunk at a time per worker: the queue's concurrent dispatches are the number of workers.
        self.chunks = self._queue(
            "chunks", concurrent=config.workers_max, paused=config.suspended, backoff=CHUNKS_BACKOFF
        )
        self.events = self._queue("events", concurrent=100, paused=False, backoff=EVENTS_BACKOFF)
        self.grants = [
            gcp.cloudtasks.QueueIamMember(
                f"{config.name}-{role}-enqueues-{queue}",
                project=platform.project,
                location=platform.region,
                name=getattr(self, queue).name,
                role="roles/cloudtasks.enqueuer",
                member=accounts[role].member,
                opts=self.child(),
            )
            for queue, roles in ENQUEUERS.items()
            for role in roles
        ]
        self.register_outputs({})

    def _queue(self, role: str, *, concurrent: int, paused: bool, backoff: str) -> gcp.cloudtasks.Queue:
        return gcp.cloudtasks.Queue(
            f"{self._config.name}-{role}",
            project=self._platform.project,
            location=self._platform.region,
            name=ConnectionNames(self._config.name).queue(role),
            desired_state="PAUSED" if paused else "RUNNING",
            rate_limits=gcp.cloudtasks.QueueRateLimitsArgs(
                max_dispatches_per_second=500, max_concurrent_dispatches=concurrent
            ),
            retry_config=gcp.cloudtasks.QueueRetryConfigArgs(
                max_attempts=-1,  # nothing is dropped: a task that always fails shows in the backlog's alert
                min_backoff="1s",
                max_backoff=backoff,
                max_doublings=9,
            ),
            stackdriver_logging_config=gcp.cloudtasks.QueueStackdriverLoggingConfigArgs(sampling_ratio=0.01),
            # Kept with the data: after a deletion the name is refused for days, and the next `up` with it.
            opts=self.child(self._platform.apis["cloudtasks"], protect=self._config.protect),
        )
