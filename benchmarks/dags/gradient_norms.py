"""How far a source reaches at the start of training, beside the bounds of section 4.2 of arXiv 2506.11997.

*Transport* is what a single edge's state leaves behind: with only the first edge writing, marks of one, and the
transitions of a new layer, a node's output is the sum of the states of its incoming edges. P-mode bounds the sum over
all nodes at a distance by one (9); on a grid the largest of them falls as the return probability of a random walk,
about ``(pi Δ / 2) ** -0.5``. D-mode bounds every edge by one, so a node by
the number of edges that enter it.

*Gradient* is the Frobenius norm of the Jacobian of a far node's output by the first node's input, for one pLSTM layer,
a stack of as many GIN layers as the node is far, and one DAGNN layer, all as they are made, on normal inputs. It is
divided by its value at distance one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.dags.gradient_norms_report import write_report
from benchmarks.dags.parts import Part, run_parts, setting_key
from plstm_graph import LineDAG, PLSTMConv
from plstm_graph.data.long_range import make_recall
from plstm_graph.nn.baselines.dagnn import DAGNNPass, levels
from plstm_graph.nn.baselines.layers import gin_layer
from plstm_graph.ops import plstm
from plstm_graph.train.records import Record

SHAPES = ("path", "random DAG", "grid")
MODELS = ("plstm-P", "plstm-D", "gin", "dagnn")
GIN_LAYERS = 100
"""A deeper stack is not measured."""


@dataclass(frozen=True)
class Setting:
    """One part: everything that its record depends on."""

    shape: str
    model: str
    seed: int
    distances: tuple[int, ...]
    width: int = 16


def settings(seeds: int, quick: bool) -> list[Setting]:
    """All parts, in the order in which they run."""
    far = (1, 2, 4, 8) if quick else (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
    parts = []
    for shape in SHAPES:
        for model in MODELS:
            most = GIN_LAYERS if model == "gin" else 128 if shape == "grid" else far[-1]
            reach = tuple(d for d in far if d <= most and (d % 2 == 0 or shape != "grid" or d == 1))
            parts += [Setting(shape, model, seed, reach) for seed in range(seeds)]
    return parts


def run(folder: Path, seeds: int, quick: bool, say: Callable[[str], None], only: tuple[str, ...] = ()) -> None:
    """Measure the parts that ``gradient-norms.jsonl`` lacks; write table and figure of those there are."""
    torch.set_num_threads(1)
    parts = [
        Part(setting_key(asdict(s)), s.seed, (s.shape, s.model), lambda s=s: asdict(s) | measure(s))
        for s in settings(seeds, quick)
    ]
    records = run_parts(
        folder / "gradient-norms.jsonl", parts, only, say,
        lambda r: f"{r['gradient'][-1]:.2g} of the gradient at distance {r['distances'][-1]}",
    )  # fmt: skip
    print(write_report(records, folder, SHAPES, MODELS))
    say(f"written to {folder}")


def measure(setting: Setting) -> Record:
    """Gradient norms by distance, and for pLSTM transport: largest and sum over the nodes at a distance."""
    torch.manual_seed(setting.seed)
    dag, step, targets = make_dag(setting.shape, setting.distances, setting.seed)
    x = torch.randn(dag.num_nodes, setting.width)
    record: Record = {}
    if setting.model.startswith("plstm"):
        layer = PLSTMConv(setting.width, setting.width, mode=setting.model[-1], head_norm="none")
        with torch.no_grad():
            heard = transport(layer, x, dag)
        at = [heard[step == distance] for distance in setting.distances]
        record = {"largest": [float(h.max()) for h in at], "sum": [float(h.sum()) for h in at]}

        def network(x: Tensor, _: int) -> Tensor:
            return layer(x, dag)

    elif setting.model == "dagnn":
        one, plan = DAGNNPass(setting.width), levels(dag.edge_index, dag.num_nodes)

        def network(x: Tensor, _: int) -> Tensor:
            return one(x, plan)

    else:
        stack = nn.ModuleList(gin_layer(setting.width) for _ in range(max(setting.distances))).eval()

        def network(x: Tensor, distance: int) -> Tensor:
            for layer in stack[:distance]:
                x = layer(x, None, dag.edge_index, None, None)[0]
            return x

    norms = [
        jacobian_norm(lambda x, d=distance: network(x, d), x, node)
        for distance, node in zip(setting.distances, targets, strict=True)
    ]
    return record | {"gradient": [norm / norms[0] for norm in norms]}


def make_dag(shape: str, distances: tuple[int, ...], seed: int) -> tuple[LineDAG, Tensor, list[int]]:
    """The DAG, the distance of every node from node 0, ``[N]``, and one node at each of the distances.

    On a grid these lie on the diagonal, where the most ways meet, and next to node 0 for the distance of one.
    """
    far = max(distances)
    if shape == "grid":
        side = far + 1  # so that the border is out of reach
        place = torch.arange(side * side).view(side, side)
        dag = LineDAG.grid((side, side))
        return dag, (place // side + place % side).flatten(), [int(place[d // 2, d - d // 2]) for d in distances]
    branching = 0.0 if shape == "path" else 0.5
    (data,) = make_recall(1, max(2, far), pairs=1, branching=branching, seed=seed)
    return data.dag, data.step, list(distances)  # the nodes of the chain come first


def transport(layer: PLSTMConv, x: Tensor, dag: LineDAG) -> Tensor:
    """``[N]``: sum of the states of a node's incoming edges, with only the first edge writing; mean over heads."""
    gates = layer.gates(x, dag)
    heads = gates.source.size(1)
    one = x.new_ones(dag.num_nodes, heads, 1)
    source = torch.zeros_like(gates.source)
    source[(dag.edge_index[0] == 0).nonzero()[0]] = 1
    mask = dag.multitree if layer.mode == "D" else None
    return plstm(one, one, one, source, gates.transition, torch.ones_like(source), dag, line_mask=mask).mean((1, 2))


def jacobian_norm(network: Callable[[Tensor], Tensor], x: Tensor, node: int) -> float:
    """Frobenius norm of ``d network(x)[node] / d x[0]``."""
    first = x[:1].clone().requires_grad_()
    out = network(torch.cat([first, x[1:]]))[node]
    rows = [torch.autograd.grad(value, first, retain_graph=True)[0] for value in out]
    return float(torch.cat(rows).norm())
