"""The same promises against a real squid: basic and digest, http and https destinations, each SSL mode."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sms_connector.errors import ErrorKind, NotSent
from sms_connector.transport.settings import ProxyAuth, ProxySettings, ProxySsl
from tests.transport.conftest import Authority, Bench, MakeBench
from tests.transport.raw_server import CREATED, RawServer, answering, serving
from tests.transport.squid import PASSWORD, USERNAME, Squid, running_squid, why_not

pytestmark = [pytest.mark.real, pytest.mark.skipif(why_not() is not None, reason=why_not() or "")]

SECRETS = {"proxy-username": USERNAME, "proxy-password": PASSWORD}


@pytest.fixture(scope="module", params=["none", "basic", "digest"])
def squid(request: pytest.FixtureRequest, authority: Authority) -> Iterator[tuple[str, Squid]]:
    with running_squid(request.param, ca=authority.ca) as running:
        yield request.param, running


@pytest.fixture(params=["http", "https"])
def destination(request: pytest.FixtureRequest, authority: Authority) -> Iterator[RawServer]:
    context = authority.server_context() if request.param == "https" else None
    with serving(answering(CREATED), context=context) as server:
        yield server


def bench_behind(make: MakeBench, authority: Authority, *, port: int, auth: str, ssl: str, **more: Any) -> Bench:
    proxy = ProxySettings("127.0.0.1", port, ProxyAuth(auth), ProxySsl(ssl))
    return make(proxy=proxy, ca_file=authority.ca_file, read_timeout=10.0, connect_timeout=10.0, **more)


@pytest.mark.parametrize("mode", ["auto", "always", "never", "tunnel"])
def test_messages_pass(
    make_bench: MakeBench, authority: Authority, squid: tuple[str, Squid], destination: RawServer, mode: str
) -> None:
    auth, proxy = squid
    port = proxy.tls_port if mode == "always" else proxy.plain_port
    bench = bench_behind(make_bench, authority, port=port, auth=auth, ssl=mode, secrets=[SECRETS])
    if mode == "never" and destination.context is not None:
        with pytest.raises(NotSent, match="use auto or tunnel"):
            bench.post(destination.url)
        return
    for round_ in range(3):
        for _ in range(3):
            assert bench.post(destination.url + f"/Messages.json?round={round_}").status == 201
        bench.transport.close()
    assert len(destination.requests) == 9
    assert not any(b"proxy-authorization" in request.lower() for request in destination.requests)


def test_a_wrong_password(
    make_bench: MakeBench, authority: Authority, squid: tuple[str, Squid], destination: RawServer
) -> None:
    auth, proxy = squid
    if auth == "none":
        return
    wrong = [SECRETS | {"proxy-password": "wr0ng"}]
    bench = bench_behind(make_bench, authority, port=proxy.plain_port, auth=auth, ssl="auto", secrets=wrong)
    with pytest.raises(NotSent, match="does not accept the credentials") as caught:
        bench.post(destination.url)
    assert caught.value.kind is ErrorKind.AUTHENTICATION
    assert destination.requests == []


def test_nonces_that_wear_out_under_many_threads(
    make_bench: MakeBench, authority: Authority, destination: RawServer
) -> None:
    """A nonce is good for three uses here, and counts have to come in order: no thread notices."""
    statuses: list[int] = []
    with running_squid("digest", ca=authority.ca, uses_per_nonce=3) as proxy:
        bench = bench_behind(
            make_bench, authority, port=proxy.plain_port, auth="digest", ssl="auto", secrets=[SECRETS], pool_size=0
        )

        def call() -> None:
            statuses.extend(bench.post(destination.url).status for _ in range(6))

        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert statuses == [201] * 48
