"""What every component shares: its type, and options for its children. Children belong to their component alone."""

from __future__ import annotations

from typing import Any

import pulumi


class Component(pulumi.ComponentResource):
    """A part of the stack; each subclass's docstring says what it owns and what it refuses to own."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"sms-connector:index:{type(self).__name__}", name, None, opts)

    def child(self, *needs: pulumi.Resource, **options: Any) -> pulumi.ResourceOptions:
        """Options of a child that is made after `needs`. A component's own `depends_on` doesn't reach its children, so
        each says it."""
        return pulumi.ResourceOptions(parent=self, depends_on=list(needs), **options)
