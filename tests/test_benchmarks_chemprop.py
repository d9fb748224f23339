"""The comparison with chemprop: tables for both programs, what each leaves behind, resumption, figures; chemprop itself
is replaced by a program that writes the same files."""

from __future__ import annotations

import csv
import gzip
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.chemprop import accuracy, programs, report, speed
from benchmarks.chemprop.__main__ import main
from benchmarks.chemprop.molecules import MoleculeSet, read_predictions, write_for_prediction, write_set
from benchmarks.chemprop.programs import Chemprop, Library, best_validation
from benchmarks.errors import BenchmarkError
from plstm_graph.cli.app import app

SMILES = ["C" * (n + 1) + end for n in range(10) for end in ("", "O", "N")]
PARTS = {"train": range(0, 30, 2), "valid": range(1, 30, 4), "test": range(3, 30, 4)}

FAKE = """
import csv, json, sys
from pathlib import Path
arguments = sys.argv[1:]
if "-c" in arguments:
    print("2.3.1")
    sys.exit()
calls = Path({calls!r})
calls.write_text((calls.read_text() if calls.is_file() else "") + json.dumps(arguments) + "\\n")
if "--fail" in {flags!r}:
    sys.exit("chemprop is out of order")
at = arguments.index("--data-path")
train, valid, test = arguments[at + 1 : at + 4]
epochs = int(arguments[arguments.index("--epochs") + 1])
out = Path(arguments[arguments.index("--output-dir") + 1]) / "model_0"
out.mkdir(parents=True)
rows = list(csv.reader(open(test)))
with open(out / "test_predictions.csv", "w") as file:
    csv.writer(file).writerows([rows[0]] + [[smiles, float(y) + 0.5] for smiles, y in rows[1:]])
clock = Path(arguments[arguments.index("train") - 1])
valid = [{{"val_loss": 4.0 / (n + 1), "val/rmse": 9.0}} for n in range(epochs)]
found = {{"seconds": [0.25] * epochs, "valid": valid, "parameters": 7, "versions": {{"chemprop": "2.3.1"}}}}
clock.write_text(json.dumps(found))
"""


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    """OGB's layout, with thirty molecules whose label is the number of carbons, for every set."""
    root = tmp_path / "data"
    lines = ["label,smiles,mol_id", *(f"{s.count('C')},{s} ,m{i}" for i, s in enumerate(SMILES))]
    for name in ("molfreesolv", "molesol"):
        folder = root / "ogb" / f"ogbg_{name}"
        for path, text in (
            (folder / "mapping/mol.csv.gz", lines),
            *((folder / f"split/scaffold/{part}.csv.gz", map(str, rows)) for part, rows in PARTS.items()),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress("\n".join([*text, ""]).encode()))
    monkeypatch.setenv("PLSTM_GRAPH_DATA", str(root))
    return root


def fake_environment(folder: Path, calls: Path, flags: str = "") -> Path:
    """An environment whose python writes what chemprop would."""
    script = folder / "fake.py"
    (folder / "bin").mkdir(parents=True)
    script.write_text(FAKE.format(calls=str(calls), flags=flags))
    for name in ("python", "chemprop"):
        program = folder / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {script} "$@"\n')
        program.chmod(0o755)
    return folder


def test_both_programs_get_the_same_rows(data, tmp_path):
    found = write_set("molfreesolv", data, tmp_path / "sets")
    rows = list(csv.DictReader(found.table.open()))
    for part, places in PARTS.items():
        smiles, labels = found.read(part)
        assert smiles == [SMILES[i] for i in places]
        assert labels.tolist() == [SMILES[i].count("C") for i in places]
        assert [(r["smiles"], float(r["y"])) for r in rows if r["split"] == part] == list(
            zip(smiles, labels, strict=True)
        )
    with pytest.raises(BenchmarkError, match=r"mol\.csv\.gz.*PLSTM_GRAPH_DATA"):
        write_set("molbace", data, tmp_path / "sets")


def test_molecules_to_predict_are_those_that_rdkit_reads(data, tmp_path):
    (data / "smiles").mkdir()
    (data / "smiles/real_smiles.csv.gz").write_bytes(gzip.compress(b"smiles,source\nCC,a\nC(C,b\nCO,a\nCN,a\n"))
    assert write_for_prediction(data, tmp_path / "some.csv", 2) == 2
    assert (tmp_path / "some.csv").read_text() == "smiles\nCC\nCO\n"


