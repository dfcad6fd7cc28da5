"""Ports of our own for what is started beside us."""

from __future__ import annotations

import socket

import pytest

from relayer.demo import processes
from relayer.demo.processes import free_ports
from relayer.errors import MakegoodError


def test_ports_are_different_ones_below_those_that_systems_give_away():
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert max(ports) < 32_768


def test_taken_ports_are_passed_over_and_too_few_are_an_error(monkeypatch):
    [begin] = free_ports(1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", begin))
        monkeypatch.setattr(processes, "_PORTS", range(begin, begin + 1))
        with pytest.raises(MakegoodError, match=f"1 free ports .* of {begin} to {begin} .* 0 are"):
            free_ports(1)
