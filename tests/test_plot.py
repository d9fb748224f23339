"""Pictures: what they show is counted, where they put it is measured, and they leave no trace in pyplot."""

from __future__ import annotations

import os
import subprocess
import sys

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from torch_geometric.data import Batch, Data

from plstm_graph import LineDAG, ToLineDAG, from_networkx, from_smiles
from plstm_graph.errors import ConfigError, GraphError, SmilesError
from plstm_graph.plot import draw, plot_dag, plot_line_graph, plot_wavefronts
from plstm_graph.plot.layout import cells, layered, molecule, spring

STEROID = "CC(=O)OCC(=O)[C@@]1(O)CC[C@H]2[C@@H]3CCC4=CC(=O)CC[C@]4(C)[C@H]3C(=O)C[C@]12C"


def arrows(ax) -> list[FancyArrowPatch]:
    return [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def random_dag(num_nodes: int, probability: float, seed: int) -> LineDAG:
    pairs = list(nx.gnp_random_graph(num_nodes, probability, seed).edges)
    return LineDAG.from_edge_index(torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).t(), num_nodes)


class TestLayout:
    @settings(max_examples=40, deadline=None)
    @given(st.integers(1, 14), st.floats(0, 0.6), st.integers(0, 50))
    def test_columns_do_not_overlap(self, num_nodes: int, probability: float, seed: int) -> None:
        dag = random_dag(num_nodes, probability, seed)
        pairs = [(a, b) for a, b in dag.line_index.t().tolist()]
        points, routes = layered(dag.level.tolist(), pairs)
        assert points[:, 0].tolist() == dag.level.tolist()
        for column in np.unique(points[:, 0]):
            heights = np.sort(points[points[:, 0] == column, 1])
            assert (np.diff(heights) > 1 - 1e-6).all()
        for (a, b), route in zip(pairs, routes, strict=True):
            assert route[0].tolist() == points[a].tolist()
            assert route[-1].tolist() == points[b].tolist()
            assert np.diff(route[:, 0]).tolist() == [1.0] * (len(route) - 1)

    def test_long_edges_pass_beside_the_nodes(self) -> None:
        points, routes = layered([0, 1, 2, 3], [(0, 1), (1, 2), (2, 3), (0, 3)])
        assert all(
            abs(route_y - node_y) > 0.7 for route_y, node_y in zip(routes[3][1:3, 1], points[1:3, 1], strict=True)
        )

    def test_untangles_a_crossing(self) -> None:
        points, _ = layered([0, 0, 1, 1], [(0, 3), (1, 2)])
        assert (points[0, 1] - points[1, 1]) * (points[3, 1] - points[2, 1]) > 0

    def test_spring_is_wide_and_the_same_every_time(self) -> None:
        pairs = [(i, i + 1) for i in range(9)] + [(11, 12)]
        points = spring(14, pairs)
        assert np.array_equal(points, spring(14, pairs))
        assert np.ptp(points[:10, 0]) > 5 * np.ptp(points[:10, 1])
        apart = np.linalg.norm(points[:, None] - points[None], axis=2) + np.eye(14) * 9
        assert apart.min() > 0.5

    @pytest.mark.parametrize("direction", [(1, 1), (-1, 1), (1, -1)])
    def test_cells_of_a_grid_lie_in_rows(self, direction: tuple[int, int]) -> None:
        dag = LineDAG.grid((2, 3), direction)
        points = cells(dag.edge_index.numpy(), dag.edge_axis.numpy(), 6)
        assert points.tolist() == [[0, 0], [1, 0], [2, 0], [0, -1], [1, -1], [2, -1]]

    def test_cells_in_three_axes_are_apart(self) -> None:
        dag = LineDAG.grid((3, 3, 3))
        points = cells(dag.edge_index.numpy(), dag.edge_axis.numpy(), 27)
        apart = np.linalg.norm(points[:, None] - points[None], axis=2) + np.eye(27) * 9
        assert apart.min() > 0.4
        assert np.allclose(points[1] - points[0], [1.8, 0])

    def test_molecule(self) -> None:
        points, symbols, bonds = molecule("C[N+](C)(C)CC(=O)[O-]")
        assert symbols == ["C", "N+", "C", "C", "C", "C", "O", "O−"]
        assert [order for *_, order, _ in bonds].count(2.0) == 1
        assert np.mean([np.linalg.norm(points[i] - points[j]) for i, j, *_ in bonds]) == pytest.approx(1)


