"""Mutations of recorded kernel messages: each ends in a record that holds together, or in DecodeError.

    python tests/fuzz/mutations.py [COUNT] [SEED]

One half is decoded as payloads; the other is sent to a stream over a socket, datagram by datagram. The same seed gives
the same mutations. What fails is printed so that it can be done again.
"""

from __future__ import annotations

import random
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import recorded
from kernel.tools import Peer
from netlink import Config, DecodeError, Family
from netlink._engine.ledger import Ledger
from netlink._engine.receive import StreamReader
from netlink._transport import Socket
from netlink.generic import FamilyInfo
from netlink.generic.genetlink import HEADER_SIZE, Command
from netlink.netfilter import nflog, nfqueue
from netlink.netfilter.conntrack import Flow, events
from netlink.netfilter.nflog import Packet
from netlink.netfilter.nftables import ElementList, Event, Rule, Set
from netlink.schema import AttributeSet, Batch
from netlink.sock_diag import EndedSocket, NetlinkSocket, PacketSocket, UnixSocket
from netlink.sock_diag import events as sockets
from netlink.stream import Kind

Declaration: TypeAlias = type[AttributeSet]

FILES: tuple[tuple[str, Declaration], ...] = (
    ("conntrack_flows", Flow),
    ("conntrack_events", Flow),
    ("nflog_packets", Packet),
    ("nfqueue_packets", nfqueue.Packet),
    ("families", FamilyInfo),
    ("nftables_rules", Rule),
    ("nftables_sets", Set),
    ("nftables_elements", ElementList),
    ("tcp_sockets", EndedSocket),
    ("unix_sockets", UnixSocket),
    ("netlink_sockets", NetlinkSocket),
    ("packet_sockets", PacketSocket),
)
KINDS: dict[Declaration, tuple[Kind[Any], ...]] = {
    Flow: events._KINDS,
    Packet: nflog._KINDS,
    nfqueue.Packet: nfqueue.queue._KINDS,
    FamilyInfo: (Kind(16, FamilyInfo, Command.NEWFAMILY, command=Command.NEWFAMILY),),
    Rule: (Kind(0xA06, Rule, Event.NEW),),
    Set: (Kind(0xA09, Set, Event.NEW),),
    ElementList: (Kind(0xA0C, ElementList, Event.NEW),),
    EndedSocket: sockets._KINDS,
    **{kind: (Kind(20, kind),) for kind in (UnixSocket, NetlinkSocket, PacketSocket)},  # SOCK_DIAG_BY_FAMILY
}
# Lengths where something changes: none, less than a header, a header, the largest.
LENGTHS = (0, 1, 3, 4, 5, 7, 8, 12, 15, 16, 17, 20, 0x7FFF, 0x8000, 0xFFFC, 0xFFFF)


class Mutator:
    """Makes mutations of seeds."""

    def __init__(self, seeds: list[bytes], choice: random.Random) -> None:
        self.seeds = seeds
        self.choice = choice

    def next(self) -> bytes:
        """A seed with one to four changes."""
        data = bytearray(self.choice.choice(self.seeds))
        for _ in range(self.choice.choice((1, 1, 1, 1, 2, 4))):
            self.change(data)
        return bytes(data)

    def change(self, data: bytearray) -> None:
        choice = self.choice
        what = choice.choice((0, 0, 0, 0, 1, 1, 1, 1, 2, 3, 3, 4, 5, 6, 6, 7))
        at = choice.randrange(len(data) + 1)
        if what == 0 and at < len(data):
            data[at] ^= 1 << choice.randrange(8)
        elif what == 1 and at < len(data):
            data[at] = choice.randrange(256)
        elif what <= 3:
            # Lengths and types are where attributes begin.
            at &= ~1 if what == 2 else ~3
            if at + 2 <= len(data):
                (old,) = struct.unpack_from("=H", data, at)
                new = choice.choice((*LENGTHS, old - 1, old + 1, old + 4, len(data) - at, old ^ 0x8000))
                struct.pack_into("=H", data, at, new & 0xFFFF)
        elif what == 4:
            del data[at:]
        elif what == 5:
            del data[at : at + choice.randrange(1, 9)]
        elif what == 6:
            # A piece of its own: repeated attributes, attributes in others.
            start = choice.randrange(len(data) + 1) & ~3
            data[at & ~3 : at & ~3] = data[start : start + 4 * choice.randrange(1, 17)]
        else:
            other = choice.choice(self.seeds)
            start = choice.randrange(len(other) + 1) & ~3
            data[at & ~3 :] = other[start:]


