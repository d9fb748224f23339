"""``plstm-graph explain`` from a model file to a page."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from plstm_graph.cli.app import app
from plstm_graph.train.model_file import ModelSpec, save_model
from plstm_graph.train.task import Task


def saved(path: Path, model: str = "plstm", molecules: bool = True) -> str:
    torch.manual_seed(0)
    options = {"hidden_channels": 8, "num_layers": 2, "node_encoder": "atom", "edge_encoder": "bond"}
    if model == "plstm":
        options["heads"] = 2
    spec = ModelSpec(model, 9, options if molecules else {"hidden_channels": 8}, "canonical", molecules)
    save_model(path, spec, spec.build(Task("regression", ("logp",))))
    return str(path)


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["explain", *map(str, arguments)])
    return result.exit_code, " ".join(result.output.split())


def test_writes_a_page(tmp_path):
    out = tmp_path / "page.html"
    code, output = run(saved(tmp_path / "best.pt"), "CCO", "c1ccccc1O", "-n", "ethanol", "-n", "<i>phenol", "-o", out)
    assert (code, output) == (0, f"wrote {out}: 2 molecules".replace("\n", " "))
    page = out.read_text(encoding="utf-8")
    assert ">ethanol</h2>" in page
    assert ">&lt;i&gt;phenol</h2>" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["C(C"], "C(C"), (["CCO", "C", "--name", "one"], "1 name(s) for 2 molecule(s)")],
)
def test_mistakes_are_told_and_nothing_is_written(tmp_path, arguments, message):
    out = tmp_path / "page.html"
    code, output = run(saved(tmp_path / "best.pt"), *arguments, "-o", out)
    assert code == 2
    assert message in output
    assert not out.exists()


def test_models_without_gating_matrices_are_refused(tmp_path):
    code, output = run(saved(tmp_path / "gine.pt", "gine"), "CCO", "-o", tmp_path / "page.html")
    assert code == 2
    assert "only pLSTM models" in output
    code, output = run(saved(tmp_path / "graphs.pt", molecules=False), "CCO", "-o", tmp_path / "page.html")
    assert code == 2
    assert "takes no SMILES" in output
