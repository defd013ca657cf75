"""A fixed number of mutations of recorded kernel messages; `make fuzz` does many more."""

from __future__ import annotations

from fuzz import mutations

COUNT = 20_000
SEED = 1


def test_mutations_of_what_the_kernel_sent() -> None:
    outcomes = mutations.run(COUNT, SEED)
    # Else it tests errors alone, or none.
    assert outcomes["decoded"] > COUNT // 10
    assert outcomes["records"] > COUNT // 10
    assert outcomes["refused"] > COUNT // 10
    assert outcomes["datagrams"] == COUNT // 2