def use(batch: Batch[Any]) -> None:
    """Look at everything that a batch has."""
    for record in batch:
        record.to_dict()
        repr(record)
        assert record.unknown is not None
        again = record.decode(record.encode())
        assert again.encode() == record.encode()
    rows = batch.to_numpy() if batch else ()
    assert len(rows) == len(batch)


def of_payloads(count: int, choice: random.Random) -> Counter[str]:
    """Payloads, alone and in batches."""
    outcomes: Counter[str] = Counter()
    mutators = [
        (declaration, Mutator([seed[HEADER_SIZE * (declaration is FamilyInfo) :] for seed in seeds], choice))
        for name, declaration in FILES
        if (seeds := recorded.payloads(name))
    ]
    done = 0
    while done < count:
        declaration, mutator = choice.choice(mutators)
        mutations = [mutator.next() for _ in range(choice.choice((1, 1, 1, 1, 1, 1, 1, 4)))]
        try:
            batch = declaration.decode_many(mutations)
            assert len(batch) == len(mutations)
            use(batch)
            outcomes["decoded"] += len(mutations)
        except DecodeError:
            outcomes["refused"] += len(mutations)
        except BaseException:
            print(f"{declaration.__name__} of:", *(data.hex() for data in mutations), sep="\n  ")
            raise
        done += len(mutations)
    return outcomes


def of_datagrams(count: int, choice: random.Random) -> Counter[str]:
    """Datagrams, through the readers of streams."""
    outcomes: Counter[str] = Counter()
    each, more = divmod(count, len(FILES))
    for number, (name, declaration) in enumerate(FILES):
        seeds = recorded.datagrams(name)
        # A dump's are too many messages for one mutation to matter.
        seeds = [seed if len(seed) < 4096 else seed[:4096] for seed in seeds]
        outcomes += through_a_reader(declaration, Mutator(seeds, choice), each + (number < more))
    return outcomes


def through_a_reader(declaration: Declaration, mutator: Mutator, count: int) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    kinds = KINDS[declaration]
    queued = declaration is nfqueue.Packet
    counter = (
        Packet.seq
        if declaration is Packet
        else (nfqueue.Packet.packet_hdr, nfqueue.PacketHdr.packet_id)
        if queued
        else None
    )
    with closing(Socket(Family.USERSOCK, Config())) as sock, Peer(sock.pid) as peer:
        peer.sock.bind((0, 0))
        reader = StreamReader(
            sock,
            kinds,
            counter=counter,
            ledger=Ledger(1) if queued else None,
            slot=16384,
            views=queued or declaration is Packet,
            sender=peer.sock.getsockname()[0],
        )
        # A message that is in order, to see that the reader still reads: headers alone.
        header = declaration.__options__["header"]
        head = bytes(4 if header is None else max(4, len(header.decode(bytes(256)).encode())))
        head = bytes([kinds[0].command or 0]) + head[1:]
        intact = struct.pack("=IHHII", 16 + len(head), kinds[0].type, kinds[0].flags, 0, 0) + head
        for _ in range(count):
            # The kernel has no datagram without a byte.
            data = mutator.next() or b"\0"
            try:
                peer.send_bytes(data)
                outcomes["records"] += read_all(reader, outcomes)
                lost = reader.lost
                peer.send_bytes(intact)
                assert read_all(reader, Counter()) == 1
                assert reader.lost == lost or len(data) > 16384
            except BaseException:
                print(f"a stream of {declaration.__name__}, datagram:", data.hex(), sep="\n  ")
                raise
        outcomes["datagrams"] += count
    return outcomes


def read_all(reader: StreamReader[Any], outcomes: Counter[str]) -> int:
    """What is queued, by some rows at a time: how many records."""
    return sum(len(batch) for batch in batches(reader, outcomes))


def batches(reader: StreamReader[Any], outcomes: Counter[str]) -> Iterator[Batch[Any]]:
    while True:
        try:
            batch = reader.read(3, False)
        except DecodeError:
            outcomes["refused"] += 1
            continue
        if not len(batch):
            return
        use(batch)
        yield batch


def run(count: int, seed: int) -> Counter[str]:
    """So many mutations; how they ended."""
    choice = random.Random(seed)
    return of_payloads(count - count // 2, choice) + of_datagrams(count // 2, choice)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()
    print(f"{count} mutations, seed {seed}")
    for outcome, times in sorted(run(count, seed).items()):
        print(f"{times:10} {outcome}")


if __name__ == "__main__":
    main()
