"""All graphs of a data set in a few tensors, from which a batch is a handful of index operations."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torch_geometric.data import Batch, Data

from plstm_graph.errors import TableError

FORMAT = "plstm-graph-data/1"
TASKS = ("binary", "multiclass", "regression", "sequence")


@dataclass
class PackedDataset(Dataset):
    """G graphs in concatenated tensors.

    Args:
        name: name of the set.
        x: ``[N, F]`` node features, int64 categories or float.
        edge_index: ``[2, C]`` int64, nodes counted within their graph.
        edge_attr: ``[C, D]`` or ``None``.
        y: ``[G, T]`` float with NaN where missing, or ``[G]`` int64 classes.
        node_ptr: ``[G + 1]`` int64, first node of every graph.
        edge_ptr: ``[G + 1]`` int64, first column of every graph.
        task: ``"binary"``, ``"multiclass"``, ``"regression"``, or ``"sequence"`` (``y [G, T]`` int64, T classes in a row).
        metric: name of the metric, such as ``"rocauc"``, ``"ap"``, ``"rmse"``, ``"acc"``, ``"F1"``.
        num_classes: number of classes of a multi-class task, else 0.
        node_kind: ``"atom"`` (OGB's nine atom features), ``"category"``, or ``"number"``.
        edge_kind: ``"bond"`` (OGB's three bond features), ``"category"``, ``"number"``, or ``None``.
        directed: edges are directed; else both directions of every edge are listed.
        node_fields: further tensors with one row per node, such as ``canonical_rank``.
        graph_fields: further tensors with one row per graph, such as sample weights.
        smiles: one SMILES per graph, or ``None``.
        targets: names of the T targets.
        splits: ``train``, ``valid`` and ``test`` → int64 graph numbers.

    Raises:
        TableError: the tensors do not fit each other.
    """

    name: str
    x: Tensor
    edge_index: Tensor
    edge_attr: Tensor | None
    y: Tensor
    node_ptr: Tensor
    edge_ptr: Tensor
    task: str
    metric: str
    num_classes: int = 0
    node_kind: str = "number"
    edge_kind: str | None = None
    directed: bool = False
    node_fields: dict[str, Tensor] = field(default_factory=dict)
    graph_fields: dict[str, Tensor] = field(default_factory=dict)
    smiles: list[str] | None = None
    targets: list[str] = field(default_factory=list)
    splits: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graphs, nodes, columns = self.node_ptr.numel() - 1, self.x.size(0), self.edge_index.size(1)
        expected = [
            ("edge_ptr", self.edge_ptr.numel(), graphs + 1),
            ("y", self.y.size(0), graphs),
            ("node_ptr[-1]", int(self.node_ptr[-1]), nodes),
            ("edge_ptr[-1]", int(self.edge_ptr[-1]), columns),
            *((f"node_fields[{k!r}]", v.size(0), nodes) for k, v in self.node_fields.items()),
            *((f"graph_fields[{k!r}]", v.size(0), graphs) for k, v in self.graph_fields.items()),
        ]
        if self.edge_attr is not None:
            expected.append(("edge_attr", self.edge_attr.size(0), columns))
        if self.smiles is not None:
            expected.append(("smiles", len(self.smiles), graphs))
        for what, found, wanted in expected:
            if found != wanted:
                raise TableError(f"{self.name}: {what} has {found} entries instead of {wanted}")
        if self.task not in TASKS:
            raise TableError(f"{self.name}: task {self.task!r} is none of {', '.join(TASKS)}")

    def __len__(self) -> int:
        return self.node_ptr.numel() - 1

    @property
    def num_tasks(self) -> int:
        """Number of outputs a model needs: targets, or classes of a multi-class task, for each place of a sequence."""
        places = self.y.size(1) if self.y.dim() == 2 else 1
        return places * self.num_classes if self.task in ("multiclass", "sequence") else places

    @property
    def num_node_features(self) -> int:
        """Number of node features F."""
        return self.x.size(1)

    @property
    def num_edge_features(self) -> int:
        """Number of edge features D, 0 without edge features."""
        return 0 if self.edge_attr is None else self.edge_attr.size(1)

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> Data | PackedDataset:
        """One graph as ``Data``, or a part of the set."""
        if isinstance(index, int) or (isinstance(index, Tensor) and index.dim() == 0):
            i = int(index)
            if not -len(self) <= i < len(self):
                raise IndexError(f"graph {i} does not exist: {self.name} has {len(self)}")
            batch = self.collate(torch.tensor([i % len(self)]))
            data = Data(**{k: v for k, v in batch.to_dict().items() if k not in ("batch", "ptr")})
            if self.smiles is not None:
                data.smiles = self.smiles[i]
            return data
        if isinstance(index, slice):
            index = torch.arange(len(self))[index]
        return self.subset(torch.as_tensor(index))

    def subset(self, graphs: Tensor) -> PackedDataset:
        """The given graphs ``[M]``, in that order, without splits."""
        nodes, columns = self._rows(graphs)
        return dataclasses.replace(
            self,
            x=self.x[nodes],
            edge_index=self.edge_index[:, columns],
            edge_attr=None if self.edge_attr is None else self.edge_attr[columns],
            y=self.y[graphs],
            node_ptr=_pointer(self.node_ptr.diff()[graphs]),
            edge_ptr=_pointer(self.edge_ptr.diff()[graphs]),
            node_fields={k: v[nodes] for k, v in self.node_fields.items()},
            graph_fields={k: v[graphs] for k, v in self.graph_fields.items()},
            smiles=None if self.smiles is None else [self.smiles[i] for i in graphs.tolist()],
            splits={},
        )

    def collate(self, graphs: Tensor | Sequence[int]) -> Batch:
        """The given graphs ``[M]`` as one PyG ``Batch``, as ``Batch.from_data_list`` would build it.

        The batch also holds ``graph_id [M]``, the numbers of its graphs in the set.
        """
        graphs = torch.as_tensor(graphs, dtype=torch.int64)
        nodes, columns = self._rows(graphs)
        sizes = self.node_ptr.diff()[graphs]
        ptr = _pointer(sizes)
        shift = torch.repeat_interleave(ptr[:-1], self.edge_ptr.diff()[graphs], output_size=columns.numel())
        batch = Batch(
            x=self.x[nodes],
            edge_index=self.edge_index[:, columns] + shift,
            y=self.y[graphs],
            **{k: v[nodes] for k, v in self.node_fields.items()},
            **{k: v[graphs] for k, v in self.graph_fields.items()},
            graph_id=graphs,
            batch=torch.repeat_interleave(sizes, output_size=nodes.numel()),
            ptr=ptr,
        )
        if self.edge_attr is not None:
            batch.edge_attr = self.edge_attr[columns]
        batch._num_graphs = graphs.numel()
        return batch

    def _rows(self, graphs: Tensor) -> tuple[Tensor, Tensor]:
        return _ranges(self.node_ptr, graphs), _ranges(self.edge_ptr, graphs)

    def save(self, path: str | Path) -> None:
        """Write tensors and metadata to one file, whole or not at all; ``torch.load(weights_only=True)`` reads it."""
        path = Path(path)
        tensors: dict[str, Tensor] = {}
        plain: dict[str, object] = {}
        for spec in dataclasses.fields(self):
            value = getattr(self, spec.name)
            if isinstance(value, Tensor):
                tensors[spec.name] = value
            elif spec.name in ("node_fields", "graph_fields", "splits"):
                tensors.update({f"{spec.name}/{k}": v for k, v in value.items()})
            else:
                plain[spec.name] = value
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        torch.save({"format": FORMAT, "json": json.dumps(plain), "tensors": tensors}, part)
        os.replace(part, path)

    @classmethod
    def load(cls, path: str | Path) -> PackedDataset:
        """Read what :meth:`save` wrote.

        Raises:
            TableError: the file is of another form.
        """
        content = torch.load(path, weights_only=True, mmap=True)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise TableError(f"{path} is not a packed data set of the form {FORMAT!r}")
        fields: dict[str, object] = {"node_fields": {}, "graph_fields": {}, "splits": {}, "edge_attr": None}
        fields.update(json.loads(content["json"]))
        for name, tensor in content["tensors"].items():
            group, _, key = name.partition("/")
            if key:
                fields[group][key] = tensor
            else:
                fields[name] = tensor
        return cls(**fields)

    def __repr__(self) -> str:
        return f"PackedDataset({self.name!r}, graphs={len(self)}, task={self.task!r}, metric={self.metric!r})"


def _pointer(sizes: Tensor) -> Tensor:
    return torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])


def _ranges(ptr: Tensor, graphs: Tensor) -> Tensor:
    """Rows ``ptr[g] .. ptr[g + 1] - 1`` of all the graphs, one after the other."""
    sizes = ptr.diff()[graphs]
    ends = sizes.cumsum(0)
    total = int(ends[-1]) if ends.numel() else 0
    first = torch.repeat_interleave(ptr[graphs] - ends + sizes, sizes, output_size=total)
    return first + torch.arange(total)
