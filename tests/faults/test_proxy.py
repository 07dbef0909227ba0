"""The proxy does to connections what it was asked to do."""

import contextlib
import socket
import threading

import pytest

from tests.faults.proxy import Fault, Proxy

SENT = bytes(range(256)) * 40


@pytest.fixture
def echo():
    """A server that sends SENT to whoever connects, and then what it is sent."""

    def serve(client):
        with client, contextlib.suppress(OSError):
            client.sendall(SENT)
            while data := client.recv(4096):
                client.sendall(data)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=listener.accept()[:1]).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    accepting.join()


@pytest.fixture
def proxy(echo):
    with Proxy(echo) as proxy:
        yield proxy


@contextlib.contextmanager
def connected(proxy):
    with socket.create_connection((proxy.host, proxy.port), timeout=30) as client:
        yield client


def received(client, length=10**9):
    """Read to the end, or until there are `length` bytes."""
    data = b""
    while len(data) < length and (more := client.recv(min(4096, length - len(data)))):
        data += more
    return data


def test_without_a_fault_all_passes_both_ways(proxy):
    with connected(proxy) as client:
        assert received(client, len(SENT)) == SENT
        client.sendall(b"and back")
        assert received(client, 8) == b"and back"


@pytest.mark.parametrize("cut", [0, 1, 255, 5000])
def test_a_cut_ends_the_connection_after_that_many_bytes(proxy, cut):
    proxy.plan(Fault(cut_after=cut, linger=0.01))
    with connected(proxy) as client:
        assert received(client) == SENT[:cut]


def test_a_cut_may_be_a_reset(proxy):
    proxy.plan(Fault(cut_after=100, reset=True))
    with pytest.raises(ConnectionResetError), connected(proxy) as client:
        received(client)


def test_small_pieces_slowly_are_still_all(proxy):
    proxy.plan(Fault(piece=1, delay=0.00001, rate=1_000_000))
    with connected(proxy) as client:
        assert received(client, 2000) == SENT[:2000]


@pytest.mark.parametrize("stall", ["one", "all"])
def test_what_was_stalled_goes_on_once_healed(proxy, stall):
    if stall == "one":
        proxy.plan(Fault(stall_after=256, piece=256))
    else:
        proxy.stall()
    with connected(proxy) as client:
        begun = received(client, 256) if stall == "one" else b""
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(30)
        proxy.heal()
        assert begun + received(client, len(SENT) - len(begun)) == SENT


@pytest.mark.parametrize("reset", [False, True])
def test_open_connections_can_be_cut_at_any_time(proxy, reset):
    with connected(proxy) as client:
        received(client, len(SENT))
        proxy.cut(reset=reset)
        with pytest.raises(ConnectionResetError) if reset else contextlib.nullcontext():
            assert client.recv(1) == b""


def test_refuses_until_healed(proxy):
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError), connected(proxy):
        pass
    proxy.heal()
    with connected(proxy) as client:
        assert received(client, len(SENT)) == SENT


def test_a_server_that_is_away_resets(proxy):
    with Proxy(1) as proxy, pytest.raises(ConnectionResetError), connected(proxy) as client:
        client.recv(1)
