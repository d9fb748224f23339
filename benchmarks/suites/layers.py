"""Whole layers and blocks, beside what PyG offers and beside DAG networks written level by level."""

from __future__ import annotations

from functools import partial

from torch_geometric.data import Batch
from torch_geometric.nn import GATConv, GATv2Conv, GINEConv, TransformerConv

from benchmarks.case import Call, Case, Setting, Table
from benchmarks.inputs import BATCH, HEADS, WIDTH, module_call, molecule_dag, molecules, node_features
from benchmarks.peers import LevelwiseDAGGNN, LevelwiseTreeLSTM, gin_conv, gin_mlp, gps_block, levels


def layers(setting: Setting) -> dict[str, Call]:
    """Layers without and with edge features."""
    from plstm_graph import PLSTMConv

    count, batch = _batch(setting)
    x = node_features(batch.num_nodes, WIDTH, setting.device)
    edge = node_features(batch.edge_index.size(1), WIDTH, setting.device)
    dag = molecule_dag(setting.molecules, count, setting.device)
    plstm = partial(PLSTMConv, WIDTH, WIDTH, HEADS)
    split = (WIDTH, WIDTH // HEADS, HEADS)
    call = partial(module_call, x=x, items=count)
    return {
        "GINConv": call(gin_conv(WIDTH), arguments=[batch.edge_index]),
        "PLSTMConv P": call(plstm(), arguments=[dag]),
        "PLSTMConv D": call(plstm(mode="D"), arguments=[dag]),
        "PLSTMConv P, both directions": call(plstm(direction="both"), arguments=[dag]),
        "PLSTMConv P, edge features": call(plstm(edge_dim=WIDTH), arguments=[dag, edge]),
        "PLSTMConv P, both, edge features": call(plstm(direction="both", edge_dim=WIDTH), arguments=[dag, edge]),
        "GINEConv": call(GINEConv(gin_mlp(WIDTH)), arguments=[batch.edge_index, edge]),
        "GATConv": call(GATConv(*split), arguments=[batch.edge_index]),
        "GATv2Conv": call(GATv2Conv(*split), arguments=[batch.edge_index]),
        "GATv2Conv, edge features": call(GATv2Conv(*split, edge_dim=WIDTH), arguments=[batch.edge_index, edge]),
        "TransformerConv": call(TransformerConv(*split), arguments=[batch.edge_index]),
    }


def blocks(setting: Setting) -> dict[str, Call]:
    """pLSTM layer and MLP, against GINE, attention and MLP."""
    from plstm_graph import PLSTMBlock

    count, batch = _batch(setting)
    x = node_features(batch.num_nodes, WIDTH, setting.device)
    edge = node_features(batch.edge_index.size(1), WIDTH, setting.device)
    dag = molecule_dag(setting.molecules, count, setting.device)
    block = partial(PLSTMBlock, WIDTH, heads=HEADS)
    call = partial(module_call, x=x, items=count)
    gps = gps_block(WIDTH, HEADS)
    return {
        "GPS block": call(gps, arguments=[batch.edge_index, batch.batch], edge_attr=edge),
        "PLSTMBlock": call(block(), arguments=[dag]),
        "PLSTMBlock, edge features": call(block(WIDTH), arguments=[dag, edge]),
        "PLSTMBlock, both, edge features": call(block(WIDTH, direction="both"), arguments=[dag, edge]),
        "GINConv": call(gin_conv(WIDTH), arguments=[batch.edge_index]),
    }


def dag_peers(setting: Setting) -> dict[str, Call]:
    """Layers for DAGs, one direction each."""
    from plstm_graph import PLSTMConv

    count, batch = _batch(setting)
    x = node_features(batch.num_nodes, WIDTH, setting.device)
    dag = molecule_dag(setting.molecules, count, setting.device)
    plan = levels(dag.edge_index, dag.num_nodes)
    call = partial(module_call, x=x, items=count)
    return {
        "PLSTMConv P": call(PLSTMConv(WIDTH, WIDTH, HEADS), arguments=[dag]),
        "DAG-GNN, level by level": call(LevelwiseDAGGNN(WIDTH), arguments=[plan]),
        "Tree-LSTM, level by level": call(LevelwiseTreeLSTM(WIDTH), arguments=[plan]),
    }


def memory(setting: Setting) -> dict[str, Call]:
    """Peak memory of a training step, each measured in a fresh process."""
    from benchmarks.memory import MODELS, peak_megabytes

    count = 100 if setting.quick else BATCH
    return {
        name: Call(partial(peak_megabytes, name, setting.molecules, count, setting.threads), count, own_measure=True)
        for name in (("GIN", "pLSTM, both directions") if setting.quick else MODELS)
    }


def sizes(setting: Setting) -> Table:
    """What the batch holds."""
    count, _ = _batch(setting)
    dag = molecule_dag(setting.molecules, count, setting.device)
    return {
        "columns": ["molecules", "atoms", "bonds = DAG edges", "line edges", "levels"],
        "rows": [[count, dag.num_nodes, dag.num_edges, dag.num_line_edges, dag.num_levels]],
    }


def _batch(setting: Setting) -> tuple[int, Batch]:
    count = 100 if setting.quick else BATCH
    batch = molecules(setting.molecules, count, setting.device)
    return batch.num_graphs, batch


CASES: dict[str, Case] = {
    "layers": Case(
        f"one layer on a batch of {BATCH} molecules, width {WIDTH}, {HEADS} heads, forward + backward",
        layers, base="GINConv",
    ),
    "blocks": Case(
        f"one block (layer and MLP) on a batch of {BATCH} molecules, width {WIDTH}, {HEADS} heads, forward + backward",
        blocks, base="GPS block",
    ),
    "dag peers": Case(
        f"layers for DAGs on a batch of {BATCH} molecules, width {WIDTH}; the grouping by levels is not timed",
        dag_peers, base="PLSTMConv P",
    ),
    "memory": Case(
        f"peak memory of a training step, batch of {BATCH} molecules, four layers of width {WIDTH}, beyond what "
        "model, optimizer and batch take (bar: at most 3 times GIN's)",
        memory, base="GIN", rounds=1, unit="MB",
    ),
}  # fmt: skip

TABLES = {"batch": sizes}
