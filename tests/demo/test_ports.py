from __future__ import annotations

import socket

import pytest

from router.demo.ports import reserve_ports


def test_ports_differ_and_nothing_listens_on_them() -> None:
    with reserve_ports(50) as ports:
        assert len(set(ports)) == 50
        for port in ports:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))


def test_a_server_listens_on_a_reserved_port_again_and_again() -> None:
    with reserve_ports(1) as (port,):
        for _ in range(3):
            with (
                socket.create_server(("127.0.0.1", port)),
                socket.create_connection(("127.0.0.1", port)),
            ):
                pass


def test_a_reserved_port_is_given_to_nobody_who_asks_for_any() -> None:
    with reserve_ports(200) as ours, reserve_ports(200) as theirs:
        assert not set(ours) & set(theirs)
    with (
        reserve_ports(1) as (port,),
        socket.socket() as other,
        pytest.raises(OSError, match="in use"),
    ):
        other.bind(("127.0.0.1", port))
