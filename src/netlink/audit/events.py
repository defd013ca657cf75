"""Events: records of one serial number, gathered as they come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from netlink.audit.records import Event, Record, RecordType
from netlink.stream import SocketSource

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["EventSource", "Pending", "gather"]

# Types of programs and of the kernel's own texts: the record is the whole event.
_ALONE = ((1100, 1299), (2000, 2999))
# Of records that wait for the ends of their events. The kernel writes those of an event at once.
_WAITING_MAX = 4096


class Pending(NamedTuple):
    """An event that waits for its end. since: the time.monotonic() of its last record."""

    records: tuple[Record, ...]
    since: float


def gather(
    pending: dict[int, Pending], records: Iterable[Record], now: float, hold: float
) -> tuple[dict[int, Pending], list[Event]]:
    """The events that wait after these records, and those that are finished: ended, or without a record for hold.

    If too many records wait, the events that have waited longest are finished, too.
    """
    pending = dict(pending)
    finished: list[Event] = []
    waiting = sum(len(one.records) for one in pending.values())

    def finish(serial: int) -> int:
        parts = pending.pop(serial).records
        finished.append(_event(parts, complete=False))
        return len(parts)

    for record in records:
        serial = record.serial
        before = () if serial not in pending else pending.pop(serial).records
        if serial is None or (not before and any(first <= (record.type or 0) <= last for first, last in _ALONE)):
            finished.append(_event((record,), complete=True))
        elif record.type == RecordType.EOE:
            waiting -= len(before)
            if before:
                finished.append(_event(before, complete=True))
        else:
            # The last one of them. A record of its own: that of a batch keeps the memory of all.
            pending[serial] = Pending((*before, Record.decode(record.encode())), now)
            waiting += 1
        while waiting > _WAITING_MAX:
            waiting -= finish(next(iter(pending)))
    for serial, one in list(pending.items()):
        if one.since + hold > now:
            break
        finish(serial)
    return pending, finished


def _event(records: tuple[Record, ...], *, complete: bool) -> Event:
    first = records[0]
    return Event(serial=first.serial, time=first.time, complete=complete or None, records=records)


class EventSource(SocketSource[Event]):
    """The source of a stream of events, over that of its records."""

    def __init__(self, source: SocketSource[Record], hold: float) -> None:
        reader: Any = source.reader
        super().__init__(source.sock, reader, (Event,), source.groups)
        self._hold = hold
        self._records: list[Any] = []
        self._pending: dict[int, Pending] = {}

    @property
    def due(self) -> float | None:
        first = next(iter(self._pending.values()), None)
        return None if first is None else first.since + self._hold

    @property
    def ended(self) -> bool:
        return self.reader.ended and not self._pending

    def set_deadline(self, end: float | None) -> None:
        due = self.due
        super().set_deadline(due if end is None or (due is not None and due < end) else end)

    def read(self, rows: int, wait: bool, into: list[Any]) -> None:
        while True:
            if not self._records and not self.reader.ended:
                due = self.due
                super().read(rows, wait and (due is None or due > time.monotonic()), self._records)
            hold = 0 if self.reader.ended else self._hold
            records = self._records[0] if self._records else ()
            pending, finished = gather(self._pending, records, time.monotonic(), hold)
            if finished or not len(records):
                break
            # All of them wait, perhaps for records that are queued.
            self._pending, self._records, wait = pending, [], False
        if not finished and not self._records and not self.ended:
            return
        batch = Event.decode_many([event.encode() for event in finished])
        # Nothing is called in this statement, nor in that above: a signal handler that raises comes before all of it,
        # or behind.
        self._pending, self._records, into[:] = pending, [], (batch,)
