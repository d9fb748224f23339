"""The tasks on DAGs as a user runs them: command, resumption, table, figure, and what they measure."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations

import pytest
import torch
from torch import nn

from benchmarks.dags import state_tracking
from benchmarks.dags.__main__ import main
from plstm_graph import PLSTMConv
from plstm_graph.data.state_tracking import make_state_tracking
from plstm_graph.ops import plstm

SMALL = replace(state_tracking.settings(1, quick=True)[0], steps=2, graphs=8, test_graphs=2, test_depth=40)


@pytest.fixture
def few(monkeypatch):
    """Two parts per model, of two steps each."""
    monkeypatch.setattr(state_tracking, "TASKS", {"parity": 2, "S3": 3})
    monkeypatch.setattr(
        state_tracking,
        "settings",
        lambda seeds, quick: [
            replace(SMALL, task=task, model=model, seed=seed, test_depth=256, test_graphs=1)
            for task in ("parity", "S3")
            for model in state_tracking.MODELS
            for seed in range(seeds)
        ],
    )


def test_command_writes_lines_table_and_figure_and_goes_on_where_it_stopped(tmp_path, few, capsys):
    out = tmp_path / "deep" / "dags"
    command = ["state-tracking", "--quick", "--seeds", "1", "--out", str(out)]
    assert main(command) == 0
    first = (out / "state-tracking.jsonl").read_text()
    records = [json.loads(line) for line in first.splitlines()]
    assert len(records) == 8
    assert all(0 <= share <= 1 for record in records for share in record["path"] + record["tree"])
    table = (out / "state-tracking.md").read_text()
    assert table.count("\n| parity |") == table.count("\n| S3 |") == 8
    assert table in capsys.readouterr().out
    assert (out / "state-tracking.png").read_bytes()[:4] == b"\x89PNG"
    with (out / "state-tracking.jsonl").open("w") as file:  # killed while the last line was written
        file.write(first[: first.rindex("{") + 30])
    assert main(command) == 0
    again = [json.loads(line) for line in (out / "state-tracking.jsonl").read_text().splitlines()]
    assert again[:-1] == records[:-1]
    assert {**again[-1], "seconds": 0} == {**records[-1], "seconds": 0}  # and the same numbers
    assert main(command) == 0
    assert len((out / "state-tracking.jsonl").read_text().splitlines()) == 8


def test_no_seeds_and_unknown_tasks_are_refused(capsys):
    for arguments, words in ((["state-tracking", "--seeds", "0"], "at least 1, got 0"), (["parity"], "invalid choice")):
        with pytest.raises(SystemExit):
            main(arguments)
        assert words in capsys.readouterr().err


def test_keys_tell_settings_apart():
    parts = state_tracking.settings(3, False)
    assert len({part.key for part in parts}) == len(parts) == 36
    assert SMALL.key != replace(SMALL, smoothing=0.2).key


@pytest.mark.parametrize("model", state_tracking.MODELS)
def test_models_differ_in_their_transitions(model):
    torch.manual_seed(0)
    made = state_tracking.make_model(replace(SMALL, task="S3", model=model))
    (conv,) = (module for module in made.modules() if isinstance(module, PLSTMConv))
    dag = make_state_tracking(1, 30)[0].dag
    transition = conv.gates(3 * torch.randn(dag.num_nodes, conv.in_channels), dag).transition
    if model.startswith("scalar"):
        assert transition.dim() == 2
        assert (transition.min() < -0.5) == (model == "scalar [-1, 1]")
        assert transition.abs().max() <= 1
    else:
        assert transition.shape[2:] == (3, 3)
        assert torch.linalg.svdvals(transition).max() <= 1 + 1e-5


class Exact(nn.Module):
    """Permutation matrices as transitions, the places of the items as written and read states."""

    def __init__(self, items: int) -> None:
        super().__init__()
        self.items = items

    def forward(self, data) -> torch.Tensor:
        n, dag = self.items, data.dag
        exchange = torch.eye(n).repeat(data.x.size(1), 1, 1)
        for token, (a, b) in enumerate(combinations(range(n), 2), start=2):
            exchange[token, [a, b]] = exchange[token, [b, a]]
        token = data.x.argmax(-1)
        tail, head = dag.edge_index
        matrix = exchange[token[head[dag.line_index[0]]]]
        out = []
        for item in range(n):
            for place in range(n):
                source, mark = torch.zeros(dag.num_edges, 1, n), torch.zeros(dag.num_edges, 1, n)
                source[token[tail] == 0, 0, item] = 1  # the root writes
                mark[:, 0, place] = 1
                one = torch.ones(dag.num_nodes, 1, 1)
                out.append(plstm(one, one, one, source, matrix.unsqueeze(1), mark, dag)[:, 0, 0])
        return torch.stack(out, dim=1)


@pytest.mark.parametrize("items", [2, 3, 5])
@pytest.mark.parametrize("width", [1, 2])
def test_permutation_matrices_solve_the_task_at_any_depth(items, width):
    test = make_state_tracking(3, 256, items=items, width=width, seed=1)
    assert state_tracking.accuracy(Exact(items), test, items) == [1.0] * len(state_tracking.BINS)


def test_accuracy_of_guessing():
    class Guess(nn.Module):
        def forward(self, data):
            return torch.eye(3).flatten().expand(data.num_nodes, -1)  # nothing ever moved

    test = make_state_tracking(64, 256, items=3, seed=1)
    assert all(abs(share - 1 / 6) < 0.03 for share in state_tracking.accuracy(Guess(), test, 3)[1:])


@pytest.mark.parametrize(("model", "period"), [("scalar [0, 1]", 1), ("scalar [-1, 1]", 2)])
def test_numbers_turn_round_no_more_often_than_there_are_heads(model, period):
    """Where a word is repeated, an output is a sum of one falling exponential per head and a drift.

    So from one time to the next after ``period`` steps it changes its direction fewer times than there are heads,
    while the parity of a repeated exchange changes at every step for ever.
    """
    data = make_state_tracking(1, 400)[0]
    data.x = torch.zeros_like(data.x)
    data.x[0, 0], data.x[1:, 2] = 1, 1
    for seed in range(10):
        torch.manual_seed(seed)
        made = state_tracking.make_model(replace(SMALL, model=model)).double()
        (conv,) = (module for module in made.modules() if isinstance(module, PLSTMConv))
        with torch.no_grad():
            heard = conv(made.node_encoder(data.x.double()), data.dag)[2:]
        for start in range(period):
            step = heard[start::period].diff(dim=0)
            for column in step.T:
                moving = column[column.abs() > 1e-10 * heard.abs().max()].sign()
                assert (moving.diff() != 0).sum() < conv.heads
