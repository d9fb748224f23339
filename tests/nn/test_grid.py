"""Regular grids (section 4.3): proportions of the P-mode, their criticality, and all directions together."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from plstm_graph import PLSTM, LineDAG, PLSTMConv, ToLineDAG
from plstm_graph.errors import ConfigError, FeatureError
from plstm_graph.ops import gating_matrix, plstm
from tests.oracles import assert_same, dense_gating, output_and_gradients
from tests.strategies import path_dag


def grid_layer(axes: int = 2, **options) -> PLSTMConv:
    """A layer whose proportions differ from cell to cell."""
    return PLSTMConv(3, 4, heads=2, grid_axes=axes, gate_std=1.0, **options).double()


@pytest.mark.parametrize("shape", [(4, 5), (3, 3, 3)], ids=str)
@pytest.mark.parametrize("reverse", [False, True])
def test_columns_add_up_to_one_inside_and_lose_what_leaves_the_grid(shape, reverse):
    layer = grid_layer(len(shape), direction="both")
    dag = LineDAG.grid(shape, (1, -1, 1)[: len(shape)])
    gates = layer.gates(torch.randn(dag.num_nodes, 3).double(), dag, reverse=reverse)
    before, after = dag.line_index.flip(0) if reverse else dag.line_index
    total = torch.zeros(dag.num_edges, 2).double().index_add(0, before, gates.transition)
    followers = torch.bincount(before, minlength=dag.num_edges)
    assert (gates.transition > 0).all()
    inside = followers == len(shape)
    torch.testing.assert_close(total[inside], torch.ones_like(total[inside]))
    assert (total[~inside] < 1).all()
    assert inside.any()
    # what enters a cell along any axis leaves it in the same proportions
    node = (dag.edge_index[0] if reverse else dag.edge_index[1])[before]
    for place in set(zip(node.tolist(), dag.edge_axis[after].tolist(), strict=True)):
        same = gates.transition[(node == place[0]) & (dag.edge_axis[after] == place[1])]
        torch.testing.assert_close(same, same[:1].expand_as(same))


def test_two_axes_are_a_sigmoid():
    layer, dag = grid_layer(), LineDAG.grid((3, 4))
    x = torch.randn(12, 3).double()
    logits = layer.gate_maps[0].node(x).split(layer.gate_maps[0].node_widths, dim=-1)[2].view(12, 2, 2)
    alpha = torch.sigmoid(logits[..., 0] - logits[..., 1])
    node = dag.edge_index[1][dag.line_index[0]]
    down = (dag.edge_axis[dag.line_index[1]] == 0).unsqueeze(1)
    torch.testing.assert_close(layer.gates(x, dag).transition, torch.where(down, alpha[node], 1 - alpha[node]))


@pytest.mark.parametrize("alpha", [0.5, 0.25])
def test_a_signal_travels_along_alpha_and_decays_by_a_power_law(alpha):
    """On the way given by α the weight falls like distance to the power -1/2; off it, exponentially."""
    size = 64
    layer = PLSTMConv(1, 1, heads=1, grid_axes=2).double()
    with torch.no_grad():  # the features say nothing, so the bias sets one α everywhere
        layer.gate_maps[0].node.weight.zero_()
        layer.gate_maps[0].node.bias.split(layer.gate_maps[0].node_widths)[2].copy_(
            torch.tensor([alpha, 1 - alpha]).log()
        )
    dag = LineDAG.grid((size, size))
    transition = layer.gates(torch.zeros(size * size, 1).double(), dag).transition.detach()
    gate, one = torch.ones(dag.num_edges, 1).double(), torch.ones(dag.num_nodes, 1, 1).double()
    impulse = torch.zeros_like(one)
    impulse[0] = 1
    heard = plstm(one, one, impulse, gate, transition, gate, dag).view(size, size)

    def at(distance: int, share: float) -> torch.Tensor:
        return heard[round(distance * share), round(distance * (1 - share))]

    distances = torch.arange(8, 64, 8)
    along = torch.stack([at(int(d), alpha) for d in distances])
    slope = torch.linalg.lstsq(
        torch.stack([distances.double().log(), torch.ones(len(distances)).double()], 1), along.log()[:, None]
    ).solution[0]
    assert -0.56 < slope < -0.44
    aside = at(56, 1 - alpha if alpha != 0.5 else 0.9)
    assert aside < along[-1] / 50


@pytest.mark.parametrize("shape", [(4, 5), (3, 3, 2)], ids=str)
@pytest.mark.parametrize("mode", ["P", "D"])
def test_all_directions_together_hear_everything(shape, mode):
    cells = list(product(*map(range, shape)))
    heard = torch.eye(len(cells), dtype=torch.bool)
    for direction in product((1, -1), repeat=len(shape)):
        dag = LineDAG.grid(shape, direction)
        layer = PLSTMConv(3, 4, heads=1, mode=mode, grid_axes=len(shape)).double()
        gates = layer.gates(torch.randn(len(cells), 3).double(), dag)
        one = gating_matrix(
            gates.source, gates.transition, gates.mark, dag, line_mask=dag.multitree if mode == "D" else None
        )[0][0]
        assert not (one[:, 0] == 0).all() or direction != (1,) * len(shape)
        assert not heard.all()
        heard |= one != 0
    assert heard.all()


@pytest.mark.parametrize("reverse", [False, True])
def test_output_and_gradients_agree_with_a_dense_solve(reverse):
    """Gates written down anew from the weights, and one dense inverse per head."""
    direction = "backward" if reverse else "forward"
    layer = grid_layer(direction=direction, edge_dim=2, key_dim=4, head_norm="none", source_bias=0.5, mark_bias=-0.5)
    dag = LineDAG.grid((3, 4), (1, -1))
    maps = layer.gate_maps[0]
    tensors = {
        "x": torch.randn(12, 3, dtype=torch.float64, requires_grad=True),
        "edge": torch.randn(dag.num_columns, 2, dtype=torch.float64, requires_grad=True),
    } | {name: p for name, p in layer.named_parameters() if not name.startswith("mix.0.bias")}

    def by_hand(t):
        tail, head = (dag.edge_index.flip(0) if reverse else dag.edge_index).tolist()
        line = [(b, a) if reverse else (a, b) for a, b in dag.line_index.T.tolist()]
        query, key, value = (part.view(12, 2, -1) for part in layer.project(t["x"]).split([8, 8, 4], dim=1))
        gate = maps.node(t["x"])
        edge = maps.edge(t["edge"][dag.edge_id])
        source = torch.sigmoid(gate[tail, 0:2] + edge[:, 0:2])
        mark = torch.sigmoid(gate[head, 2:4] + edge[:, 2:4])
        alpha = torch.sigmoid(gate[:, [4, 6]] - gate[:, [5, 7]])
        transition = torch.stack([alpha[head[a]] if dag.edge_axis[b] == 0 else 1 - alpha[head[a]] for a, b in line])
        direct = torch.sigmoid(gate[:, 8:10])
        outputs = []
        for h in range(2):
            gating = dense_gating(tail, head, line, 12, source[:, h], transition[:, h], mark[:, h])
            score = query[:, h] @ key[:, h].T / 2
            outputs.append(((gating + torch.diag(direct[:, h])) * score) @ value[:, h])
        return layer.mix[0](torch.cat(outputs, dim=1))

    expected = output_and_gradients(by_hand, tensors)
    for engine in ("fused", "wavefront", "parallel", "chunkwise", "reference"):
        layer.engine = engine
        found = output_and_gradients(lambda t: layer(t["x"], dag, t["edge"]), tensors)
        assert_same(found, expected, 1e-9, 1e-9)


def test_a_batch_of_grids_is_its_grids():
    layer, dag = grid_layer(direction="both"), LineDAG.grid((4, 4))
    x = torch.randn(3, 16, 3).double()
    torch.testing.assert_close(layer(x.flatten(0, 1), dag.repeat(3)), torch.cat([layer(one, dag) for one in x]))


def test_the_whole_model_on_a_grid_trains():
    model = PLSTM(3, 2, hidden_channels=8, num_layers=2, heads=2, grid_axes=2)
    data = ToLineDAG("index")(grid_data())
    data.dag = LineDAG.grid((3, 3))
    model(data).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name


def grid_data():
    from torch_geometric.data import Data

    dag = LineDAG.grid((3, 3))
    return Data(x=torch.randn(9, 3), edge_index=dag.edge_index[:, dag.edge_id.argsort()])


def test_errors_name_what_does_not_fit():
    layer = PLSTMConv(1, 1, heads=1, grid_axes=2)
    with pytest.raises(FeatureError, match=r"grid_axes=2, but the line DAG is no regular grid.*LineDAG.grid"):
        layer(torch.zeros(3, 1), path_dag(3))
    with pytest.raises(FeatureError, match="grid_axes=2, but the grid has 3 axes"):
        layer(torch.zeros(8, 1), LineDAG.grid((2, 2, 2)))
    with pytest.raises(ConfigError, match="grid_axes must be at least 1, got 0"):
        PLSTMConv(1, 1, heads=1, grid_axes=0)
    with pytest.raises(ConfigError, match="set one of them"):
        PLSTMConv(1, 1, heads=1, grid_axes=2, state_size=2)
