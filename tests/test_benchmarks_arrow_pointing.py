"""The command on arrow pointing: grids of patches in four directions, lines, table and figure."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks.dags import arrow_pointing
from benchmarks.dags.__main__ import main
from benchmarks.dags.arrow_models import GridPLSTM, PictureBatches, grid_dags, picture_batch
from plstm_graph.data.arrow_pointing import make_arrow_pointing
from plstm_graph.ops import gating_matrix
from plstm_graph.train.run_folder import revision


@pytest.mark.parametrize("name", ["arrow-pointing", "arrow-pointing-full"])
def test_command_writes_lines_table_and_figure_and_goes_on_where_it_stopped(tmp_path, name, capsys):
    models = ["plstm-D", "dagnn"] if name.endswith("full") else list(arrow_pointing.MODELS)
    command = [name, "--quick", "--seeds", "1", "--out", str(tmp_path), "--only", *models]
    assert main(command) == 0
    first = (tmp_path / f"{name}.jsonl").read_text()
    records = [json.loads(line) for line in first.splitlines()]
    assert [r["model"] for r in records] == models
    assert all(r["revision"] == revision() for r in records)
    table = (tmp_path / f"{name}.md").read_text()
    for r in records:
        assert f"| {100 * r['test']:.1f} | {100 * r['double']:.1f} | 1 |" in table
    assert table in capsys.readouterr().out
    assert (tmp_path / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    assert main(command) == 0
    assert (tmp_path / f"{name}.jsonl").read_text() == first


def test_sizes_of_the_paper():
    full, small = (arrow_pointing.settings(sizes, 1)[0] for sizes in ("full", "small"))
    assert (full.size, full.patch, full.train_pictures, full.test_pictures) == (192, 16, 100_000, 10_240)
    assert small.cell == small.patch  # an arrow lies in a patch
    assert full.cell is None


@pytest.mark.parametrize("which", [0, 1])
def test_in_d_mode_one_path_leads_from_a_cell_to_every_cell_behind_it(which):
    """With all gates one, the gating matrix counts paths."""
    side = 4
    dag = grid_dags(side, 1, "cpu")[which]
    ones = torch.ones(dag.num_edges, 1)
    passed = dag.multitree.float().unsqueeze(1)
    (counted,) = gating_matrix(torch.ones(dag.num_edges, 1), passed, ones, dag)
    for a in range(side * side):
        for b in range(side * side):
            down = (b // side - a // side) * (1 - 2 * which)
            across = b % side - a % side
            behind = down >= 0 and across >= 0 and a != b
            assert counted[0, b, a] == behind


def test_batches_hold_the_pictures():
    pictures, labels = make_arrow_pointing(5, 96, scale=0.5, seed=0)
    batches = list(PictureBatches(pictures, labels, 8, 2, "cpu"))
    assert [batch.num_graphs for batch in batches] == [2, 2, 1]
    assert torch.cat([batch.y for batch in batches]).tolist() == labels.tolist()
    ink = torch.cat([batch.x[:, :64] for batch in batches])
    assert ink.sum() * 255 == pictures.long().sum()
    row, column = batches[0].x[:144, 64:66].T
    assert torch.allclose(row.view(12, 12)[:, 0], (torch.arange(12) + 0.5) / 12)
    assert torch.equal(row.view(12, 12).T, column.view(12, 12))
    shuffled = PictureBatches(pictures, labels, 8, 5, "cpu", seed=0)
    assert not torch.equal(next(iter(shuffled)).x, next(iter(shuffled)).x)  # new at every iteration


def test_the_grid_model_is_not_told_where_a_patch_is():
    torch.manual_seed(0)
    model = GridPLSTM(4, 2, 8, layers=2, heads=2, mode="P")
    batch = picture_batch(torch.randint(255, (2, 9, 4), dtype=torch.uint8), torch.zeros(2, dtype=torch.int64), 3, "cpu")
    before = model(batch)
    batch.x[:, 4:] = 0
    assert torch.equal(model(batch), before)
    batch.x[0, 0] += 1
    assert not torch.equal(model(batch), before)


@pytest.mark.parametrize("mode", ["P", "D", "alternate"])
def test_every_cell_hears_every_other(mode):
    torch.manual_seed(0)
    model = GridPLSTM(22, 2, 8, layers=2 if mode != "alternate" else 4, heads=2, mode=mode)
    model.head = torch.nn.Identity()
    heard = []
    model.norm.register_forward_hook(lambda _, __, out: heard.append(out))
    nodes = torch.zeros(1, 9, 4, dtype=torch.uint8)
    batch = picture_batch(nodes, torch.zeros(1, dtype=torch.int64), 3, "cpu")
    model.double()
    batch.x = batch.x.double()
    for cell in range(9):
        other = batch.clone()
        other.x[cell, 0] = 1
        with torch.no_grad():
            heard.clear()
            model(batch), model(other)
        assert (heard[0] != heard[1]).any(dim=1).all()
