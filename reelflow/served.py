"""What is served to people and programs on this machine: an address that is ours, and a server that says nothing."""

from __future__ import annotations

import socket

import uvicorn
from starlette.applications import Starlette

from reelflow.errors import BadInput


def listening(host: str, port: int, *, what: str, field: str = "port") -> socket.socket:
    """A listening socket, to be closed by the caller; port 0 takes a free one.

    Raises:
        BadInput: the address can't be had; names `what` was to be served, and the `field` that the port came from.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise BadInput(f"The address {host} can't be used: {error.strerror}.", field="host") from None
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(128)
    except OSError as error:
        opened.close()
        raise BadInput(f"{what} can't listen on {host}:{port}: {error.strerror}. Choose another port.",
                       field=field) from None
    return opened


def server_of(app: Starlette) -> uvicorn.Server:
    """A server that logs nothing and does not wait long for whoever still reads when it is to end."""
    return uvicorn.Server(uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, ws="none", lifespan="off",
        timeout_graceful_shutdown=1))
