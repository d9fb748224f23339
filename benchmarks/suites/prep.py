"""What comes before the model: line DAGs, features of molecules, batches. On one core."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import networkx as nx
import torch
from torch_geometric.data import Batch

from benchmarks.case import Call, Case, Setting
from benchmarks.inputs import BATCH, molecules, smiles

FEW = 20
"""Molecules for what takes milliseconds each."""


def line_graphs(setting: Setting) -> dict[str, Call]:
    """From edge_index to LineDAG, for a whole batch at once."""
    from plstm_graph import LineDAG, ToLineDAG

    count = 50 if setting.quick else BATCH
    batch = molecules(setting.molecules, count)
    index, rank, number = torch.arange(batch.num_nodes), batch.canonical_rank, batch.batch
    build = partial(LineDAG.from_edge_index, batch.edge_index, batch.num_nodes, batch=number)
    few = _split(batch, FEW)
    unranked = batch.clone()
    del unranked.canonical_rank
    return {
        "edge_index → LineDAG": Call(partial(build, order=index), count),
        "edge_index → LineDAG, ranks given": Call(partial(build, order=rank), count),
        "ToLineDAG index": Call(_transform(ToLineDAG("index"), batch), count),
        "ToLineDAG canonical": Call(_transform(ToLineDAG("canonical"), batch), count),
        "ToLineDAG canonical, no ranks": Call(_transform(ToLineDAG("canonical"), unranked), count),
        "ToLineDAG center": Call(_transform(ToLineDAG("center"), batch), count),
        "ToLineDAG index, one by one": Call(lambda: [ToLineDAG("index")(data) for data in few], FEW),
        "networkx line graph, one by one": Call(partial(_networkx, few), FEW),
    }


def _transform(transform: Callable[[Batch], Batch], batch: Batch) -> Callable[[], Any]:
    return lambda: transform(batch.clone())


def _split(batch: Batch, count: int) -> list[Any]:
    from torch_geometric.data import Data

    graphs = []
    for g in range(count):
        first, last = batch.ptr[g : g + 2].tolist()
        columns = (batch.edge_index[0] >= first) & (batch.edge_index[0] < last)
        graphs.append(Data(edge_index=batch.edge_index[:, columns] - first, num_nodes=last - first))
    return graphs


def _networkx(graphs: list[Any]) -> None:
    """Line graph and levels; no multitree, which would be by far the slowest."""
    for data in graphs:
        dag = nx.DiGraph((t, h) for t, h in data.edge_index.T.tolist() if t < h)
        list(nx.topological_generations(nx.line_graph(dag)))


def from_smiles_strings(setting: Setting) -> dict[str, Call]:
    """From SMILES to features."""
    from ogb.utils import smiles2graph
    from rdkit import Chem, RDLogger

    from plstm_graph import from_smiles
    from plstm_graph.chem.batch import featurize

    RDLogger.DisableLog("rdApp.*")  # this process does nothing but measure
    strings = [s for s in smiles(setting.molecules, BATCH) if Chem.MolFromSmiles(s) is not None]
    strings = strings[: 50 if setting.quick else None]
    count = len(strings)
    return {
        "ogb smiles2graph": Call(lambda: [smiles2graph(s) for s in strings], count),
        "featurize, list of Data": Call(lambda: featurize(strings, progress=False, output="list"), count),
        "featurize, packed": Call(lambda: featurize(strings, progress=False), count),
        "from_smiles, one by one": Call(lambda: [from_smiles(s) for s in strings], count),
        "RDKit's MolFromSmiles alone": Call(lambda: [Chem.MolFromSmiles(s) for s in strings], count),
    }


def collation(setting: Setting) -> dict[str, Call]:
    """From single graphs to a batch with its line DAG."""
    from torch_geometric.loader.dataloader import Collater

    from plstm_graph import ToLineDAG

    dataset = _packed(setting)
    count = len(dataset)
    rows = torch.arange(count)
    to_dag = ToLineDAG()
    graphs = [dataset[i] for i in range(count)]
    with_dag = [to_dag(data.clone()) for data in graphs]
    collate = Collater(graphs)
    return {
        "packed": Call(lambda: dataset.collate(rows), count),
        "packed, and line DAG": Call(lambda: to_dag(dataset.collate(rows)), count),
        "PyG's DataLoader": Call(lambda: collate(graphs), count),
        "PyG's DataLoader, line DAGs made before": Call(lambda: collate(with_dag).dag, count),
    }


def _packed(setting: Setting) -> Any:
    """The molecules as a packed data set."""
    from plstm_graph.data import PackedDataset

    batch = molecules(setting.molecules, 50 if setting.quick else BATCH)
    edge_graph = batch.batch[batch.edge_index[0]]
    counts = torch.bincount(edge_graph, minlength=batch.num_graphs)
    return PackedDataset(
        name="benchmark",
        x=batch.x,
        edge_index=batch.edge_index - batch.ptr[edge_graph],
        edge_attr=batch.edge_attr,
        y=batch.y,
        node_ptr=batch.ptr,
        edge_ptr=torch.cat([counts.new_zeros(1), counts.cumsum(0)]),
        task="binary",
        metric="rocauc",
        node_kind="atom",
        edge_kind="bond",
        node_fields={"canonical_rank": batch.canonical_rank},
    )


CASES: dict[str, Case] = {
    "line graph": Case(
        f"edge_index → LineDAG (line graph, levels, multitree), batch of {BATCH} molecules, one core",
        line_graphs, base="edge_index → LineDAG",
    ),
    "smiles": Case(
        f"SMILES → features of {BATCH} molecules, one core", from_smiles_strings, base="ogb smiles2graph", rounds=9
    ),
    "collation": Case(f"a batch of {BATCH} molecules from single ones, one core", collation, base="packed"),
}  # fmt: skip

THREADS = 1
