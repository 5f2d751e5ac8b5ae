"""A byte here and a byte there cost one call of the system."""

import socket
from collections.abc import Iterator

import pytest
from derb_gateway.read_ahead import ReadAhead


@pytest.fixture
def pair() -> Iterator[tuple[ReadAhead, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield ReadAhead(ours), theirs
    ours.close()
    theirs.close()


def test_all_that_came_is_read_in_order_in_whatever_pieces(pair: tuple[ReadAhead, socket.socket]) -> None:
    ours, theirs = pair
    sent = bytes(range(256)) * 100
    theirs.sendall(sent)
    got = bytearray()
    for most in [1, 1, 3, 200, 10_000, 1] * 10:
        if len(got) < len(sent):
            got += ours.recv(most)
    assert bytes(got) == sent[: len(got)]
    assert len(got) > 20_000


def test_what_is_kept_is_told_and_then_it_waits_like_a_socket(
    pair: tuple[ReadAhead, socket.socket],
) -> None:
    ours, theirs = pair
    theirs.sendall(b"abc")
    assert ours.pending() == 0, "nobody has read yet"
    assert (ours.recv(1), ours.pending()) == (b"a", 2)
    assert (ours.recv(9), ours.pending()) == (b"bc", 0)
    with pytest.raises(BlockingIOError):
        ours.recv(1)
    theirs.sendall(b"d")
    assert ours.recv(1) == b"d"


def test_the_end_is_the_end(pair: tuple[ReadAhead, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b"x")
    theirs.close()
    assert (ours.recv(1), ours.recv(1), ours.recv(1)) == (b"x", b"", b"")


def test_what_an_ssl_socket_holds_counts_too() -> None:
    class Ssl:
        def recv(self, _: int) -> bytes:
            return b"abc"

        def pending(self) -> int:
            return 7

    ours = ReadAhead(Ssl())  # type: ignore[arg-type]
    ours.recv(1)
    assert ours.pending() == 9
