"""Public addresses, and all the ways in which one can look like it."""

import pytest

from qwen_demo.api.addresses import is_named, is_public, public_addresses
from qwen_demo.api.errors import BadResponse, ConnectionFailed


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "47.110.1.1", "2400:3200::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2001:0:7f00:1::",
        "2001:0:808:808::",
        "198.18.0.1",
        "198.19.255.254",
        "192.0.0.9",
        "fec0::1",
        "fdfe:dcba:9876::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:0:127.0.0.1",
        "::ffff:198.18.0.1",
        "64:ff9b::c612:1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2001:db8::1",
        "3fff::1",
    ],
)
def test_any_other_is_not(address: str) -> None:
    assert not is_public(address)


async def test_a_name_that_leads_home_is_refused() -> None:
    with pytest.raises(BadResponse, match="not a public one"):
        await public_addresses("localhost", 443)


async def test_a_name_that_no_one_knows_is_a_failed_connection() -> None:
    with pytest.raises(ConnectionFailed, match="is not known"):
        await public_addresses("nobody.invalid", 443)


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("minio.corp.example", True),
        ("MINIO.corp.example.", True),
        ("a.minio.corp.example", False),
        ("oss.aliyuncs.com", True),
        ("aliyuncs.com", True),
        ("evil-aliyuncs.com", False),
        ("aliyuncs.com.evil.example", False),
    ],
)
def test_a_host_is_named_by_its_name_or_a_suffix(host: str, named: bool) -> None:
    assert is_named(host, ("minio.corp.example", ".aliyuncs.com")) is named
