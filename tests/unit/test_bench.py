"""The benchmarks' own logic: order, sums, and the comparison of two results. Nothing is timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from bench import instructions, programs, report
from bench.runner import PATIENCE, Contender, MissingError, Round, Workload, interleave, run_workload, summarise, table

ROOT = Path(__file__).parents[2]
A, B, C = (Contender(label, "program", ()) for label in "ABC")


def rounds(*values):
    return [Round(value) for value in values]


def test_contenders_alternate_and_the_first_round_does_not_count():
    order = []

    def run(contender):
        order.append(contender.label)
        return Round(len(order))

    taken, skipped = interleave([A, B], run, 2)
    assert order == ["A", "B"] * 3
    assert [r.value for r in taken["A"]] == [3, 5]
    assert [r.value for r in taken["B"]] == [4, 6]
    assert skipped == {}


def test_who_cannot_take_part_is_named_with_the_reason_and_not_asked_again():
    asked = []

    def run(contender):
        asked.append(contender.label)
        if contender is B:
            raise MissingError("needs libfoo (Debian: libfoo-dev)")
        return Round(1)

    taken, skipped = interleave([A, B], run, 3)
    assert asked.count("B") == 1
    assert list(taken) == ["A"]
    assert skipped == {"B": "needs libfoo (Debian: libfoo-dev)"}


def test_who_is_too_slow_counts_with_the_round_that_was_waited_for():
    now = [0.0]

    def run(contender):
        now[0] += PATIENCE + 1 if contender is B else 1
        return Round(now[0])

    taken, _ = interleave([A, B], run, 3, clock=lambda: now[0])
    assert list(taken) == ["A", "B"]
    assert len(taken["A"]) == 3
    assert len(taken["B"]) == 1


def test_summary_has_the_spread_and_the_ratio_round_by_round():
    # The machine was twice as slow in the last round, for both.
    rows = summarise({"limit": rounds(10, 10, 20), "ours": rounds(11, 11, 22)}, "limit")
    assert rows["ours"]["value"] == {"median": 11, "min": 11, "max": 22}
    assert rows["ours"]["ratio"]["median"] == pytest.approx(1.1)
    assert rows["ours"]["ratio"]["max"] == pytest.approx(1.1)
    assert rows["limit"]["ratio"]["median"] == 1
    assert rows["ours"]["rounds"] == 3


def test_summary_of_one_with_fewer_rounds_than_the_limit():
    rows = summarise({"limit": rounds(10, 10, 20), "slow": rounds(50)}, "limit")
    assert rows["slow"]["ratio"]["median"] == 5


def test_summary_without_the_limit_has_no_ratio():
    assert "ratio" not in summarise({"ours": rounds(1)}, "limit")["ours"]
    assert "ratio" not in summarise({"ours": rounds(1)}, None)["ours"]


def test_summary_has_the_median_of_other_values():
    taken = {"ours": [Round(1, 1, 3, {"lost": n}) for n in (1, 5, 2)]}
    row = summarise(taken, None)["ours"]
    assert row["extra"] == {"lost": 2}
    assert (row["user"], row["sys"]) == (1, 3)


def test_summary_has_the_ratio_of_cpu_time():
    rows = summarise({"limit": [Round(1, 1, 3)], "ours": [Round(9, 2, 3), Round(9, 4, 3)]}, "limit")
    assert rows["ours"]["cpu_ratio"] == 1.5


def test_summary_beside_another_limit():
    taken = {"limit": rounds(10), "warm": rounds(5), "ours": rounds(11), "ours, warm": rounds(6)}
    rows = summarise(taken, "limit", {"warm": "warm", "ours, warm": "warm"})
    assert {label: row["ratio"]["median"] for label, row in rows.items()} == {
        "limit": 1, "warm": 1, "ours": 1.1, "ours, warm": 1.2,
    }  # fmt: skip


def test_some_of_the_contenders_have_their_limits_with_them():
    contenders = [Contender(label, "x", (), limit=limit) for label, limit in
                  (("limit", None), ("warm", "warm"), ("ours", None), ("ours, warm", "warm"))]  # fmt: skip
    workload = Workload("w", "W", "ns", "limit", contenders, nullcontext)
    assert [c.label for c in workload.only("ours").contenders] == ["limit", "warm", "ours", "ours, warm"]
    assert [c.label for c in workload.only("limit").contenders] == ["limit"]


def test_result_of_a_workload():
    def run(contender):
        if contender is C:
            raise MissingError("needs go")
        return Round(1 if contender is A else 2)

    workload = Workload("w", "Work", "ns per piece", "A", [A, B, C], lambda: nullcontext(run))
    result = run_workload(workload, 2, lambda text: None)
    assert result["limit"] == "A"
    assert result["skipped"] == {"C": "needs go"}
    assert result["cases"]["B"]["ratio"]["median"] == 2
    head, first, second = table(result["cases"], result["unit"])
    assert "ns per piece" in head
    assert first.startswith("A ")
    assert second.split()[6] == "2.00"


def test_result_where_the_limit_is_missing_names_none():
    def run(contender):
        if contender is A:
            raise MissingError("needs gcc")
        return Round(1)

    workload = Workload("w", "Work", "ns", "A", [A, B], lambda: nullcontext(run))
    assert run_workload(workload, 1, lambda text: None)["limit"] is None


def test_verdict_of_an_instruction_count():
    assert instructions.verdict(None, 100) == "no figure yet"
    assert instructions.verdict(100, 103) == "+3.0 %"
    assert instructions.verdict(100, 103.1) == "+3.1 % GREW"
    assert "shrank" in instructions.verdict(100, 96)
    assert instructions.verdict(100, 97) == "-3.0 %"


@pytest.mark.parametrize("name", instructions.WORKS)
def test_what_instructions_are_counted_of_works_again_and_again(name):
    with instructions.WORKS[name]() as (run, items):
        first, second = run(), run()
    assert items > 0
    assert len(first) == len(second) if hasattr(first, "__len__") else first == second


def test_page_has_the_figures_and_who_does_not_take_part():
    case = {
        "value": {"median": 1234.5, "min": 1200.0, "max": 1300.0},
        "ratio": {"median": 1.25, "min": 1, "max": 2},
        "cpu_ratio": 1.5,
        "user": 10.0,
        "sys": 20.0,
        "rounds": 7,
        "extra": {},
    }
    workload = {
        "title": "Work",
        "unit": "ns per piece",
        "limit": "A",
        "cases": {"fastnetlink": case},
        "what": {"fastnetlink": "all of it"},
        "skipped": {"Go": "needs go (Debian: golang-go)"},
    }
    about = {"cpu": "x", "cores": 2, "memory": "4 GiB", "kernel": "6", "load": 0.5, "time": "2026-01-02T03:04:05"}
    about |= {"versions": {"python": "3.11"}, "mitigations": {}, "scheduler": "other"}
    result = {
        "machine": about,
        "command": "python -m bench",
        "rounds": 7,
        "missing": {},
        "workloads": {"work": workload},
    }
    text = report.page(result, {"work": "benchmarks/work.svg"})
    assert "| **fastnetlink** | 1,234 | 1,200 | 1,300 | 1.25 | 10.0 | 20.0 | 1.50 | 7 | all of it |" in text
    assert "- Go: needs go (Debian: golang-go)" in text
    assert "(benchmarks/work.svg)" in text
    assert "2026-01-02" in text
    assert text.index("## How it is measured") < text.index("## Results")


def document(version="1", **cases):
    return {
        "machine": {"cpu": "x", "cores": 2, "kernel": "6", "versions": {"fastnetlink": version}},
        "workloads": {"dump": {"unit": "ns", "cases": {name: {"value": {"median": v}} for name, v in cases.items()}}},
    }


@pytest.fixture
def compare(tmp_path):
    def run(before, after, *options):
        paths = [tmp_path / "before.json", tmp_path / "after.json"]
        for path, content in zip(paths, (before, after), strict=True):
            path.write_text(json.dumps(content))
        command = [sys.executable, ROOT / "bench/compare", *options, *paths]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        assert not done.stderr
        return done.returncode, done.stdout

    return run


def test_compare_flags_what_grew_by_over_10_percent(compare):
    status, out = compare(document(a=100, b=100, c=100), document(a=111, b=110, c=50))
    assert status == 1
    flagged = [line.split()[0] for line in out.splitlines() if line.endswith("GREW")]
    assert flagged == ["a"]
    assert "+11.0%" in out
    assert "-50.0%" in out


def test_compare_of_what_did_not_grow(compare):
    assert compare(document(a=100), document(a=105))[0] == 0
    assert compare(document(a=100), document(a=105), "--tolerance=3")[0] == 1


def test_results_of_parts_are_one_page():
    def part(name, load, scheduler, **other):
        machine = {"load": load, "scheduler": scheduler, "versions": {"python": "3"}, "cpu": "x"}
        return {"command": "c", "rounds": 5, "missing": {}, "machine": machine, "workloads": {name: name}} | other

    parts = [part("events", 2.0, "fifo"), part("micro", 1.0, "other"), part("dump-1000", 0.5, "fifo")]
    result = report.whole(parts)
    assert list(result["workloads"].items()) == [(name, name) for name in ("dump-1000", "events", "micro")]
    assert result["command"] == "python -m bench --rounds 5 WORKLOAD"
    assert result["machine"] == parts[0]["machine"] | {"load": 2.0, "scheduler": "fifo or other"}
    assert report.whole(parts[:1]) == parts[0]
    with pytest.raises(ValueError, match="parts differ in rounds"):
        report.whole([parts[0], part("micro", 1.0, "other", rounds=3)])
    parts[1]["machine"]["versions"] = {"python": "4"}
    with pytest.raises(ValueError, match="other versions"):
        report.whole(parts)


def test_compare_reports_what_only_one_has_and_what_differs(compare):
    after = document("2", a=1, added=1)
    after["workloads"]["routes"] = {"unit": "ns", "cases": {"a": {"value": {"median": 1}}, "b": {}}}
    status, out = compare(document("1", a=1, gone=1), after)
    assert status == 0
    assert "new: routes\n" in out
    assert "gone: dump, gone" in out
    assert "new: dump, added" in out
    assert "differs: fastnetlink: 1 and 2" in out


def test_compare_of_what_has_nothing_in_common(compare):
    assert compare(document(a=1), document(b=1))[0] == 2
    other_unit = document(a=1)
    other_unit["workloads"]["dump"]["unit"] = "ms"
    assert compare(document(a=1), other_unit)[0] == 2


# Programs


def test_a_program_that_lacks_something_names_what_brings_it():
    program = programs.Program(("x",), (("libfoo (Debian: libfoo-dev)", lambda: False), ("gcc", lambda: True)))
    with pytest.raises(MissingError, match=r"^needs libfoo \(Debian: libfoo-dev\)$"):
        _ = program.command


def test_a_program_is_built_once_and_again_when_its_source_changes(tmp_path):
    source, binary, log = tmp_path / "source", tmp_path / "binary", tmp_path / "log"
    source.touch()
    build = ("sh", "-c", f"cp {source} {binary}; echo built >> {log}")

    def command():
        return programs.Program((str(binary),), sources=(source,), build=build).command

    os.utime(source, (1, 1))
    assert command() == command() == [str(binary)]
    assert log.read_text() == "built\n"
    os.utime(source, (1 << 32, 1 << 32))
    command()
    assert log.read_text() == "built\nbuilt\n"


def test_a_program_that_does_not_build_says_why():
    build = ("sh", "-c", "echo no such header >&2; exit 1")
    with pytest.raises(MissingError, match="does not build: no such header"):
        _ = programs.Program(("/nowhere/x",), build=build).command


@pytest.fixture
def program(monkeypatch):
    def make(script):
        monkeypatch.setitem(programs.PROGRAMS, "fake", programs.Program((sys.executable, "-c", script)))

    return make


def test_what_a_program_prints_is_its_result(program):
    program("import sys; print('{\"items\": %s}' % sys.argv[1])")
    assert programs.call("fake", "3") == {"items": 3}


def test_a_backlog_is_made_between_ready_and_go(program, tmp_path):
    queue = tmp_path / "queue"
    program(f"print('ready', flush=True); input(); print(open({str(queue)!r}).read())")
    assert programs.call("fake", fill=lambda: queue.write_text("[1, 2]")) == [1, 2]


def test_a_program_that_fails_takes_no_part_and_its_last_line_is_reported(program):
    program("raise SystemExit('no room\\nno ctnetlink')")
    with pytest.raises(MissingError, match=r"^failed: no ctnetlink$"):
        programs.call("fake")
    with pytest.raises(MissingError, match=r"^failed: no ctnetlink$"):
        programs.call("fake", fill=lambda: None)