class TestFigures:
    def test_molecule_shows_atoms_arrows_levels_and_pruned_edges(self, tmp_path) -> None:
        figure = plot_dag(STEROID)
        left, right = figure.axes
        assert texts(left).count("C") == 23
        assert texts(left).count("O") == 6
        assert len(arrows(left)) == 32
        dag = ToLineDAG()(from_smiles(STEROID)).dag
        assert texts(right).count("level") == 1
        dashed = [patch for patch in arrows(right) if patch.get_linestyle() not in ("-", "solid")]
        assert len(dashed) == int((~dag.multitree).sum()) > 0
        assert {to_hex(patch.get_edgecolor()) for patch in dashed} == {draw.PRUNED}
        assert len(right.get_legend().get_texts()) == 2
        figure.savefig(tmp_path / "dag.png")
        assert (tmp_path / "dag.png").stat().st_size > 20_000

    def test_arrows_point_from_tail_to_head(self) -> None:
        data = ToLineDAG("index")(from_networkx(nx.path_graph(3)))
        data.dag = LineDAG.from_edge_index(torch.tensor([[2, 1], [1, 0]]), 3)
        (ax,) = plot_dag(data, line_graph=False).axes
        where = {text.get_text(): np.array(text.get_position()) for text in ax.texts if text.get_zorder() == 4}
        first, second = arrows(ax)
        assert np.allclose(first._posA_posB, [where["2"], where["1"]])
        assert np.allclose(second._posA_posB, [where["1"], where["0"]])

    def test_colours_are_levels(self) -> None:
        data = ToLineDAG("index")(from_networkx(nx.path_graph(4)))
        (ax,) = plot_dag(data, line_graph=False).axes
        expected = [to_hex(color) for color in draw.level_colors([0, 1, 2], 3)]
        assert [to_hex(patch.get_edgecolor()) for patch in arrows(ax)] == expected
        assert len(set(expected)) == 3

    def test_wavefronts(self) -> None:
        data = ToLineDAG("index")(from_networkx(nx.path_graph(4)))
        axes = plot_wavefronts(data).axes
        assert [ax.get_title() for ax in axes] == ["step 0", "step 1", "step 2"]
        colors = [to_hex(patch.get_edgecolor()) for patch in arrows(axes[1])]
        assert colors == [draw.PAST, to_hex(draw.level_colors([1], 3)[0]), draw.AHEAD]

    def test_many_wavefronts_are_thinned_out(self) -> None:
        axes = plot_wavefronts(ToLineDAG("index")(from_networkx(nx.path_graph(60))), max_panels=5).axes
        assert [ax.get_title() for ax in axes] == [f"step {t}" for t in (0, 14, 29, 44, 58)]

    @pytest.mark.parametrize(
        "graph",
        [
            "C",
            "[Na+].[Cl-]",
            "C#N",
            nx.empty_graph(0),
            nx.empty_graph(3),
            nx.MultiDiGraph([("a", "b"), ("a", "b"), ("b", "c")]),
            nx.grid_2d_graph(3, 3),
            LineDAG.grid((3, 4), (1, -1)),
            LineDAG.grid((2, 2, 2, 2)),
            LineDAG.balanced_tree(2, 3, "root"),
            LineDAG.from_edge_index(torch.tensor([[0, 1, 2], [1, 2, 3]]), 5, batch=torch.tensor([0, 0, 0, 0, 1])),
        ],
        ids=str,
    )
    def test_small_and_odd(self, graph: object, tmp_path) -> None:
        for plot in (plot_dag, plot_line_graph, plot_wavefronts):
            figure = plot(graph, title="<any> $title")
            assert isinstance(figure, Figure)
            assert max(figure.get_size_inches()) < 14
            figure.savefig(tmp_path / "picture.png")

    def test_names_win(self) -> None:
        (ax,) = plot_dag("CO", names=["left", "right"], line_graph=False).axes
        assert {"left", "right"} <= set(texts(ax))
        (ax,) = plot_dag(nx.DiGraph([("in", "out")]), line_graph=False).axes
        assert {"in", "out"} <= set(texts(ax))

    @pytest.mark.parametrize("smiles", ["CCO", "no molecule"])
    def test_smiles_with_other_atoms_than_nodes_is_drawn_as_a_graph(self, smiles: str) -> None:
        data = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), num_nodes=2, smiles=smiles)
        (ax,) = plot_dag(data, line_graph=False).axes
        assert {"0", "1"} <= set(texts(ax))


class TestErrors:
    def test_kinds(self) -> None:
        data = from_networkx(nx.path_graph(3))
        with pytest.raises(GraphError, match="cannot draw a list"):
            plot_dag([0, 1])
        with pytest.raises(GraphError, match="get_example"):
            plot_dag(Batch.from_data_list([data, data]))
        with pytest.raises(GraphError, match=r"2 entries.*3 nodes"):
            plot_dag(data, names=["a", "b"])
        with pytest.raises(GraphError, match=r"600 edges are too many.*max_edges=500"):
            plot_dag(nx.path_graph(601))
        with pytest.raises(ConfigError, match="layout='round' does not exist: choose one of auto"):
            plot_dag(data, layout="round")
        with pytest.raises(ConfigError, match="layout='molecule' needs a SMILES"):
            plot_dag(data, layout="molecule")
        with pytest.raises(SmilesError, match="C1CC"):
            plot_dag("C1CC")


def test_no_pyplot_no_display() -> None:
    code = (
        "import sys; from plstm_graph.plot import plot_dag; import networkx as nx, io;"
        "plot_dag(nx.path_graph(3)).savefig(io.BytesIO());"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "MPLBACKEND")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