def test_predictions_must_be_those_of_the_molecules(tmp_path):
    file = tmp_path / "test_predictions.csv"
    file.write_text("smiles,y\nCC,-1.5\nCO,2e-3\n")
    assert read_predictions(file, "y", ["CC", "CO"]).tolist() == [-1.5, 0.002]
    for smiles in (["CO", "CC"], ["CC"], ["CC", "CO", "CN"]):
        with pytest.raises(BenchmarkError, match=f"{len(smiles)} molecules"):
            read_predictions(file, "y", smiles)
    file.write_text("row,part,smiles,y\n0,test,CC,1\n1,train,CN,2\n2,test,CO,3\n")
    assert read_predictions(file, "y", ["CC", "CO"], "test").tolist() == [1, 3]
    for cell, message in (("", "no prediction in column 'y'"), ("nan", "1 predictions are not finite")):
        file.write_text(f"smiles,y\nCC,-1.5\nCO,{cell}\n")
        with pytest.raises(BenchmarkError, match=message):
            read_predictions(file, "y", ["CC", "CO"])


def test_validation_value_is_that_of_the_epoch_chemprop_keeps(data, tmp_path):
    found = write_set("molfreesolv", data, tmp_path)
    y = np.array([SMILES[i].count("C") for i in PARTS["train"]])
    epochs = [{"val_loss": 0.5, "val/roc": 0.9}, {"val_loss": 0.25, "val/roc": 0.7}]
    assert best_validation(epochs, found) == pytest.approx(0.5 * y.std())
    assert best_validation(epochs, MoleculeSet("molbace", tmp_path)) == 0.7


@pytest.fixture
def in_process(monkeypatch):
    """plstm-graph runs in this process, which has loaded everything; other commands in their own."""

    def launch(command, threads, log, extra=None):
        if "plstm_graph.cli" not in command:
            return real(command, threads, log, extra)
        found = CliRunner().invoke(app, command[command.index("plstm_graph.cli") + 1 :], catch_exceptions=False)
        assert found.exit_code == 0, found.output
        return 1.5

    real = programs.launch
    monkeypatch.setattr(programs, "launch", launch)


@pytest.mark.usefixtures("in_process")
def test_command_trains_both_programs_once_and_goes_on_where_it_stopped(data, tmp_path, capsys):
    (tmp_path / "tiny.yaml").write_text("model_options: {hidden_channels: 8, num_layers: 1, heads: 2}\n")
    calls, out = tmp_path / "calls.jsonl", tmp_path / "out"
    environment = fake_environment(tmp_path / "env", calls)
    places = ["--env", str(environment), "--work", str(tmp_path / "work"), "--out", str(out)]
    command = ["accuracy", "--quick", "--config", str(tmp_path / "tiny.yaml"), *places]
    assert main(command) == 0
    first = (out / "accuracy.jsonl").read_text()
    theirs, ours = (json.loads(line) for line in first.splitlines())
    assert (theirs["program"], ours["program"]) == ("chemprop", "plstm_graph, tiny")
    assert theirs["test"] == pytest.approx(0.5)
    assert theirs["valid"] == pytest.approx(
        math.sqrt(4 / 3) * np.std([SMILES[i].count("C") for i in PARTS["train"]]), abs=1e-5
    )
    assert (theirs["epochs"], theirs["molecules_per_second"], theirs["parameters"]) == (3, 15 / 0.25, 7)
    assert ours["epochs"] == 3
    assert 0 < ours["test"] < 10
    assert ours["versions"]["plstm_graph"]
    arguments = json.loads(calls.read_text())
    assert arguments[arguments.index("--pytorch-seed") + 1] == arguments[arguments.index("--data-seed") + 1] == "0"
    assert not list((tmp_path / "work/runs").iterdir())
    table = (out / "chemprop.md").read_text()
    assert table in capsys.readouterr().out
    assert f"| molfreesolv | rmse | plstm_graph, tiny | {ours['parameters']:,} | {ours['test']:.3f} |" in table
    assert (out / "chemprop.png").read_bytes()[:4] == b"\x89PNG"

    assert main(command) == 0
    assert (out / "accuracy.jsonl").read_text() == first
    (out / "accuracy.jsonl").write_text(first[: first.index("\n") + 20])  # killed in the second line
    assert main([*command, "--programs", "chemprop"]) == 0
    assert len(calls.read_text().splitlines()) == 1


