"""The commands that measure accuracy and gradients against distance."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch

from benchmarks.dags import distance, gradient_norms
from benchmarks.dags.__main__ import main
from benchmarks.dags.distance import RECALL, RING, TREE
from benchmarks.dags.parts import Part
from plstm_graph import PLSTMConv


@pytest.mark.parametrize(("task", "size"), [(TREE, "3"), (RING, "20"), (RECALL, "10")])
def test_commands_write_lines_table_and_figure_and_go_on_where_they_stopped(tmp_path, task, size, capsys):
    command = [task, "--quick", "--seeds", "1", "--out", str(tmp_path), "--only", size]
    size = "30" if task == RECALL else size
    if task == RECALL:
        command = command[:-2]
    assert main(command) == 0
    first = (tmp_path / f"{task}.jsonl").read_text()
    records = [json.loads(line) for line in first.splitlines()]
    assert [r["model"] for r in records] == list(distance.ROWS)
    table = (tmp_path / f"{task}.md").read_text()
    for r in records:
        assert 0 <= r["accuracy"][size] <= 1
        assert f"| {r['model']} | " in table
        assert f" {100 * r['accuracy'][size]:.1f} |" in table
    assert table in capsys.readouterr().out
    assert (tmp_path / f"{task}.png").read_bytes()[:4] == b"\x89PNG"
    assert main(command) == 0
    assert (tmp_path / f"{task}.jsonl").read_text() == first


def test_trees_are_not_run_on_for_models_that_guess():
    def record(model, depth, accuracy, seed=0):
        chance = 2.0**-depth
        return {
            "model": model,
            "train": [depth, depth],
            "seed": seed,
            "accuracy": {str(depth): accuracy},
            "chance": chance,
        }

    def reason(model, depth):
        return distance.guesses_before(Part("k", 0, (model, str(depth)), dict), records)

    records = [record("gin", 2, 1.0), record("gin", 3, 0.24), record("gin", 3, 0.12, seed=1), record("gps", 3, 0.26)]
    assert reason("gin", 3) == ""
    assert reason("gin", 4) == reason("gin", 6) == "gin guesses at 3"
    assert reason("gps", 4) == reason("dagnn", 4) == ""


def test_trees_have_a_channel_per_key_and_deep_ones_smaller_ones_beside_them():
    found = distance.settings(TREE, 1, quick=False)
    assert {s.train[1] for s in found} == {2, 3, 4, 5, 6, 7, 8}
    assert all(s.test == (s.train[1],) and s.width >= 2 ** s.train[1] for s in found)
    assert {s.train[1]: s.train[0] for s in found} == {2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 5, 8: 6}
    deep = next(s for s in found if s.train == (5, 7))
    nodes = {batch.num_nodes // batch.num_graphs for batch in distance.Fresh(deep)}
    assert nodes == {2 ** (depth + 1) - 1 for depth in (5, 6, 7)}


class Told(nn.Module):
    """Knows every answer, and says it where it is asked."""

    def forward(self, data):
        out = torch.zeros(data.num_nodes, 64)
        out[data.asked.nonzero()[:, 0], data.y] = 1
        return out


@pytest.mark.parametrize("task", [TREE, RING, RECALL])
def test_accuracy(task):
    setting = distance.settings(task, 1, quick=True)[0]
    size = setting.test[0]
    assert distance.accuracy(Told(), distance.graphs(setting, size, 70, 0)) == 1
    made = list(distance.graphs(setting, size, 70, 0))
    assert sum(batch.num_graphs for batch in made) == 70

    class First(nn.Module):
        def forward(self, data):
            return torch.eye(64)[:1].expand(data.num_nodes, -1)

    share = sum(int((batch.y == 0).sum()) for batch in made) / 70
    assert distance.accuracy(First(), made) == pytest.approx(share)


def test_training_draws_anew_and_differs_between_seeds():
    setting = distance.settings(RECALL, 2, quick=True)
    fresh = distance.Fresh(setting[0])
    first, second = list(fresh), list(fresh)
    assert len(first) == len(fresh) == 2
    other = list(distance.Fresh(next(s for s in setting if s.seed == 1)))
    keys = [tuple(batch.x.flatten().tolist()) for batch in first + second + other]
    assert len(set(keys)) == 6
    low, high = setting[0].train
    assert all(low + 4 <= len(graph.x) for batch in first for graph in batch.to_data_list())
    assert all(int(batch.step.max()) <= high + 3 for batch in first + second)


def test_gin_hears_as_far_as_the_answer_and_others_have_two_layers():
    for task in (TREE, RING):
        for setting in distance.settings(task, 1, quick=False):
            far = setting.test[0] + 1 if task == TREE else setting.test[0] // 2
            assert setting.layers == (far if setting.model == "gin" else 2)


@pytest.mark.parametrize("task", [TREE, RING, RECALL])
@pytest.mark.parametrize("model", ["plstm-P", "plstm-D", "gps", "dagnn"])
def test_the_answer_can_reach_the_node_that_asks(task, model):
    """The output of the node that asks depends on the node that answers, at init already."""
    setting = next(s for s in distance.settings(task, 1, quick=True) if s.model == model)
    torch.manual_seed(0)
    network = distance.make_network(setting)[0].double().eval()
    batch = Batch.from_data_list(distance.MAKERS[task](1, setting.test[0], seed=0))
    other = batch.clone()
    if task == RING:
        batch.x, other.x = batch.x.double(), other.x.double()
        other.x[setting.test[0] // 2] = other.x[setting.test[0] // 2].roll(1)
    else:
        answer = (batch.x[:, 0] == batch.x[batch.asked, 0]) & ~batch.asked
        other.x[answer, 1] = other.x[answer, 1] % 3 + 1
    with torch.no_grad():
        assert not torch.equal(network(batch)[batch.asked], network(other)[batch.asked])


def test_gradient_norms_command(tmp_path, capsys):
    assert main(["gradient-norms", "--quick", "--seeds", "1", "--out", str(tmp_path)]) == 0
    records = [json.loads(line) for line in (tmp_path / "gradient-norms.jsonl").read_text().splitlines()]
    assert len(records) == len(gradient_norms.SHAPES) * len(gradient_norms.MODELS)
    for r in records:
        assert r["gradient"][0] == 1
        if r["model"] == "plstm-P":
            assert max(r["sum"]) <= 1 + 1e-5  # equation (9)
        if r["model"] == "plstm-D":
            assert max(r["largest"]) <= 2 + 1e-5  # at most two incoming edges, each at most one
    assert (tmp_path / "gradient-norms.md").read_text() in capsys.readouterr().out
    assert (tmp_path / "gradient-norms.png").read_bytes()[:4] == b"\x89PNG"


def test_transport_on_a_grid_with_even_splits_is_a_random_walk():
    """Where every transition is one half, a state spreads as the binomial distribution."""
    dag, step, nodes = gradient_norms.make_dag("grid", (1, 2, 4, 8), seed=0)
    layer = PLSTMConv(4, 4, heads=1, mode="P", transition_bias=10.0)  # transitions of one
    with torch.no_grad():
        for maps in layer.gate_maps:
            maps.node.weight.zero_()
    found = gradient_norms.transport(layer, torch.randn(dag.num_nodes, 4), dag)
    # the first edge goes to one neighbour of the corner; k further steps, each to either side with one half
    tail, head = dag.edge_index
    first = int(head[(tail == 0).nonzero()[0]])
    chance = torch.zeros(dag.num_nodes)
    chance[first] = 1
    for node in sorted(range(dag.num_nodes), key=lambda n: int(step[n])):
        out = head[tail == node].tolist()
        for other in out:
            chance[other] += chance[node] / len(out)
    torch.testing.assert_close(found, chance)
    assert [int(step[n]) for n in nodes] == [1, 2, 4, 8]


def test_jacobian_norm_of_a_linear_map():
    weight = torch.randn(3, 3, dtype=torch.float64)
    x = torch.randn(4, 3, dtype=torch.float64)
    norm = gradient_norms.jacobian_norm(lambda x: (x[0] @ weight).expand(4, -1), x, 2)
    assert norm == pytest.approx(float(weight.norm()))
