"""The fuzz target of the Python interface on its corpus, and on what the kernel sent with a byte changed."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import recorded
from fuzz import fuzz_api


def test_corpus(corpus: Callable[[str], list[str]]) -> None:
    for path in corpus("fuzz_api"):
        fuzz_api.one_input(Path(path).read_bytes())


def test_records_with_a_byte_changed() -> None:
    choice = random.Random(1)
    seeds = recorded.payloads("conntrack_flows") + recorded.payloads("nflog_packets")
    for _ in range(500):
        data = bytearray(choice.choice(seeds))
        data[choice.randrange(len(data))] = choice.randrange(256)
        for target in range(len(fuzz_api.TARGETS)):
            fuzz_api.one_input(bytes([target, choice.randrange(256)]) + data)


def test_connections_with_any_bytes() -> None:
    choice = random.Random(2)
    flows = recorded.payloads("conntrack_flows")
    chosen = [fuzz_api.TARGETS.index(target) for target in (fuzz_api.readers, fuzz_api.answers, fuzz_api.refusals)]
    for _ in range(3_000):
        # Small numbers: they choose among few.
        data = bytes(choice.randrange(8) if choice.randrange(3) else choice.randrange(256) for _ in range(200))
        data += choice.choice(flows)[:60]
        for target in chosen:
            fuzz_api.one_input(bytes([target]) + data)


def test_many_rows_of_what_the_kernel_sent() -> None:
    choice = random.Random(3)
    target = fuzz_api.TARGETS.index(fuzz_api.rows)
    names = ("conntrack_flows", "nflog_packets", "routes", "", "addresses", "")
    seeds = {number: recorded.payloads(name) for number, name in enumerate(names) if name}
    for _ in range(500):
        number = choice.choice(list(seeds))
        data = bytes([target, number, 0, choice.randrange(256), choice.randrange(4), choice.randrange(2), 5])
        for _ in range(5):
            payload = bytearray(choice.choice(seeds[number])[:399])
            if choice.randrange(2):
                payload[choice.randrange(len(payload))] = choice.randrange(256)
            data += len(payload).to_bytes(2, "big") + payload
        fuzz_api.one_input(data)
