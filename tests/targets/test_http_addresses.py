"""Which addresses a definition may reach, and that the checked ones are those connected to."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.targets.http_addresses import (
    Allowed,
    Forbidden,
    checked,
    forbidden_literal,
    public,
)

NOBODY = Allowed(())

PRIVATE = [
    "0.0.0.0",  # noqa: S104
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "172.32.0.1",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("text", PRIVATE)
def test_not_public(text: str) -> None:
    assert not public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text: str) -> None:
    assert public(ipaddress.ip_address(text))


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_like_the_address_in_it(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    nat64 = ipaddress.IPv6Address(ipaddress.ip_address("64:ff9b::").packed[:12] + address.packed)
    assert public(mapped) == public(nat64) == public(address)


@pytest.mark.parametrize(
    "host",
    ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1.", "localhost", "LOCALHOST.",
     "db.localhost", "::1", "fe80::1%eth0", "169.254.169.254", "0"],
)  # fmt: skip
def test_what_is_refused_without_asking_anybody(host: str) -> None:
    message = forbidden_literal(host, 80, NOBODY)
    assert message is not None
    assert "NOONDAY_HTTP_ALLOW" in message


def test_one_private_address_among_many_is_enough_to_refuse() -> None:
    with pytest.raises(Forbidden, match=r"mixed\.example \(10\.0\.0\.1\)"):
        checked("mixed.example", 443, NOBODY, lambda *_: ["8.8.8.8", "10.0.0.1"])


def test_all_addresses_are_given_back_once_and_in_order() -> None:
    found = checked("two.example", 443, NOBODY, lambda *_: ["8.8.8.8", "1.1.1.1", "8.8.8.8"])
    assert found == ["8.8.8.8", "1.1.1.1"]


@pytest.mark.parametrize(
    ("entry", "host", "port", "permitted"),
    [
        ("intranet.example", "intranet.example", 80, True),
        ("intranet.example", "INTRANET.example.", 80, True),
        ("intranet.example:8080", "intranet.example", 8080, True),
        ("intranet.example:8080", "intranet.example", 80, False),
        ("intranet.example", "sub.intranet.example", 80, False),
        ("10.0.0.0/8", "anything.example", 80, True),
        ("10.0.0.5", "anything.example", 80, True),
        ("10.0.0.6", "anything.example", 80, False),
        ("192.168.0.0/16", "anything.example", 80, False),
    ],
)
def test_the_operator_permits_hosts_and_networks(
    entry: str, host: str, port: int, permitted: bool
) -> None:
    allowed = Allowed((entry,))
    if permitted:
        assert checked(host, port, allowed, lambda *_: ["10.0.0.5"]) == ["10.0.0.5"]
    else:
        with pytest.raises(Forbidden):
            checked(host, port, allowed, lambda *_: ["10.0.0.5"])


def test_an_address_of_version_six_is_permitted_with_its_port() -> None:
    allowed = Allowed(("[::1]:8080",))
    assert forbidden_literal("::1", 8080, allowed) is None
    assert forbidden_literal("::1", 80, allowed) is not None
