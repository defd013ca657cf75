"""Links, addresses, routes and neighbours in memory, which follow the kernel: `Mirror`."""

from __future__ import annotations

import copy
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

from netlink._io.outlet import Items, QueueOutlet
from netlink.route.addr import Address
from netlink.route.event import Event
from netlink.route.link import Link, LinkFlags
from netlink.route.monitor import listen
from netlink.route.neigh import AF_BRIDGE, Neighbour, NeighbourFlags, NeighbourState
from netlink.route.route import Route, RouteFlags, RouteTable
from netlink.stream import ResyncBegin, ResyncEnd

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike
    from typing import Self

    from netlink.schema import Batch
    from netlink.stream import Resync

__all__ = ["Mirror", "RouteChange", "RouteChanges"]

_Key = tuple[Any, ...]
_CLONED = int(RouteFlags.CLONED)  # quicker than the enum, for a record of each event


class RouteChange(NamedTuple):
    """A change of one object. event: NEW for one that is new or has changed, DEL for one that is gone.

    record: its state; for DEL its last one. before: its state before; None if it is new.
    """

    event: Event
    record: Link | Address | Route | Neighbour
    before: Link | Address | Route | Neighbour | None


class RouteChanges(Items[RouteChange]):
    """The iterator of `Mirror.changes`. A second iteration continues the first."""