def test_a_program_that_fails_is_named_with_its_last_words(data, tmp_path, capsys):
    environment = fake_environment(tmp_path / "env", tmp_path / "calls.jsonl", "--fail")
    command = ["accuracy", "--quick", "--programs", "chemprop", "--env", str(environment)]
    assert main([*command, "--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")]) == 2
    assert "chemprop is out of order" in capsys.readouterr().err
    other = [*command, "--chemprop", "2.0.0", "--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")]
    assert main(other) == 2
    assert "holds chemprop 2.3.1, not 2.0.0" in capsys.readouterr().err


def accuracies(program: str, values: list[float], data: str = "molesol", metric: str = "rmse", key: str = "a") -> list:
    shared = {"program": program, "key": key, "data": data, "metric": metric, "parameters": 12_345, "valid": 1.0}
    shared |= {"epochs": 3, "jobs": 2, "seconds": 60.0, "seconds_per_epoch": 0.5, "revision": "abc", "versions": {}}
    rate = 200.0 if program == "chemprop" else 300.0
    return [shared | {"seed": seed, "test": v, "molecules_per_second": rate} for seed, v in enumerate(values)]


def test_table_takes_the_newest_setting_and_a_repeated_part_once():
    old = accuracies("plstm_graph", [9.0, 9.0, 9.0], key="old")
    new = accuracies("plstm_graph", [1.0, 3.0], key="new")
    repeated = [new[1] | {"test": 2.0}]
    records = [*old, *accuracies("chemprop", [4.0, 6.0]), *new, *repeated]
    lines = report.accuracy_table(report.by_part(records, accuracy.part_of))
    assert len(lines) == 4
    # standard errors 0.5 and 1, difference 3.5
    assert "| 1.500 ± 0.500 |" in lines[3]
    assert f"| {3.5 / math.hypot(0.5, 1):+.1f} (better) | 2 | 0.50 | 300 | 1.50 | 60 |" in lines[3]
    assert "| 5.000 ± 1.000 |" in lines[2]


def test_speed_is_the_median_at_the_better_number_of_threads(tmp_path):
    shared = {"key": "a", "load": 0.1, "revision": "abc", "machine": {"cpu": "some", "cores": 2}, "molecules": 10}
    lines = []
    for what, data in (("train", "molesol"), ("predict", "real_smiles")):
        for program, rates in (
            ("chemprop", {1: [100, 90, 900], 2: [150, 80, 70]}),
            ("plstm_graph", {1: [300, 100, 1], 2: [150, 250, 160]}),
        ):
            lines += [
                shared
                | {"what": what, "data": data, "program": program, "threads": threads, "round": number}
                | {"molecules_per_second": rate}
                for threads, values in rates.items()
                for number, rate in enumerate(values)
            ]
    (tmp_path / speed.FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = report.write_report(tmp_path)
    assert "| training, molesol | 100 (1 thread) | 160 (2 threads) | 1.60 |" in text
    assert "| prediction, real_smiles | 100 (1 thread) | 160 (2 threads) | 1.60 |" in text
    assert not (tmp_path / "chemprop.png").exists()


def test_speed_takes_only_the_samples_that_are_missing_and_takes_turns(data, tmp_path, monkeypatch):
    sets = [write_set(name, data, tmp_path) for name in ("molesol", "molfreesolv")]
    table = tmp_path / "some.csv"
    table.write_text("smiles\nCC\n")
    turns = []

    def sample(kind, program, *rest):
        turns.append((kind, program.name))
        return {"molecules_per_second": 1.0}

    monkeypatch.setattr(speed, "_train", lambda *a: sample("train", *a))
    monkeypatch.setattr(speed, "_predict", lambda *a: sample("predict", *a))
    both = [Chemprop(tmp_path, "2.3.1", 3), Library(None, 3)]
    file = tmp_path / "out" / speed.FILE
    for rounds, added in ((1, 7), (2, 7), (2, 0)):
        turns.clear()
        speed.run_speed(both, sets, table, rounds, [1], file, tmp_path / "work", lambda text: None)
        assert len(turns) == added
    names = [json.loads(line)["program"] for line in file.read_text().splitlines()]
    assert names[:4] == ["chemprop", "plstm_graph"] * 2
    assert names[4:7] == ["chemprop", "plstm_graph", "chemprop, cuik-molmaker"]


def test_settings_of_the_library_make_different_keys():
    keys = [Library(*arguments).key("molesol") for arguments in ((), (None, 3), ("paper-plstm",), ("paper-plstm", 3))]
    assert len(set(keys)) == 4
    assert Library().key("molesol") == keys[0] != Library().key("mollipo")
