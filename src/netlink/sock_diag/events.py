"""Sockets that end, as a stream: `listen`."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Literal, Never, overload

from netlink import stream
from netlink.config import Config
from netlink.consts import Family, SockDiagGroup
from netlink.errors import Overrun
from netlink.sock_diag.filter import Filter
from netlink.sock_diag.records import Command, EndedSocket
from netlink.stream import Kind, Stream

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["listen"]

_KINDS = (Kind(Command.BY_FAMILY, EndedSocket),)
_GROUPS = {
    ("tcp", socket.AF_INET): SockDiagGroup.INET_TCP_DESTROY,
    ("tcp", socket.AF_INET6): SockDiagGroup.INET6_TCP_DESTROY,
    ("udp", socket.AF_INET): SockDiagGroup.INET_UDP_DESTROY,
    ("udp", socket.AF_INET6): SockDiagGroup.INET6_UDP_DESTROY,
}


@overload
def listen(
    *,
    tcp: bool = ...,
    udp: bool = ...,
    family: int | None = ...,
    filter: Filter | None = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["raise"] = ...,
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[EndedSocket, Never]: ...
@overload
def listen(
    *,
    tcp: bool = ...,
    udp: bool = ...,
    family: int | None = ...,
    filter: Filter | None = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["mark"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[EndedSocket, Overrun]: ...
def listen(
    *,
    tcp: bool = True,
    udp: bool = False,
    family: int | None = None,
    filter: Filter | None = None,
    read_buffer: int | None = None,
    on_overrun: Literal["raise", "mark"] = "raise",
    netns: int | str | PathLike[str] | None = None,
) -> Stream[EndedSocket, Any]:
    """Open a stream of the sockets that end: a `netlink.stream.Stream` of `EndedSocket`. It needs no privilege.

    The kernel reports a socket when it frees it, with the last state of its `info`: the bytes, segments, round-trip
    times and retransmissions of each TCP connection. One that goes through TIME_WAIT is reported at the beginning of
    that. Connections that were never accepted, and those that last until the end of the stream, are not reported.

    tcp, udp: the protocols; ValueError for neither. family: AF_INET or AF_INET6 alone.
    filter: applied here. ValueError for `mark`, `cgroup` and `uid`, which an ended socket does not have.
    read_buffer: bytes to queue. The kernel doubles the value, and charges 1,280 bytes for a TCP socket.
        NetlinkWarning if the kernel permits less. None: 16,777,216, or as much of it as the kernel permits.
    on_overrun: the policy for losses: sockets that the kernel dropped because the read buffer was full. `Stream.lost`
        counts them under every policy.
        "raise": Overrun is raised after the sockets before the loss; the next read continues.
        "mark": the Overrun is an item of the iteration, between sockets or batches.
    netns: the network namespace, as in `netlink.Config`.
    """
    if on_overrun not in ("raise", "mark"):
        raise ValueError(f"on_overrun must be 'raise' or 'mark', not {on_overrun!r}")
    families = (socket.AF_INET, socket.AF_INET6)
    if family is not None and family not in families:
        raise ValueError(f"family must be AF_INET, AF_INET6 or None, not {family!r}")
    chosen = [name for name, wanted in (("tcp", tcp), ("udp", udp)) if wanted]
    if not chosen:
        raise ValueError("listen needs tcp=True, udp=True or both")
    if filter is not None:
        if not isinstance(filter, Filter):
            raise TypeError(f"filter must be a sock_diag.Filter or None, not {filter!r}")
        for one in (filter, *filter.exclude):
            for name in ("mark", "cgroup", "uid"):
                if name in one.given:
                    raise ValueError(f"a socket that has ended has no {name} to filter by")
    sockets: Stream[EndedSocket, Any] = stream.open(
        Family.SOCK_DIAG,
        _KINDS,
        groups=[_GROUPS[name, one] for name in chosen for one in families if family in (None, one)],
        config=Config(netns=netns),
        read_buffer=read_buffer,
        on_overrun=on_overrun,
        matches=() if filter is None else (filter.match_of(EndedSocket),),
    )
    return sockets
