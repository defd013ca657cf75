"""The C fuzz targets of packets' headers, lengths and checksums under the sanitizers, over a fixed number of inputs."""

import subprocess
from collections.abc import Callable
from pathlib import Path

INPUTS = 20_000


def test_a_cut_packet_has_parts_of_the_whole_one(
    build: Callable[[str], Path], corpus: Callable[[str], list[str]]
) -> None:
    command = [str(build("fuzz_packet.c")), str(INPUTS), *corpus("fuzz_packet")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert INPUTS // 50 < int(run.stdout) < INPUTS // 2  # else it tests few outcomes


def test_checksums_are_those_that_a_receiver_expects(
    build: Callable[[str], Path], corpus: Callable[[str], list[str]]
) -> None:
    command = [str(build("fuzz_checksum.c")), str(INPUTS), *corpus("fuzz_checksum")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert INPUTS // 50 < int(run.stdout) < INPUTS // 2
