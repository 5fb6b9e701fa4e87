"""`proxy`: a door on this machine to the deployed connector, for clients that can't sign in to it."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.client import open_session
from cli.context import context_of
from cli.errors import INTERRUPTED, Misused
from cli.identity import check_url

PORT = 8090


def proxy(
    ctx: typer.Context,
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0: a free one.")] = PORT,
) -> None:
    """Forward requests from this machine to the connector, each with your identity token.

    For clients that send another token or none: Google's agent kit, clients of the Model Context Protocol, curl. Only
    programs on this machine reach it; pages in a browser are refused.
    """
    from cli.forwarding import HOST, open_server

    run = context_of(ctx)
    url = check_url(run.url)
    try:
        server = open_server(url, open_session(url, run.environ), port=port)
    except (OSError, SystemExit):  # the library ends the process where the port is in use
        raise Misused(f"--port: {port} can't be listened on: is it in use?") from None
    address = f"http://{HOST}:{server.server_port}"
    run.output.show({"url": address, "forwardsTo": url}, f"{address} forwards to {url}; Ctrl-C ends it")
    server.serve_forever()  # until Ctrl-C, which the library takes
    raise typer.Exit(INTERRUPTED)
