"""Connections are kept, and a kept one is never the reason for a second message."""

from __future__ import annotations

import threading

import pytest

from sms_connector.errors import NotSent, OutcomeUnknown
from sms_connector.transport.http import Lane
from tests.transport.conftest import MakeBench
from tests.transport.raw_server import CREATED, Peer, Script, answering, answering_once, serving


def test_one_connection_carries_call_after_call(make_bench: MakeBench) -> None:
    bench = make_bench()
    with serving(answering(CREATED)) as server:
        for _ in range(5):
            bench.post(server.url)
    assert (server.connections, len(server.requests)) == (1, 5)


NOT_KEPT = [
    (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "it was announced"),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.0 closes"),
    (
        b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\nHTTP/1.1 201 Created\r\n",
        "the rest would be taken for the next answer",
    ),
    (CREATED + CREATED, "an answer nobody asked for would be taken for the next one's"),
]


@pytest.mark.parametrize("answer", [row[0] for row in NOT_KEPT], ids=[row[1] for row in NOT_KEPT])
def test_a_connection_is_not_used_again_when(make_bench: MakeBench, answer: bytes) -> None:
    bench = make_bench()
    with serving(answering(answer), answering(CREATED)) as server:
        bench.post(server.url)
        assert bench.post(server.url).status == 201
    assert server.connections == 2


def test_an_answer_that_comes_late_and_unasked_is_never_taken_for_ours(make_bench: MakeBench) -> None:
    bench, said = make_bench(), threading.Event()

    def chatter(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        said.set()
        peer.wait_for_end()

    with serving(chatter, answering(CREATED)) as server:
        assert bench.post(server.url).status == 200
        assert said.wait(5)
        assert bench.post(server.url).status == 201


def test_a_connection_closed_while_idle_is_seen_before_it_is_used(make_bench: MakeBench) -> None:
    bench, closed = make_bench(), threading.Event()

    def close_after_one(peer: Peer) -> None:
        peer.read_request()
        peer.send(CREATED)
        peer.sock.close()
        closed.set()

    with serving(close_after_one, answering(CREATED)) as server:
        bench.post(server.url)
        assert closed.wait(5)
        assert bench.post(server.url).status == 201
    assert len(bench.gates) == 2, "nothing had to be repeated"


def test_a_connection_that_was_idle_too_long_is_not_used(make_bench: MakeBench) -> None:
    bench = make_bench(max_idle=50.0)
    with serving(answering(CREATED)) as server:
        bench.post(server.url)
        bench.clock.now += 49.0
        bench.post(server.url)
        assert server.connections == 1
        bench.clock.now += 51.0
        bench.post(server.url)
    assert server.connections == 2


def test_a_connection_rests_after_an_answer(make_bench: MakeBench) -> None:
    """A server that closes without a word closes right behind its answer: a moment later that can be seen."""
    bench = make_bench(rest=0.005)
    with serving(answering_once(CREATED)) as server:
        for _ in range(3):
            assert bench.post(server.url).status == 201
    assert server.connections == 3


def test_rested_connections_take_turns(make_bench: MakeBench) -> None:
    bench = make_bench(rest=0.005)
    with serving(answering(CREATED)) as server:
        bench.post(server.url)
        bench.post(server.url)
        bench.clock.now += 0.006
        bench.post(server.url)
        bench.post(server.url)
    assert (server.connections, len(server.requests)) == (2, 4)


def drop_the_second(peer: Peer) -> None:
    """The race: the server gives the connection up while our request is on its way."""
    peer.read_request()
    peer.send(CREATED)
    peer.read_request()
    peer.reset()


def test_the_race_with_a_closing_server_is_unknown_for_a_send(make_bench: MakeBench) -> None:
    """It may have been read: the transport can't know, so it doesn't guess."""
    bench = make_bench(attempts=4)
    with serving(drop_the_second, answering(CREATED)) as server:
        bench.post(server.url)
        with pytest.raises(OutcomeUnknown):
            bench.post(server.url)
    assert server.connections == 1


def test_the_race_with_a_closing_server_is_repeated_at_once_where_it_may(make_bench: MakeBench) -> None:
    bench = make_bench(attempts=4)
    with serving(drop_the_second, answering(CREATED)) as server:
        bench.get(server.url)
        assert bench.get(server.url).status == 201
    assert bench.clock.slept == [], "a dead connection says nothing about the provider"
    assert bench.gates == [Lane.POLL] * 3, "each attempt is a transaction"


def test_many_threads_share_the_pool(make_bench: MakeBench) -> None:
    """Each answer names its request: no thread ever reads another's."""

    def echo(peer: Peer) -> None:
        while request := peer.read_request():
            body = request.partition(b"\r\n\r\n")[2]
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    bench, wrong = make_bench(pool_size=8), []
    with serving(echo) as server:

        def call(thread: int) -> None:
            for number in range(20):
                body = f"{thread}-{number}".encode()
                answer = bench.post(server.url, body=body).body
                if answer != body:
                    wrong.append((body, answer))

        threads = [threading.Thread(target=call, args=(number,)) for number in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert len(server.requests) == 64 * 20


def test_closing_ends_the_connections_at_rest(make_bench: MakeBench) -> None:
    bench, ended = make_bench(), threading.Event()

    def note_the_end(peer: Peer) -> None:
        peer.read_request()
        peer.send(CREATED)
        peer.wait_for_end()
        ended.set()

    with serving(note_the_end) as server:
        bench.post(server.url)
        bench.transport.close()
        assert ended.wait(5)


def refuse_to_read(peer: Peer) -> None:
    peer.reset()


@pytest.mark.parametrize("script", [refuse_to_read, drop_the_second])
def test_a_lost_connection_leaves_the_transport_usable(make_bench: MakeBench, script: Script) -> None:
    bench = make_bench()
    with serving(script, script, answering(CREATED)) as server:
        for _ in range(4):
            try:
                bench.post(server.url)
            except (NotSent, OutcomeUnknown):
                continue
        assert bench.post(server.url).status == 201
