"""Parts of a task: chosen by name, done once, written as each ends."""

from __future__ import annotations

import json

import pytest

from benchmarks.dags.parts import Part, choose, run_parts, spread
from benchmarks.errors import BenchmarkError

PARTS = [
    Part(f"{task}-{model}", seed, (task, model), lambda: {"value": 1})
    for task in ("near", "far")
    for model in ("gin", "gps")
    for seed in (0, 1)
]


@pytest.mark.parametrize(
    ("only", "wanted"),
    [
        ((), {("near", "gin"), ("near", "gps"), ("far", "gin"), ("far", "gps")}),
        (("far",), {("far", "gin"), ("far", "gps")}),
        (("gin", "gps", "near"), {("near", "gin"), ("near", "gps")}),
        (("gin", "far"), {("far", "gin")}),
    ],
)
def test_names_choose_within_their_kind(only, wanted):
    chosen = choose(PARTS, only)
    assert {part.names for part in chosen} == wanted
    assert len(chosen) == 2 * len(wanted)


def test_unknown_names():
    with pytest.raises(BenchmarkError, match="--only gcn: there is no such part; names are near, far; gin, gps"):
        choose(PARTS, ("gin", "gcn"))


def test_each_part_is_written_as_it_ends_and_done_once(tmp_path):
    file, calls, said = tmp_path / "x.jsonl", [], []

    def work(i):
        if i == 2 and len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(i)
        return {"value": i}

    parts = [Part("k", i, (str(i),), lambda i=i: work(i)) for i in range(4)]
    with pytest.raises(KeyboardInterrupt):
        run_parts(file, parts, (), said.append, lambda r: str(r["value"]))
    assert [json.loads(line)["value"] for line in file.read_text().splitlines()] == [0, 1]
    calls.append(2)  # from now on nothing interrupts
    assert [r["value"] for r in run_parts(file, parts, ("3",), said.append, lambda r: "")] == [0, 1, 3]
    assert [r["value"] for r in run_parts(file, parts, (), said.append, lambda r: "")] == [0, 1, 2, 3]
    assert calls == [0, 1, 2, 3, 2]
    assert said[0] == "1 of 4: 0, seed 0: 0"


def test_a_part_is_left_out_for_a_reason_that_may_come_from_the_parts_before_it(tmp_path):
    file, said = tmp_path / "x.jsonl", []
    parts = [Part(f"k{i}", 0, (str(i),), lambda i=i: {"value": i}) for i in range(4)]

    def skip(part, records):
        return "enough" if len(records) == 2 and part.names != ("3",) else ""

    assert [r["value"] for r in run_parts(file, parts, (), said.append, lambda r: "", skip)] == [0, 1, 3]
    assert said[2] == "3 of 4: 2, seed 0: left out, enough"


def test_spread():
    assert spread([1.0]) == "1.000"
    assert spread([1.0, 3.0], 1) == "2.0 ± 1.4"
