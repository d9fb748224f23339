"""What is measured on: real molecules, paths, and tensors as a layer would hand them to the operator."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from benchmarks.case import Call

MOLECULES = 2000
"""Molecules drawn from the data set; the batch that most cases use is the first :data:`BATCH` of them."""

BATCH = 500
WIDTH, HEADS = 96, 4

BARE = {
    "hidden_channels": WIDTH, "key_dim": None, "direction": "both", "block_norm": "layer", "mlp_ratio": 2.0,
    "local": False, "pooling": "mean", "readout": "last", "dropout": 0.0,
    "source_bias": -4.0, "mark_bias": -4.0, "direct_bias": -6.0,
    "transition_scale": 5.0, "gate_std": 0.02, "key_init": "random",
}  # fmt: skip
"""Options of :class:`plstm_graph.PLSTM` for the paper's layer in a plain block, with no local branch beside it."""


def write_molecules(path: Path) -> str:
    """Draw molecules from ogbg-molhiv's training split, or from the built-in demo set where the former is not at hand.

    They are written as plain tensors, so that every revision of the library that is measured reads the same ones.

    Returns:
        Where they come from, in words.
    """
    from plstm_graph.data import load
    from plstm_graph.errors import DatasetNotFoundError

    try:
        dataset, source = load("ogbg-molhiv"), "ogbg-molhiv, training split"
    except DatasetNotFoundError:
        dataset = load("demo")
        source = "the built-in demo set (ogbg-molhiv is not at hand: set PLSTM_GRAPH_DATA)"
    rows = dataset.splits["train"]
    rows = rows[torch.randperm(rows.numel(), generator=torch.Generator().manual_seed(0))][:MOLECULES]
    batch = dataset.collate(rows)
    tensors = {k: batch[k] for k in ("x", "edge_index", "edge_attr", "canonical_rank", "y", "batch", "ptr")}
    torch.save(tensors, path)
    _smiles_file(path).write_text(json.dumps([dataset.smiles[i] for i in rows.tolist()]))
    return source


def smiles(path: str, count: int) -> list[str]:
    """SMILES of the first molecules of a file."""
    return json.loads(_smiles_file(Path(path)).read_text())[:count]


def _smiles_file(path: Path) -> Path:
    return path.with_suffix(".smiles.json")


@lru_cache
def molecules(path: str, count: int = BATCH, device: str = "cpu") -> Batch:
    """The first molecules of a file as one PyG batch."""
    tensors = torch.load(path, weights_only=True)
    ptr = tensors["ptr"][: count + 1]
    columns = int((tensors["edge_index"][0] < ptr[-1]).sum())
    batch = Batch(
        **{k: tensors[k][: ptr[-1]] for k in ("x", "canonical_rank", "batch")},
        edge_index=tensors["edge_index"][:, :columns].contiguous(),
        edge_attr=tensors["edge_attr"][:columns],
        y=tensors["y"][:count],
        ptr=ptr,
    )
    batch._num_graphs = ptr.numel() - 1
    return batch.to(device)


@lru_cache
def molecule_dag(path: str, count: int = BATCH, device: str = "cpu") -> Any:
    """Line DAG of the first molecules, in the default orientation."""
    from plstm_graph import ToLineDAG

    return ToLineDAG()(molecules(path, count).clone()).dag.to(device)


def path_dag(nodes: int, device: str = "cpu", graphs: int = 1) -> Any:
    """Line DAG of one path, or of several."""
    from plstm_graph import LineDAG

    node = torch.arange(nodes * graphs)
    tail = node[node % nodes < nodes - 1]
    return LineDAG.from_edge_index(torch.stack([tail, tail + 1]), nodes * graphs, batch=node // nodes).to(device)


def operator_inputs(dag: Any, heads: int, key_dim: int, value_dim: int) -> tuple[Tensor, ...]:
    """Query, key, value, source, transition, mark and direct gate, with the values that a new layer in P-mode makes."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    nodes, edges, lines = dag.num_nodes, dag.num_edges, dag.num_line_edges
    before = dag.line_index[0].cpu()
    transition = torch.tanh(5 + 0.5 * normal(lines, heads))
    total = torch.zeros(edges, heads).index_add(0, before, transition)
    tensors = (
        normal(nodes, heads, key_dim) * key_dim**-0.5,
        normal(nodes, heads, key_dim),
        normal(nodes, heads, value_dim),
        torch.sigmoid(normal(edges, heads) - 4),
        transition / total.clamp(min=1)[before],
        torch.sigmoid(normal(edges, heads) - 4),
        torch.sigmoid(normal(nodes, heads) - 6),
    )
    return tuple(t.to(dag.device).requires_grad_() for t in tensors)


def operator_call(
    engine: str, dag: Any, heads: int = HEADS, key_dim: int = WIDTH // HEADS, value_dim: int = WIDTH // HEADS
) -> Call:
    """Forward and backward pass of the operator; gradients of all seven inputs."""
    from plstm_graph.ops import plstm

    *inputs, direct = operator_inputs(dag, heads, key_dim, value_dim)
    grad_out = torch.randn(inputs[2].shape, generator=torch.Generator().manual_seed(1)).to(dag.device)

    def run() -> None:
        out = plstm(*inputs, dag, engine=engine, direct=direct)
        torch.autograd.grad(out, (*inputs, direct), grad_out)

    read = sum(t.numel() * t.element_size() for t in (*inputs, direct))
    index = sum(t.numel() * t.element_size() for t in (dag.edge_index, dag.line_index))
    out = grad_out.numel() * grad_out.element_size()
    return Call(run, dag.num_graphs, bytes=2 * (read + index) + read + 2 * out)


def module_call(module: torch.nn.Module, x: Tensor, arguments: Iterable[Any], items: int, **named: Any) -> Call:
    """Forward and backward pass of a layer; gradients of ``x`` and of all weights."""
    module = module.to(x.device).train()
    x = x.detach().clone().requires_grad_()
    arguments = tuple(arguments)
    wanted = (x, *module.parameters())
    with torch.no_grad():
        grad_out = torch.randn_like(module(x, *arguments, **named))

    def run() -> None:
        torch.autograd.grad(module(x, *arguments, **named), wanted, grad_out)

    return Call(run, items)


def node_features(num_nodes: int, width: int = WIDTH, device: str = "cpu") -> Tensor:
    """Random features ``[N, width]``."""
    return torch.randn(num_nodes, width, generator=torch.Generator().manual_seed(2)).to(device)