class Mirror(QueueOutlet[RouteChange]):
    """The links, addresses, routes and neighbours of a network namespace, current while its changes are read.

    It begins with a dump, and applies events to it. It reads everything again after a loss of events, after events that
    leave open which route is meant, and where the kernel removes routes without an event: with a link that goes down
    and with an address. The differences are changes, too.

    Entries of forwarding databases are left out, as are proxies, the routes that the kernel has learned, and neighbours
    of state NOARP, of which the kernel sends no events.
    Threads or the tasks of one event loop may read changes; each change goes to one reader. Look-ups are for the thread
    that reads.
    """

    def __init__(
        self,
        *,
        tables: Iterable[int] | None = None,
        read_buffer: int | None = None,
        netns: int | str | PathLike[str] | None = None,
    ) -> None:
        """Read everything, and wait for it. `asyncio.to_thread(Mirror)` does not block an event loop.

        tables: those of the routes; None for all. read_buffer, netns: as of `listen`, as are errors.
        """
        super().__init__()
        self._state = _State()
        self._fresh: _State | None = None  # what the current resync has brought so far
        self._filled = False
        self._stream = listen(
            Link, Address, Route, Neighbour, tables=tables, read_buffer=read_buffer, on_overrun="resync", netns=netns
        )
        try:
            self._stream.resync()
            while not self._filled:
                self._apply(self._stream.read())
            self._queue.clear()
        except BaseException:
            self._stream.close()
            raise

    # Look-ups

    @property
    def links(self) -> list[Link]:
        """All links."""
        return list(self._state.links.values())

    @property
    def addresses(self) -> list[Address]:
        """All addresses."""
        return list(self._state.addresses.values())

    @property
    def routes(self) -> list[Route]:
        """All routes."""
        return [route for several in self._state.routes.values() for route in several]

    @property
    def neighbours(self) -> list[Neighbour]:
        """All neighbours."""
        return list(self._state.neighbours.values())

    def link(self, link: str | int) -> Link | None:
        """The link of a name or index; None if there is none."""
        if isinstance(link, str):
            return next((each for each in self._state.links.values() if each.name == link), None)
        return self._state.links.get(link)

    def addresses_of(self, index: int) -> list[Address]:
        """The addresses of a link, by its index."""
        return [each for each in self._state.addresses.values() if each.index == index]

    def route(self, address: IPv4Address | IPv6Address | str, *, table: int = RouteTable.MAIN) -> Route | None:
        """The route of a table to an address: the one with the longest prefix, and of several the lowest priority.

        Rules are not applied: `Conn.get` asks the kernel, which does.
        """
        parsed = ip_address(address)
        family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
        prefixes = self._state.prefixes.get((family, table), {})
        bits = int(parsed)
        for length in sorted(prefixes, reverse=True):
            keys = prefixes[length].get(bits >> parsed.max_prefixlen - length)
            found = [route for key in keys or () for route in self._state.routes[key] if not route.tos]
            if found:
                return min(found, key=lambda route: route.priority or 0)
        return None

    def neighbour(self, address: IPv4Address | IPv6Address | str, index: int | None = None) -> Neighbour | None:
        """The neighbour of an address, on the link of an index or on any; None if there is none."""
        parsed = ip_address(address)
        if index is not None:
            return self._state.neighbours.get((index, parsed))
        return next((each for (_, dst), each in self._state.neighbours.items() if dst == parsed), None)

    # Changes

    def changes(self, *, idle: float | None = None) -> RouteChanges:
        """The changes one by one: an iterator and an asynchronous iterator.

        It ends after idle seconds without a change, and after `stop`. The mirror may be ahead of the current change, by
        some thousand changes.
        """
        return RouteChanges(self, 0, idle)

    def _make(self, timeout: float | None) -> bool:
        """Apply the next item of the stream. Returns False after the timeout, and at the end."""
        try:
            return self._apply(self._stream.read(timeout))
        except BaseException:
            self._doubt()
            raise

    async def _amake(self, timeout: float | None) -> bool:
        import asyncio

        try:
            # No other task runs between these two calls.
            return self._apply(await self._stream.aread(timeout))
        except asyncio.CancelledError:  # a stream loses nothing then
            raise
        except BaseException:
            self._doubt()
            raise

    def _doubt(self) -> None:
        """Request a resync: an item of the stream may be missing."""
        self._fresh = None
        self._stream.resync()

    def _apply(self, item: Batch[Any] | Resync) -> bool:
        if isinstance(item, ResyncBegin):
            self._fresh = _State()
        elif isinstance(item, ResyncEnd):
            self._replace()
        else:
            for record in item:
                if not _is_mirrored(record):
                    continue
                if record.event is None:
                    if self._fresh is not None:
                        self._fresh.put(record)
                else:
                    self._follow(copy.copy(record))
            return len(item) > 0
        return True

    def _replace(self) -> None:
        """Replace everything by what a resync has brought."""
        fresh = self._fresh
        if fresh is None:
            return
        found: list[RouteChange] = []
        if self._filled:
            before, after = self._state.records(), fresh.records()
            for key, record in before.items():
                if key not in after:
                    found.append(RouteChange(Event.DEL, record, record))
            for key, record in after.items():
                known = before.get(key)
                if known is None or _differ(known, record):
                    found.append(RouteChange(Event.NEW, record, known))
        queue = self._queue
        queue += found
        self._state, self._fresh, self._filled = fresh, None, True

    def _follow(self, record: Any) -> None:
        """Apply an event."""
        before, certain = self._state.apply(record)
        if record.event == Event.DEL:
            change = None if before is None else RouteChange(Event.DEL, record, before)
        else:
            change = RouteChange(Event.NEW, record, before) if before is None or _differ(before, record) else None
        if change is not None:
            queue = self._queue
            queue += (change,)
        if not certain or _takes_routes(record, before):
            self._stream.resync()

    # State

    @property
    def lost(self) -> int:
        """The number of events lost so far. After each loss everything was read again."""
        return self._stream.lost

    def fileno(self) -> int:
        """The file descriptor of the events' socket, -1 once closed: for select and the like, not for reading."""
        return self._stream.fileno()

    def stop(self) -> None:
        """End the changes after the queued events, as `Stream.stop`."""
        self._stream.stop()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._stream.closed

    def close(self) -> None:
        """Close the mirror. What it has stays. Waiting reads end with OpError (errno EBADF)."""
        self._locks.close()
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = self._state
        counts = f"{len(state.links)} links, {len(state.addresses)} addresses, {len(self.routes)} routes"
        return f"<Mirror of {counts}, {len(state.neighbours)} neighbours{' closed' if self.closed else ''}>"


