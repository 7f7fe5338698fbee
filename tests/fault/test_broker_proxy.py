"""The bad line does what its faults say, to connections that are open and to new ones."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from bench.server_process import HOST
from tests.fault.proxy import BLACK_HOLE, FAIR, Proxy, Weather, slow

SILENCE_S = 0.3
PATIENCE_S = 60.0


@pytest.fixture
def echo_port() -> Iterator[int]:
    """A server that sends back what it gets."""
    with socket.create_server((HOST, 0)) as server:

        def answer(peer: socket.socket) -> None:
            with peer:
                while chunk := peer.recv(1 << 16):
                    peer.sendall(chunk)

        def serve() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(peer,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


@pytest.fixture
def proxy(echo_port: int) -> Iterator[Proxy]:
    with Proxy(echo_port) as proxy:
        yield proxy


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection((HOST, proxy.port), timeout=PATIENCE_S)


def said(peer: socket.socket, text: bytes) -> bytes:
    peer.sendall(text)
    found = b""
    while len(found) < len(text) and (chunk := peer.recv(1 << 16)):
        found += chunk
    return found


def is_silent(peer: socket.socket) -> bool:
    peer.settimeout(SILENCE_S)
    try:
        return peer.recv(1) is None
    except TimeoutError:
        return True
    finally:
        peer.settimeout(PATIENCE_S)


def is_closed(peer: socket.socket) -> bool:
    try:
        return peer.recv(1) == b""
    except ConnectionError:
        return True


def test_a_fair_line_changes_nothing(proxy: Proxy) -> None:
    with connected(proxy) as peer:
        text = bytes(range(256)) * 4096
        threading.Thread(target=peer.sendall, args=(text,), daemon=True).start()
        found = b""
        while len(found) < len(text):
            found += peer.recv(1 << 16)
        assert found == text


def test_a_black_hole_holds_back_and_gives_later(proxy: Proxy) -> None:
    with connected(proxy) as peer:
        assert said(peer, b"one") == b"one"
        proxy.become(BLACK_HOLE)
        peer.sendall(b"two")
        assert is_silent(peer)
        with connected(proxy) as other:  # it seems to connect, and nothing comes
            other.sendall(b"three")
            assert is_silent(other)
            proxy.become(FAIR)
            assert other.recv(10) == b"three"
        assert peer.recv(10) == b"two"


def test_a_slow_line_delays_each_way(proxy: Proxy) -> None:
    proxy.become(slow(0.1, 0.0))
    with connected(proxy) as peer:
        began = time.monotonic()
        assert said(peer, b"one") == b"one"
        assert time.monotonic() - began >= 0.2


def test_a_cut_ends_open_connections_and_not_new_ones(proxy: Proxy) -> None:
    with connected(proxy) as peer:
        assert said(peer, b"one") == b"one"
        assert proxy.cut() == 1
        assert is_closed(peer)
        with connected(proxy) as other:
            assert said(other, b"two") == b"two"


def test_a_cut_in_the_middle_gives_half_of_what_was_said(proxy: Proxy) -> None:
    proxy.become(Weather(cut_odds=1.0))
    with connected(proxy) as peer:
        peer.sendall(b"0123456789")
        assert len(peer.recv(100)) < 10
    assert proxy.cuts


def test_lost_connections_are_silent_and_new_ones_work(proxy: Proxy) -> None:
    with connected(proxy) as peer:
        assert said(peer, b"one") == b"one"
        assert proxy.forget() == 1
        peer.sendall(b"two")
        with connected(proxy) as other:
            assert said(other, b"three") == b"three"
        assert is_silent(peer)
