"""TLS: who is trusted, what is refused, and that a failed handshake is a message not sent."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from sms_connector.app.startup_checks import transport_problems
from sms_connector.errors import NotSent, OutcomeUnknown
from sms_connector.settings import Settings
from sms_connector.transport.connection import make_tls_context
from tests.transport.conftest import Authority, MakeBench
from tests.transport.raw_server import CREATED, Peer, answering, serving


def test_an_extra_authority_is_trusted(make_bench: MakeBench, authority: Authority) -> None:
    bench = make_bench(ca_file=authority.ca_file)
    with serving(answering(CREATED), context=authority.server_context()) as server:
        for _ in range(3):
            assert bench.post(server.url).status == 201
    assert server.connections == 1


def test_the_public_authorities_stay_trusted(authority: Authority) -> None:
    """The extra file comes beside them, not in their place: a proxy that inspects some hosts leaves others alone."""
    context = make_tls_context(authority.ca_file)
    assert context.cert_store_stats()["x509_ca"] > 50
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_an_unknown_authority_is_refused_once_and_says_how_to_trust_it(
    make_bench: MakeBench, authority: Authority
) -> None:
    bench = make_bench(attempts=4)
    with serving(answering(CREATED), context=authority.server_context()) as server:
        with pytest.raises(NotSent, match=r"certificate not accepted .*SMS_CA_FILE"):
            bench.post(server.url)
        assert server.requests == []
    assert len(bench.gates) == 1


def test_a_certificate_of_another_host_is_refused(make_bench: MakeBench, authority: Authority) -> None:
    bench = make_bench(ca_file=authority.ca_file)
    context = authority.server_context("other.test")
    with (
        serving(answering(CREATED), context=context) as server,
        pytest.raises(NotSent, match="certificate not accepted"),
    ):
        bench.post(server.url)


def test_old_tls_is_refused(make_bench: MakeBench, authority: Authority) -> None:
    context = authority.server_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    bench = make_bench(ca_file=authority.ca_file)
    with serving(answering(CREATED), context=context) as server, pytest.raises(NotSent, match="TLS failed"):
        bench.post(server.url)


def test_a_server_that_speaks_no_tls(make_bench: MakeBench) -> None:
    def answer_in_clear(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 400 Bad\r\n\r\n")
        peer.wait_for_end()

    with serving(answer_in_clear) as server, pytest.raises(NotSent, match="TLS failed"):
        make_bench().post(server.url.replace("http://", "https://"))


def test_a_handshake_that_never_ends(make_bench: MakeBench) -> None:
    def say_nothing(peer: Peer) -> None:
        peer.wait_for_end()

    with serving(say_nothing) as server, pytest.raises(NotSent, match="in time"):
        make_bench(connect_timeout=0.3).post(server.url.replace("http://", "https://"))


def test_a_loss_after_the_handshake_is_unknown(make_bench: MakeBench, authority: Authority) -> None:
    def reset(peer: Peer) -> None:
        peer.read_request()
        peer.reset()

    bench = make_bench(ca_file=authority.ca_file)
    with serving(reset, context=authority.server_context()) as server, pytest.raises(OutcomeUnknown):
        bench.post(server.url)


def test_a_large_request_crosses_many_records(make_bench: MakeBench, authority: Authority) -> None:
    bench = make_bench(ca_file=authority.ca_file)
    with serving(answering(CREATED), context=authority.server_context()) as server:
        bench.post(server.url, body=b"x" * 500_000)
        assert server.requests[0].endswith(b"x" * 1000)
        assert len(server.requests[0]) > 500_000


def test_a_ca_file_that_cant_serve_is_told_at_the_start(tmp_path: Path, authority: Authority) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing here")
    assert "can't be read" in transport_problems(Settings(ca_file=empty))[0]
    assert transport_problems(Settings(ca_file=Path(authority.ca_file))) == []