class _State:
    """Objects by what identifies them."""

    def __init__(self) -> None:
        self.links: dict[int, Link] = {}
        self.addresses: dict[_Key, Address] = {}
        self.neighbours: dict[_Key, Neighbour] = {}
        # The kernel may have several routes of one destination and priority.
        self.routes: dict[_Key, list[Route]] = {}
        # By family and table: by length of the prefix: by its bits: keys of routes.
        self.prefixes: dict[tuple[int, int], dict[int, dict[int, set[_Key]]]] = {}

    def records(self) -> dict[_Key, Any]:
        """All objects by their class and what identifies them."""
        found: dict[_Key, Any] = {(Link, key): link for key, link in self.links.items()}
        found |= {(Address, key): address for key, address in self.addresses.items()}
        found |= {(Neighbour, key): neighbour for key, neighbour in self.neighbours.items()}
        for key, routes in self.routes.items():
            found |= {(Route, key, _way(route)): route for route in routes}
        return found

    def put(self, record: Any) -> None:
        """Add an object of a dump."""
        if isinstance(record, Route):
            key = _route_key(record)
            routes = self.routes.get(key)
            if routes is None:
                self._set(key, [record])
            else:
                # A dump may report a route twice.
                self._set(key, [*(each for each in routes if _way(each) != _way(record)), record])
        else:
            table, key = self._place(record)
            table[key] = record

    def apply(self, record: Any) -> tuple[Any, bool]:
        """Apply an event. Returns the object's state before, and whether it is certain which object is meant."""
        if isinstance(record, Route):
            return self._apply_route(record)
        table, key = self._place(record)
        before = table.get(key)
        if record.event == Event.DEL:
            table.pop(key, None)
        else:
            table[key] = record
        return before, True

    def _place(self, record: Any) -> tuple[dict[Any, Any], Any]:
        if isinstance(record, Link):
            return self.links, record.index
        if isinstance(record, Address):
            own = record.local or record.address
            return self.addresses, (record.index, own, record.prefixlen, record.address)
        return self.neighbours, (record.index, record.dst)

    def _apply_route(self, record: Route) -> tuple[Route | None, bool]:
        key, way = _route_key(record), _way(record)
        routes = self.routes.get(key, [])
        same = next((each for each in routes if _way(each) == way), None)
        others = [each for each in routes if each is not same]
        if record.event == Event.DEL:
            if same is None:
                return None, not routes  # one hop of several, perhaps
            self._set(key, others)
            return same, True
        if same is not None:
            self._set(key, [*others, record])
            return same, True
        if record.event == Event.REPLACE or record.family != socket.AF_INET:
            # It is in the place of the only one there; of several it is open of which.
            self._set(key, [record] if len(routes) == 1 else [*routes, record])
            return (routes[0] if len(routes) == 1 else None), len(routes) == (record.event == Event.REPLACE)
        self._set(key, [*routes, record])
        return None, True

    def _set(self, key: _Key, routes: list[Route]) -> None:
        family, table, length, bits = key[:4]
        lengths = self.prefixes.setdefault((family, table), {})
        if routes:
            self.routes[key] = routes
            lengths.setdefault(length, {}).setdefault(bits, set()).add(key)
        elif self.routes.pop(key, None) is not None:
            keys = lengths[length][bits]
            keys.discard(key)
            if not keys:
                del lengths[length][bits]
            if not lengths[length]:
                del lengths[length]


def _route_key(route: Route) -> _Key:
    """What the kernel finds a route by."""
    length = route.dst_len or 0
    width = 128 if route.family == socket.AF_INET6 else 32
    bits = int(route.dst or 0) >> width - length if length <= width else 0
    return route.family, route.table, length, bits, route.tos, route.priority or 0, route.src_len, route.src


def _way(route: Route) -> _Key:
    """What differs among the routes of one key."""
    hops = tuple((hop.oif, hop.gateway, hop.via, hop.weight) for hop in route.multipath or ())
    return route.type, route.nh_id, route.oif, route.gateway, route.via, hops, route.protocol


def _is_mirrored(record: Any) -> bool:
    if isinstance(record, Link):
        return record.family != AF_BRIDGE  # a port of a bridge, not the link
    if isinstance(record, Route):
        return record.family in (socket.AF_INET, socket.AF_INET6) and not int(record.flags or 0) & _CLONED
    if isinstance(record, Neighbour):
        left_out = (record.flags or 0) & NeighbourFlags.PROXY or (record.state or 0) & NeighbourState.NOARP
        return record.dst is not None and record.family != AF_BRIDGE and not left_out
    return True


def _differ(before: Any, after: Any) -> bool:
    """Whether two states of an object differ, in more than counters and times."""
    if isinstance(before, Route):
        return bool(before.replace(cache=None, event=None) != after.replace(cache=None, event=None))
    if isinstance(before, (Address, Neighbour)):
        fields = {"cache": None, "event": None} | ({"probes": None} if isinstance(before, Neighbour) else {})
        return bool(before.replace(**fields) != after.replace(**fields))
    return any(getattr(before, name) != getattr(after, name) for name in _LINK_FIELDS)


_LINK_FIELDS = ("name", "flags", "mtu", "master", "address", "operstate", "link", "alias", "kind", "qdisc", "group")


def _takes_routes(record: Any, before: Any) -> bool:
    """Whether the kernel may have removed routes with this, without an event."""
    if isinstance(record, Address):
        return bool(record.event == Event.DEL)
    if not isinstance(record, Link):
        return False
    was_up = before is not None and (before.flags or 0) & LinkFlags.UP
    return bool(was_up and (record.event == Event.DEL or not (record.flags or 0) & LinkFlags.UP))
