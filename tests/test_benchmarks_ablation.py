"""The ablation: every change is one, parts are not repeated, the table says what the lines say."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks import ablation
from plstm_graph.chem import from_smiles
from plstm_graph.graph import AddRandomWalks, ToLineDAG
from plstm_graph.nn.model import PLSTM
from plstm_graph.train.config import TrainConfig
from plstm_graph.train.records import config_key
from plstm_graph.train.run import check_options


def test_every_change_changes_something_and_no_two_are_the_same():
    keys = {config_key(ablation.settings("ogbg-molesol", change, {})) for change in ablation.changes()}
    assert len(keys) == len(ablation.changes())
    assert ablation.settings("ogbg-molesol", "default", {}) == TrainConfig(data="ogbg-molesol")


@pytest.mark.parametrize("change", ablation.changes())
def test_every_change_makes_a_model_that_runs(change):
    options = check_options("plstm", ablation.settings("ogbg-molesol", change, {}).model_options)
    model = PLSTM(None, 1, **{"node_encoder": "atom", "edge_encoder": "bond"} | options).eval()
    data = ToLineDAG()(AddRandomWalks(16)(from_smiles("CC(=O)Oc1ccccc1C(=O)O")))
    assert torch.isfinite(model(data)).all()


def test_command_runs_what_is_missing_and_writes_the_table(tmp_path, capsys):
    command = ["--data", "demo", "--seeds", "1", "--quick", "--out", str(tmp_path), "--only"]
    assert ablation.main([*command, "no dropout"]) == 0
    first = (tmp_path / "demo.jsonl").read_text()
    assert [json.loads(line)["name"] for line in first.splitlines()] == ["default", "no dropout"]
    assert ablation.main([*command, "default"]) == 0
    assert (tmp_path / "demo.jsonl").read_text() == first
    table = (tmp_path / "ablation.md").read_text()
    assert table in capsys.readouterr().out
    for line in first.splitlines():
        record = json.loads(line)
        assert (
            f"| {record['name']} | {record['parameters']:,} | {record['valid']:.3f} | {record['test']:.3f} |" in table
        )


def test_the_table_compares_with_the_default_and_leaves_older_settings_out(tmp_path):
    shared = {"data": "a", "fold": 0, "metric": "rmse", "parameters": 1000, "valid": 2.0, "revision": "r"}

    def line(change, seed, test, key=None):
        key = key or config_key(ablation.settings("a", change, {}))
        return json.dumps(shared | {"name": change, "key": key, "seed": seed, "test": test})

    lines = [line("default", 0, 1.0), line("default", 1, 1.2), line("no dropout", 0, 0.4), line("no dropout", 1, 0.6)]
    lines += [line("sum pooling", 0, 5.0, "older"), line("P alone", 0, 1.0), line("P alone", 1, 1.3)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n")
    table = ablation.report(tmp_path, ["a"], {})
    assert "|  | default | 1,000 | 2.000 ± 0.000 | 1.100 ± 0.100 |  |" in table
    assert "| training | no dropout | 1,000 | 2.000 ± 0.000 | 0.500 ± 0.100 | +4.2 (better) |" in table
    assert "| directions and modes | P alone | 1,000 | 2.000 ± 0.000 | 1.150 ± 0.150 | -0.3 (tie) |" in table
    assert "sum pooling" not in table


def test_an_unknown_change_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        ablation.main(["--out", str(tmp_path), "--only", "dropuot"])
    assert "--only dropuot: there is no such change; they are default, by the numbering" in capsys.readouterr().err
