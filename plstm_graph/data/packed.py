"""All graphs of a data set in a few tensors, from which a batch is a handful of index operations."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torch_geometric.data import Batch, Data

from plstm_graph.data.packed_file import read_fields, write_fields
from plstm_graph.data.rows import gather_rows, narrow, pointer, take, widen
from plstm_graph.errors import GraphError

TASKS = ("binary", "multiclass", "regression", "sequence")
KINDS = ("atom", "bond", "category", "number")

Rows = int | slice | Sequence[int] | Sequence[bool] | np.ndarray | Tensor


@dataclass(eq=False, repr=False)
class PackedDataset(Dataset):
    """G graphs in concatenated tensors.

    Integer tensors of nodes and edges are kept in the smallest type that holds them (an eighth of the memory for
    molecules, and the faster way to gather them); single graphs and batches hold int64.

    Args:
        name: name of the set.
        x: ``[N, F]`` node features, integer categories or float.
        edge_index: ``[2, C]`` integer, nodes counted within their graph.
        edge_attr: ``[C, D]`` or ``None``.
        y: ``[G, T]`` float with NaN where missing, or classes ``[G]`` (``[G, T]`` for sequences), int64, -1 where
            missing.
        node_ptr: ``[G + 1]`` int64, first node of every graph, and N.
        edge_ptr: ``[G + 1]`` int64, first column of every graph, and C.
        task: ``"binary"``, ``"multiclass"``, ``"regression"``, or ``"sequence"`` (T classes in a row).
        metric: name of the metric, such as ``"rocauc"``, ``"ap"``, ``"rmse"``, ``"accuracy"``, ``"f1"``.
        num_classes: number of classes of a multi-class or sequence task, else 0.
        node_kind: ``"atom"`` (OGB's nine atom features), ``"category"``, or ``"number"``.
        edge_kind: ``"bond"`` (OGB's three bond features), ``"category"``, ``"number"``, or ``None``.
        directed: edges are directed; else both directions of every edge are listed.
        chirality: for molecules, what the chirality column of ``x`` means, see
            :func:`plstm_graph.chem.from_smiles`; SMILES to be predicted must be read in the same way.
        node_fields: further tensors with one row per node, such as ``canonical_rank``.
        graph_fields: further tensors with one row per graph, such as weights.
        text_fields: lists with one string per graph, such as ``smiles``; batches leave them out.
        targets: names of the T targets.
        class_names: names of the classes, in order.
        splits: ``train``, ``valid`` and ``test`` → int64 graph numbers.
        transform: applied to every single graph that is taken out, as in PyG's data sets, such as
            :class:`plstm_graph.ToLineDAG`; not saved. Batches do not use it: give it to their loader.

    Raises:
        GraphError: the tensors do not fit each other.
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
    chirality: str | None = None
    node_fields: dict[str, Tensor] = field(default_factory=dict)
    graph_fields: dict[str, Tensor] = field(default_factory=dict)
    text_fields: dict[str, list[str]] = field(default_factory=dict)
    targets: list[str] = field(default_factory=list)
    class_names: list[str] = field(default_factory=list)
    splits: dict[str, Tensor] = field(default_factory=dict)
    transform: Callable[[Data], Data] | None = None

    def __post_init__(self) -> None:
        self._check()
        self.x, self.edge_index = narrow(self.x), narrow(self.edge_index)
        self.edge_attr = None if self.edge_attr is None else narrow(self.edge_attr)
        self.node_fields = {name: narrow(value) for name, value in self.node_fields.items()}

    def __len__(self) -> int:
        return self.node_ptr.numel() - 1

    @property
    def num_tasks(self) -> int:
        """Number of targets T."""
        return self.y.size(1) if self.y.dim() == 2 else 1

    @property
    def num_node_features(self) -> int:
        """Number of node features F."""
        return self.x.size(1)

    @property
    def num_edge_features(self) -> int:
        """Number of edge features D, 0 without edge features."""
        return 0 if self.edge_attr is None else self.edge_attr.size(1)

    @property
    def node_categories(self) -> list[int]:
        """Number of values of each node feature, for features that are categories."""
        return _categories(self.x)

    @property
    def edge_categories(self) -> list[int]:
        """Number of values of each edge feature, for features that are categories."""
        return [] if self.edge_attr is None else _categories(self.edge_attr)

    @property
    def smiles(self) -> list[str] | None:
        """The SMILES of every graph, for molecules."""
        return self.text_fields.get("smiles")

    def __getitem__(self, index: Rows) -> Data | PackedDataset:
        """One graph as ``Data`` for a number, else the part of the set that slice, numbers or mask choose."""
        if isinstance(index, Integral) or (isinstance(index, Tensor | np.ndarray) and index.ndim == 0):
            return self._graph(int(self._numbers([int(index)])))
        return self.subset(index)

    def subset(self, index: Rows) -> PackedDataset:
        """The chosen graphs, in that order, as a set of its own without splits.

        Raises:
            IndexError: there is no such graph.
        """
        graphs = self._numbers(index)
        nodes, sizes = gather_rows(self.node_ptr, graphs)
        columns, widths = gather_rows(self.edge_ptr, graphs)
        return dataclasses.replace(
            self,
            x=self.x[nodes],
            edge_index=self.edge_index[:, columns],
            edge_attr=None if self.edge_attr is None else self.edge_attr[columns],
            y=self.y[graphs],
            node_ptr=pointer(sizes),
            edge_ptr=pointer(widths),
            node_fields={name: value[nodes] for name, value in self.node_fields.items()},
            graph_fields={name: value[graphs] for name, value in self.graph_fields.items()},
            text_fields={name: [texts[i] for i in graphs.tolist()] for name, texts in self.text_fields.items()},
            splits={},
        )

    def collate(self, index: Rows) -> Batch:
        """The chosen graphs as one PyG ``Batch``, as ``Batch.from_data_list`` would build it.

        ``graph_id [M]`` holds their numbers in the set.

        Raises:
            IndexError: there is no such graph.
        """
        graphs = self._numbers(index)
        nodes, sizes = gather_rows(self.node_ptr, graphs)
        columns, widths = gather_rows(self.edge_ptr, graphs)
        node_ptr, edge_ptr, graph_ptr = pointer(sizes), pointer(widths), torch.arange(graphs.numel() + 1)
        shift = torch.repeat_interleave(node_ptr[:-1], widths, output_size=columns.numel())
        values = {"x": take(self.x, 0, nodes), "edge_index": take(self.edge_index, 1, columns) + shift}
        slices = {"x": node_ptr, "edge_index": edge_ptr}
        if self.edge_attr is not None:
            values["edge_attr"], slices["edge_attr"] = take(self.edge_attr, 0, columns), edge_ptr
        for name, value in self.node_fields.items():
            values[name], slices[name] = take(value, 0, nodes), node_ptr
        for name, value in {"y": self.y, **self.graph_fields}.items():
            values[name], slices[name] = value[graphs], graph_ptr
        values["graph_id"], slices["graph_id"] = graphs, graph_ptr
        number = torch.repeat_interleave(sizes, output_size=nodes.numel())
        batch = Batch(**values, batch=number, ptr=node_ptr)
        batch._num_graphs = graphs.numel()
        batch._slice_dict = slices  # these two let batch[i] and batch.to_data_list() take it apart again
        batch._inc_dict = {name: node_ptr[:-1] if name == "edge_index" else None for name in slices}
        return batch

    def _graph(self, i: int) -> Data:
        nodes = slice(*self.node_ptr[i : i + 2].tolist())
        columns = slice(*self.edge_ptr[i : i + 2].tolist())
        data = Data(x=widen(self.x[nodes]), edge_index=widen(self.edge_index[:, columns]), y=self.y[i : i + 1])
        if self.edge_attr is not None:
            data.edge_attr = widen(self.edge_attr[columns])
        for name, value in self.node_fields.items():
            data[name] = widen(value[nodes])
        for name, value in self.graph_fields.items():
            data[name] = value[i : i + 1]
        for name, texts in self.text_fields.items():
            data[name] = texts[i]
        data.graph_id = torch.tensor([i])
        return data if self.transform is None else self.transform(data)

    def _numbers(self, index: Rows) -> Tensor:
        """Graph numbers from 0, int64."""
        if isinstance(index, slice):
            return torch.arange(len(self))[index]
        numbers = torch.as_tensor(index)
        if numbers.numel() == 0:
            return torch.empty(0, dtype=torch.int64)
        if numbers.dtype == torch.bool:
            if numbers.shape != (len(self),):
                raise IndexError(f"a mask over {self.name} needs {len(self)} entries, got {list(numbers.shape)}")
            return numbers.nonzero().flatten()
        if numbers.is_floating_point() or numbers.dim() != 1:
            raise IndexError(f"graphs are chosen by a list of numbers, got {numbers.dtype} {list(numbers.shape)}")
        low, high = int(numbers.min()), int(numbers.max())
        if low < -len(self) or high >= len(self):
            raise IndexError(f"graph {low if low < -len(self) else high} does not exist: {self.name} has {len(self)}")
        numbers = numbers.long()
        return numbers if low >= 0 else torch.where(numbers < 0, numbers + len(self), numbers)

    def check_edges(self) -> None:
        """Check that every edge joins two nodes of its graph; takes one pass over all edges.

        Raises:
            GraphError: one does not; the message names it.
        """
        size = torch.repeat_interleave(self.node_ptr.diff(), self.edge_ptr.diff())
        outside = ((self.edge_index < 0) | (self.edge_index >= size)).any(dim=0)
        if outside.any():
            column = int(outside.nonzero()[0])
            graph = int(torch.searchsorted(self.edge_ptr, column, right=True)) - 1
            raise GraphError(
                f"{self.name}, graph {graph}: edge {column - int(self.edge_ptr[graph])} joins the nodes "
                f"{self.edge_index[:, column].tolist()}, but the graph has {int(size[column])} nodes"
            )

    def _check(self) -> None:
        graphs, nodes, columns = self.node_ptr.numel() - 1, self.x.size(0), self.edge_index.size(1)
        expected = [("edge_ptr", self.edge_ptr.numel(), graphs + 1), ("y", self.y.size(0), graphs)]
        for name, ptr, end in (("node_ptr", self.node_ptr, nodes), ("edge_ptr", self.edge_ptr, columns)):
            if ptr.dtype != torch.int64 or ptr.dim() != 1 or ptr.numel() == 0 or (ptr.diff() < 0).any() or ptr[0] != 0:
                raise GraphError(f"{self.name}: {name} must be int64, start at 0 and never fall")
            expected.append((f"{name}[-1]", int(ptr[-1]), end))
        expected += [(f"node_fields[{k!r}]", v.size(0), nodes) for k, v in self.node_fields.items()]
        expected += [(f"graph_fields[{k!r}]", v.size(0), graphs) for k, v in self.graph_fields.items()]
        expected += [(f"text_fields[{k!r}]", len(v), graphs) for k, v in self.text_fields.items()]
        if self.edge_attr is not None:
            expected.append(("edge_attr", self.edge_attr.size(0), columns))
        for what, found, wanted in expected:
            if found != wanted:
                raise GraphError(f"{self.name}: {what} is {found}, but should be {wanted}")
        for what, value, known in (
            ("task", self.task, TASKS),
            ("node_kind", self.node_kind, KINDS),
            ("edge_kind", self.edge_kind, (*KINDS, None)),
        ):
            if value not in known:
                raise GraphError(
                    f"{self.name}: {what}={value!r} does not exist; choose from {', '.join(map(str, known))}"
                )

    def save(self, path: str | Path) -> None:
        """Write tensors and JSON metadata to one file, whole or not at all, also when several processes do so."""
        names = [spec.name for spec in dataclasses.fields(self) if spec.name != "transform"]
        write_fields(Path(path), {name: getattr(self, name) for name in names})

    @classmethod
    def load(cls, path: str | Path) -> PackedDataset:
        """Read what :meth:`save` wrote; tensors stay on disk until they are used.

        Raises:
            DatasetNotFoundError: there is no such file.
            TableError: the file is damaged or of another form.
        """
        return cls(**read_fields(Path(path)))

    def __repr__(self) -> str:
        return f"PackedDataset({self.name!r}, graphs={len(self)}, task={self.task!r}, metric={self.metric!r})"


def _categories(value: Tensor) -> list[int]:
    return (value.amax(dim=0).long() + 1).tolist() if value.numel() else [1] * value.size(1)
