"""S9: a tool that is told where to connect reaches nothing that is not public."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import pytest

from choragus.agents.errors import AgentFault, NotPermitted
from choragus.agents.policy.url import UrlBoundary, system_resolver

NAMES = {
    "example.org": ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"],
    "inside.example.org": ["10.0.0.5"],
    "both.example.org": ["93.184.216.34", "192.168.1.1"],
    "six.example.org": ["fe80::1%eth0"],
    "localhost": ["127.0.0.1"],
    "empty.example.org": [],
}


def resolver(host: str, port: int) -> Sequence[str]:
    """Names without a network."""
    if host not in NAMES:
        raise OSError("no such host")
    return NAMES[host]


BOUNDARY = UrlBoundary(resolver=resolver)
LITERAL = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://[::1]:8080/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://0/",
    "http://0.0.0.0/",
    "http://127.0.0.1./",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::10.0.0.1]/",
    "http://[2002:7f00:1::]/",
    "http://[fd00::1]/",
    "http://[fec0::1]/",
    "http://[3fff::1]/",
    "http://[100::1]/",
    "http://[2001:db8::1]/",
    "http://192.0.0.8/",
    "http://192.88.99.1/",
    "http://198.18.0.1/",
    "http://[fe80::1%25eth0]/",
    "http://10.1.2.3/",
    "http://172.16.0.1/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://999.1.1.1/",
]
MALFORMED = [
    "file:///etc/passwd",
    "gopher://example.org/",
    "ftp://example.org/",
    "javascript:alert(1)",
    "//example.org/",
    "example.org",
    "http://",
    "http:///path",
    "http://user:secret@example.org/",
    "http://example.org@127.0.0.1/",
    "http://example.org\\@127.0.0.1/",
    "http://exa mple.org/",
    "http://example.org/\r\nHost: x",
    "http://example.org:99999/",
    "http://[::1/",
    "http://exam%70le.org/",
    "http://" + "a" * 5000,
    "",
]


@pytest.mark.parametrize("url", [*LITERAL, *MALFORMED])
def test_s9_an_address_that_is_not_public_is_refused_however_it_is_written(url: str) -> None:
    with pytest.raises(NotPermitted):
        BOUNDARY.check(url)

    assert BOUNDARY.permits(url)


@pytest.mark.parametrize(
    "host",
    ["inside.example.org", "both.example.org", "six.example.org", "localhost", "empty.example.org", "nowhere.org"],
)
def test_s9_a_name_that_leads_inside_or_nowhere_is_refused(host: str) -> None:
    with pytest.raises(NotPermitted, match=rf"^'https://{host}/' is not permitted: {host} (is|was not found)"):
        BOUNDARY.check(f"https://{host}/")


def test_s9_the_address_that_was_checked_is_the_one_to_connect_to() -> None:
    """A name whose second look-up leads inside cannot be used: there is no second look-up."""
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    boundary = UrlBoundary(resolver=lambda host, port: next(answers))

    pinned = boundary.check("https://rebind.example.org:8443/a?b")

    assert (pinned.address, pinned.host, pinned.port) == ("93.184.216.34", "rebind.example.org", 8443)
    assert next(answers) == ["127.0.0.1"]


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1/", "//169.254.169.254/", "file:///etc/passwd", "http://inside.example.org"]
)
def test_s9_a_redirect_to_a_private_address_is_refused(location: str) -> None:
    pinned = BOUNDARY.check("http://example.org/a")

    with pytest.raises(NotPermitted):
        BOUNDARY.redirected(pinned, location)


def test_a_redirect_is_relative_and_keeps_https() -> None:
    pinned = BOUNDARY.check("https://example.org/a/b")

    assert BOUNDARY.redirected(pinned, "../c").url == "https://example.org/c"
    with pytest.raises(NotPermitted, match=r"a redirect from https to http$"):
        BOUNDARY.redirected(pinned, "http://example.org/")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/",
        "HTTP://EXAMPLE.org:80/x#y",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://[::ffff:8.8.8.8]/",
    ],
)
def test_a_public_url_is_pinned(url: str) -> None:
    assert BOUNDARY.check(url).address
    assert BOUNDARY.permits(url) == ""


def test_hosts_ports_and_schemes_can_be_narrowed() -> None:
    boundary = UrlBoundary(schemes=("https",), hosts=("*.example.org", "example.org"), ports=(443,), resolver=resolver)

    assert boundary.check("https://example.org/").port == 443
    assert "none of https" in boundary.permits("http://example.org/")
    assert "none of *.example.org" in boundary.permits("https://example.org.evil.net/")
    assert "port 8443 is none of 443" in boundary.permits("https://example.org:8443/")


def test_an_unknown_scheme_is_refused_at_once() -> None:
    with pytest.raises(AgentFault, match="'ftp' is neither 'http' nor 'https'"):
        UrlBoundary(schemes=("ftp",))


def test_the_systems_resolver_refuses_this_machine() -> None:
    with pytest.raises(NotPermitted):
        UrlBoundary(resolver=system_resolver).check("http://localhost/")


def test_the_error_can_be_pickled() -> None:
    error = NotPermitted("http://x", "why")

    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "'http://x' is not permitted: why"
