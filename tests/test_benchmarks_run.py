"""The benchmark suite at work: molecules, measuring processes, memory, profile, crossovers, the command."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import plstm_graph.data
from benchmarks import crossover, inputs, memory, revision, session
from benchmarks.__main__ import main
from benchmarks.case import AT, Case, Setting
from benchmarks.errors import BenchmarkError
from benchmarks.step_profile import profile_steps
from plstm_graph import LineDAG
from plstm_graph.data.table import load_table
from plstm_graph.errors import DatasetNotFoundError
from plstm_graph.nn.baselines import build_model

SMILES = ["CCO", "c1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "C", "CC.CN", "C1CC1CC#N"] * 10


@pytest.fixture
def few_molecules(tmp_path, monkeypatch) -> Path:
    """A file of molecules, from a data set of a few."""
    table = tmp_path / "few.csv"
    table.write_text("smiles,y\n" + "".join(f"{s},{i % 2}\n" for i, s in enumerate(SMILES)))
    dataset, _ = load_table(table, split="random")
    monkeypatch.setattr(plstm_graph.data, "load", lambda name: dataset)
    inputs.write_molecules(tmp_path / "molecules.pt")
    return tmp_path / "molecules.pt"


# --- inputs


def test_molecules_are_the_first_ones(few_molecules):
    batch = inputs.molecules(str(few_molecules), 3)
    assert batch.num_graphs == 3
    assert batch.edge_index.max() < batch.num_nodes == batch.ptr[-1]
    assert batch.edge_attr.size(0) == batch.edge_index.size(1)
    assert len(inputs.smiles(str(few_molecules), 3)) == 3
    assert inputs.molecule_dag(str(few_molecules), 3).num_edges == batch.edge_index.size(1) // 2


def test_without_the_data_set_the_demo_molecules_are_taken(tmp_path, monkeypatch, few_molecules):
    demo = plstm_graph.data.load("demo")

    def load(name):
        if name == "demo":
            return demo
        raise DatasetNotFoundError(name)

    monkeypatch.setattr(plstm_graph.data, "load", load)
    assert "demo" in inputs.write_molecules(tmp_path / "demo.pt")


# --- processes

TINY_SUITE = """
import plstm_graph
from benchmarks.case import Call, Case

def setup(setting):
    def broken():
        raise ValueError("does not work here")
    calls = {"value": Call(lambda: plstm_graph.VALUE, 7, own_measure=True), "sum": Call(lambda: sum(range(1000)), 3)}
    return calls | ({"broken": Call(broken)} if plstm_graph.VALUE > 1 else {})

def crash(setting):
    import os
    os._exit(3)

CASES = {"tiny": Case("two calls", setup, base="sum"), "crash": Case("ends the process", crash)}
TABLES = {"threads": lambda setting: {"columns": ["threads"], "rows": [[setting.threads]]}}
"""


@pytest.fixture
def two_versions(tmp_path) -> dict[str, Path]:
    """Two packages of the library's name, and a suite that tells them apart."""
    libraries = {}
    for version, value in ((session.NOW, 1.5), (session.BEFORE, 0.5)):
        package = tmp_path / version / "plstm_graph"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f"VALUE = {value}\n")
        libraries[version] = package.parent
    (tmp_path / "tiny_suite.py").write_text(TINY_SUITE)
    return libraries


def test_versions_are_measured_in_turns(tmp_path, two_versions):
    said: list[str] = []
    path = [str(tmp_path)]
    with session.processes(two_versions, "tiny_suite", Setting("", threads=1), tmp_path, path) as workers:
        case = Case("two calls", setup=dict, base="sum")
        record = session.measure_case(workers, "tiny", case, rounds=4, say=said.append)
        assert workers[session.NOW].ask("table", name="threads")["rows"] == [[1]]
        with pytest.raises(BenchmarkError, match="process ended at setup"):
            workers[session.NOW].ask("setup", case="crash")
    assert record["calls"]["value"]["samples"] == {"now": [1.5] * 4, "before": [0.5] * 4}
    assert all(0 < s < 1 for s in record["calls"]["sum"]["samples"]["now"])
    assert record["calls"]["sum"]["items"] == 3
    assert record["failed"] == {"broken": {"now": "ValueError: does not work here"}}
    assert any("does not work here" in line for line in said)


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_another_revision_is_checked_out_beside_and_removed(tmp_path):
    source = tmp_path / "plstm_graph" / "file.py"
    source.parent.mkdir()
    git(tmp_path, "init", "--quiet")
    for text in ("old", "new"):
        source.write_text(text)
        (tmp_path / "other.txt").write_text(text)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "--quiet", "-m", text)
    with revision.checked_out("HEAD~1", tmp_path) as folder:
        assert (folder / "plstm_graph" / "file.py").read_text() == "old"
        assert not (folder / "other.txt").exists()
    assert not folder.exists()
    assert len(git(tmp_path, "worktree", "list").splitlines()) == 1
    assert source.read_text() == "new"
    assert not revision.current(tmp_path).endswith("+")
    source.write_text("newer")
    assert revision.current(tmp_path).endswith("+")
    with pytest.raises(BenchmarkError, match="no-such"):
        revision.resolve("no-such", tmp_path)


