"""Which addresses a tool may connect to, decided on the address that is then connected to."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from urllib.parse import SplitResult, urljoin, urlsplit

from attrs import field, frozen

from choragus.agents.errors import AgentFault, NotPermitted

from .decision import is_among

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a host, as text; a host that has none raises OSError."""

LONGEST = 4096
PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62}){0,126}\.?")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}\.?")
_UNICAST = ipaddress.IPv6Network("2000::/3")
_SPECIAL = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20"))
)
"""Registered for other purposes; which of them `is_global` knows depends on the version of Python."""
_TRANSLATED = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))


def system_resolver(host: str, port: int) -> Sequence[str]:
    """Ask the operating system. It blocks: call `UrlBoundary.check` in a thread when names are looked up with it."""
    return [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@frozen(kw_only=True)
class Pinned:
    """An address that was checked. Connect to `address` and `port`, and name `host` in TLS and in the Host header.

    Whoever looks the name up once more may get another address than the one that was checked.
    """

    url: str
    scheme: str
    host: str
    port: int
    address: str


@frozen(kw_only=True)
class UrlBoundary:
    """Says which URLs are public: no host of this machine or its networks, however it is written.

    >>> UrlBoundary(resolver=lambda host, port: ["93.184.216.34"]).check("https://example.org/a").address
    '93.184.216.34'

    Args:
        schemes: among "http" and "https".
        hosts: patterns of the names that are permitted; all by default.
        ports: what may be connected to; any by default.
        resolver: how names are looked up; by the operating system by default.

    Raises:
        AgentFault: when a scheme is neither http nor https.
    """

    schemes: tuple[str, ...] = ("https", "http")
    hosts: tuple[str, ...] = ("*",)
    ports: tuple[int, ...] = ()
    resolver: Resolver = field(default=system_resolver, eq=False)

    def __attrs_post_init__(self) -> None:
        strange = [one for one in self.schemes if one not in PORTS]
        if strange:
            raise AgentFault(f"UrlBoundary(schemes={self.schemes!r}): {strange[0]!r} is neither 'http' nor 'https'")

    def check(self, url: str) -> Pinned:
        """The URL with the address to connect to. Every address of the name must be public.

        Raises:
            NotPermitted: when the URL is badly formed, of another scheme, host or port, has a login in it, or leads
                to an address that is not public.
        """
        parts = self._parts(url)
        host, port = self._host(url, parts.hostname), self._port(url, parts)
        if not is_among(host, self.hosts):
            raise NotPermitted(url, f"host {host!r} is none of {', '.join(self.hosts)}")
        addresses = self._addresses(url, host, port)
        for address in addresses:
            if not is_public(address):
                raise NotPermitted(url, f"{host} is {address}, which is not public")
        return Pinned(url=url, scheme=parts.scheme, host=host, port=port, address=str(addresses[0]))

    def redirected(self, pinned: Pinned, location: str) -> Pinned:
        """Check where an answer redirects to; https does not become http.

        Raises:
            NotPermitted: as `check`.
        """
        there = self.check(urljoin(pinned.url, location))
        if pinned.scheme == "https" and there.scheme != "https":
            raise NotPermitted(there.url, "a redirect from https to http")
        return there

    def permits(self, url: str) -> str:
        """Why the URL is refused as it is written, or nothing; names are not looked up, so it is quick and no proof."""
        try:
            parts = self._parts(url)
            host = self._host(url, parts.hostname)
            self._port(url, parts)
            if not is_among(host, self.hosts):
                return f"host {host!r} is none of {', '.join(self.hosts)}"
            address = _literal(host)
            if address is not None and not is_public(address):
                return f"{host} is {address}, which is not public"
            if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
                return f"{host} is not public"
        except NotPermitted as error:
            return error.reason
        return ""

    def _parts(self, url: str) -> SplitResult:
        if len(url) > LONGEST:
            raise NotPermitted(url[:80] + "...", f"it has {len(url)} characters, {LONGEST} are permitted")
        if any(one <= " " or one == "\x7f" or one == "\\" for one in url):
            raise NotPermitted(url, "spaces, control characters and backslashes are read in different ways")
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError as error:
            raise NotPermitted(url, str(error)) from None
        if parts.scheme not in self.schemes:
            raise NotPermitted(url, f"scheme {parts.scheme!r} is none of {', '.join(self.schemes)}")
        if "@" in parts.netloc:
            raise NotPermitted(url, "a login in a URL")
        return parts

    def _host(self, url: str, host: str | None) -> str:
        if not host:
            raise NotPermitted(url, "it names no host")
        if ":" in host:
            return host
        try:
            plain = host if host.isascii() else host.encode("idna").decode()
        except UnicodeError:
            raise NotPermitted(url, f"{host!r} is no host") from None
        if not _HOST.fullmatch(plain.lower()):
            raise NotPermitted(url, f"{host!r} is no host")
        return plain.lower().rstrip(".")

    def _port(self, url: str, parts: SplitResult) -> int:
        port = parts.port or PORTS[parts.scheme]
        if self.ports and port not in self.ports:
            raise NotPermitted(url, f"port {port} is none of {', '.join(map(str, self.ports))}")
        return port

    def _addresses(self, url: str, host: str, port: int) -> list[Address]:
        literal = _literal(host)
        if literal is not None:
            return [literal]
        try:
            found = [ipaddress.ip_address(one.partition("%")[0]) for one in self.resolver(host, port)]
        except (OSError, ValueError, UnicodeError) as error:
            raise NotPermitted(url, f"{host} was not found: {error}") from None
        if not found:
            raise NotPermitted(url, f"{host} was not found")
        return found


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, also what an IPv6 address stands for in IPv4.

    >>> is_public(ipaddress.ip_address("::ffff:10.0.0.1"))
    False
    """
    inner = _inner(address)
    if inner is not None:
        return is_public(inner)
    if address.version == 6 and address not in _UNICAST:
        return False
    special = address.is_multicast or address.is_reserved or address.is_loopback
    return address.is_global and not special and not any(address in one for one in _SPECIAL)


def _inner(address: Address) -> ipaddress.IPv4Address | None:
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if any(address in network for network in _TRANSLATED) or int(address) >> 32 == 0:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def _literal(host: str) -> Address | None:
    """The address that a host is in figures, as the C library reads them: decimal, octal, hexadecimal, one to four."""
    if ":" in host:
        try:
            return ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            raise NotPermitted(host, "it is no address") from None
    if not _NUMERIC.fullmatch(host):
        return None
    try:
        figures = [_figure(one) for one in host.rstrip(".").split(".")]
        *first, last = figures
        if any(one > 255 for one in first) or last >= 256 ** (4 - len(first)):
            raise ValueError
        whole = sum(one << 8 * (3 - place) for place, one in enumerate(first)) + last
    except ValueError:
        raise NotPermitted(host, "it is no address") from None
    return ipaddress.IPv4Address(whole)


def _figure(text: str) -> int:
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8) if len(text) > 1 and text.startswith("0") else int(text)
