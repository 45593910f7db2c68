"""How a queue is reached: its address, whom to trust there, and the proxy on the way."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi

from reelflow.errors import BadInput
from reelflow.job.answers import line_of
from reelflow.remote import shown

_HERE = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Route:
    """The way to a queue: its base URL as it is sent, what errors call it (`address`: no path, no password), its TLS,
    and the proxy before it.
    """

    url: str
    address: str
    tls: ssl.SSLContext
    proxy: str | None

    @classmethod
    def to(cls, base_url: str) -> Self:
        """The way to the queue at `base_url`, as the environment has it. Raises BadInput for one that can't be used."""
        from yarl import URL

        try:
            url, parts = URL(base_url), urlsplit(base_url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            why = line_of(str(error)).rstrip(".")
            raise BadInput(f"The queue's address {shown(base_url)!r} can't be used ({why}): check DECART_BASE_URL.",
                           field="DECART_BASE_URL") from None
        if not host or url.scheme not in ("http", "https"):
            what = "names no host" if not host else "is neither http:// nor https://"
            raise BadInput(f"The queue's address {shown(base_url)!r} {what}: check DECART_BASE_URL.",
                           field="DECART_BASE_URL")
        is_here = host in _HERE
        return cls(
            str(url).rstrip("/"), f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
            # Reading all the world's certificates takes longer than all calls of a short run on the stand-in.
            _no_certificates() if is_here and url.scheme == "http" else _certificates(),
            # A proxy of the environment can't reach a queue on this machine.
            None if is_here else proxy_for(url.scheme, host),
        )


def proxy_for(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for a host (HTTPS_PROXY, ALL_PROXY, NO_PROXY), with its scheme.

    Raises BadInput for one that can't be read, or doesn't speak HTTP.
    """
    from yarl import URL

    named = getproxies()
    proxy = named.get(scheme) or named.get("all")
    if not proxy or proxy_bypass(host):
        return None
    kind, colon, _ = proxy.partition("://")
    if colon and kind.lower() not in ("http", "https"):
        raise BadInput(f"The proxy that HTTPS_PROXY or ALL_PROXY names is of the kind {kind}, and only http:// and "
                       "https:// can be used here.", field="ALL_PROXY")
    address = proxy if colon else f"http://{proxy}"
    try:
        is_one = bool(URL(address).host)
    except ValueError:
        is_one = False
    if not is_one:  # It may hold a password, and is not shown.
        raise BadInput("The proxy that HTTPS_PROXY or ALL_PROXY names can't be read: write http://HOST:PORT.",
                       field="ALL_PROXY")
    return address


def _certificates() -> ssl.SSLContext:
    """Trusts those that SSL_CERT_FILE or SSL_CERT_DIR name, and no other; else those that Mozilla trusts.

    Raises BadInput where they can't be read.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    try:
        context = ssl.create_default_context(
            cafile=file or (None if folder else certifi.where()), capath=folder or None)
    except OSError as error:
        raise BadInput(f"The certificates of {file} can't be read ({line_of(error.strerror or str(error))}): check "
                       "SSL_CERT_FILE.", field="SSL_CERT_FILE") from None
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_certificates() -> ssl.SSLContext:
    """Trusts nobody: for addresses that are spoken to without TLS."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