def test_a_folder_without_history_has_no_revision(tmp_path):
    assert revision.current(tmp_path) == "unknown"


# --- memory, profile, crossovers


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
def test_memory_of_a_step_is_measured_in_a_process_of_its_own(few_molecules):
    large = memory.peak_megabytes("GIN", str(few_molecules), len(SMILES), threads=1)
    assert 0.1 < large < 200
    with pytest.raises(RuntimeError, match="that measures nothing failed"):
        memory.peak_megabytes("nothing", str(few_molecules), 5, threads=1)


def test_profile_names_the_parts_of_a_step(few_molecules):
    batch = inputs.molecules(str(few_molecules), 20).clone()
    batch.dag = inputs.molecule_dag(str(few_molecules), 20)
    net = build_model("plstm", 9, 1, hidden_channels=16, num_layers=2, node_encoder="atom", edge_encoder="bond")
    optimizer = torch.optim.AdamW(net.parameters())

    def step(data) -> None:
        optimizer.zero_grad()
        net(data).sum().backward()
        optimizer.step()

    parts = profile_steps(net, [batch], step, count=3)
    expected = {"operator", "gates", "linear maps", "norm", "activation", "encoders", "readout", "optimizer", "loader"}
    assert expected <= set(parts)
    assert all(seconds >= 0 for seconds in parts.values())
    assert not any(module._forward_hooks for module in net.modules())


def test_molecule_like_graphs():
    dag = crossover.tree_dag(32, "cpu", 2)
    assert isinstance(dag, LineDAG)
    assert dag.num_graphs == 2
    assert dag.num_nodes == 64
    degree = torch.bincount(dag.edge_index.flatten(), minlength=64)
    assert degree.min() >= 1
    assert degree.max() <= 6
    assert dag.num_edges > 62


def test_crossover_puts_the_threshold_back(monkeypatch):
    from plstm_graph.ops import _fused_jobs

    present = _fused_jobs.SMALL_PAIRS
    monkeypatch.setattr(crossover, "SHAPES", ((2, 2),))
    monkeypatch.setattr(crossover, "SIZES", (8, 64))
    monkeypatch.setattr(crossover, "NODES", 64)
    table = crossover.small_pairs(quick=True, rounds=1)
    assert len(table["rows"]) == 2
    assert "SMALL_PAIRS" in table["result"]
    assert _fused_jobs.SMALL_PAIRS is present


# --- the command


def test_command_measures_and_writes(tmp_path, few_molecules, monkeypatch, capsys):
    arguments = ["ops", "--quick", "--only", "heads", "--rounds", "2", "--threads", "1", "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    record = json.loads((tmp_path / "out" / "ops.json").read_text())
    samples = record["cases"]["heads"]["calls"][f"fused{AT}2"]["samples"]["now"]
    assert len(samples) == 2
    assert all(math.isfinite(s) and s > 0 for s in samples)
    assert record["machine"]["cores"] >= 1
    assert record["versions"]["torch"] == torch.__version__
    assert "log-log slope" in capsys.readouterr().out
    assert (tmp_path / "out" / "ops.md").read_text().startswith("# Speed: ops")
    assert (tmp_path / "out" / "ops.png").is_file()


def test_command_refuses_a_revision_that_does_not_exist(tmp_path, few_molecules, capsys):
    assert main(["ops", "--against", "no-such-revision", "--out", str(tmp_path / "out")]) == 2
    assert "no-such-revision" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
