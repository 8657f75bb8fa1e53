"""URLs and addresses: what a webhook may be sent to, and what only looks as if it might."""

import pytest

from modelkeep.domain.addresses import is_public, parse_target
from modelkeep.domain.errors import InvalidInput


def refused(url: str, *, allow_private: bool = False) -> str:
    with pytest.raises(InvalidInput) as refusal:
        parse_target(url, allow_private=allow_private)
    return refusal.value.message


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1"),
        *("198.18.0.1", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1", "ff0e::1", "fec0::1"),
        *("2001:db8::1", "2001::1", "100::1", "fe80::1%eth0"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::"),
        *("2002:a9fe:a9fe::1", "", "localhost", "127.1", "0x7f.0.0.1"),
    ],
)
def test_an_address_that_not_everyone_can_reach_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450::1"),
        *("::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"),
    ],
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        *("2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.1", "0"),
        *("127.0.0.1.", "256.1.1.1", "1.2.3.4.5", "0x", "1.2.3.0x4", "08.8.8.8"),
        *("[fe80::1%25eth0]", "[::ffff:127.0.0.1%25lo]"),
    ],
)
def test_an_address_in_another_spelling_is_refused_even_where_private_ones_are_allowed(
    host: str,
) -> None:
    message = refused(f"http://{host}/", allow_private=True)
    assert "is not a canonical IP address literal" in message


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "169.254.169.254", "10.1.2.3", "[::1]", "[::ffff:127.0.0.1]"),
        *("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fd00::1]", "0.0.0.0"),
    ],
)
def test_an_address_that_is_not_public_is_refused_as_it_stands(host: str) -> None:
    assert "must not resolve to a non-public IP address" in refused(f"https://{host}/x")
    parse_target(f"http://{host}:8080/x", allow_private=True)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "cannot be empty or just whitespace"),
        ("   ", "cannot be empty or just whitespace"),
        ("ftp://example.com", "Invalid webhook URL scheme: 'ftp'. Allowed schemes are: https."),
        ("http://example.com", "Invalid webhook URL scheme: 'http'"),
        ("file:///etc/passwd", "Invalid webhook URL scheme: 'file'"),
        ("gopher://x", "Invalid webhook URL scheme"),
        ("example.com/hook", "Invalid webhook URL scheme: ''"),
        ("http://[invalid", "Invalid webhook URL 'http://[invalid'"),
        ("https://", "must include a hostname"),
        ("https:///x", "must include a hostname"),
        ("https://user:pass@example.com/", "must not carry a user name or password"),
        ("https://8.8.8.8@127.0.0.1/", "must not carry a user name or password"),
        ("https://@example.com/", "must not carry a user name or password"),
        ("https://example.com\\@127.0.0.1/", "no backslash"),
        ("https://example.com/\r\nX: y", "visible ASCII"),
        ("https://exa\tmple.com/", "visible ASCII"),
        (" https://example.com/", "visible ASCII"),
        ("https://exämple.com/", "visible ASCII"),
        ("https://１２７.0.0.1/", "visible ASCII"),
        ("https://example.com:0/", "a port is 1 to 65535"),
        ("https://example.com:65536/", "a port is 1 to 65535"),
        ("https://example.com:x/", "a port is 1 to 65535"),
        ("https://-example.com/", "is no host name"),
        ("https://exa%6dple.com/", "is no host name"),
        ("https://example..com/", "is no host name"),
        ("https://[::1/", "Invalid webhook URL"),
        ("https://" + "a" * 2000, "exceeds the maximum length of 2000"),
    ],
)
def test_a_url_that_can_be_read_in_two_ways_or_in_none_is_refused(url: str, said: str) -> None:
    assert said in refused(url)


def test_a_url_says_where_to_connect_and_what_to_ask_for() -> None:
    target = parse_target("https://Hooks.Example.com/a/b?c=d#e", allow_private=False)
    assert (target.scheme, target.host, target.port) == ("https", "hooks.example.com", 443)
    assert (target.authority, target.path) == ("Hooks.Example.com", "/a/b?c=d")
    local = parse_target("http://[::1]:8080", allow_private=True)
    assert (local.host, local.port, local.authority, local.path) == ("::1", 8080, "[::1]:8080", "/")
