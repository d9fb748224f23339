"""Several data sets of one kind as one, such as the files of a split."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from plstm_graph.data.packed import PackedDataset
from plstm_graph.data.rows import pointer


def join_datasets(datasets: Sequence[PackedDataset]) -> PackedDataset:
    """Graphs one set after the other, without splits; name and metadata are those of the first.

    Sets with classes keep the names of these: the joined set has all classes that any of them has. Yes/no targets
    beside targets that are numbers become numbers.

    Args:
        datasets: sets with the same kinds of features, the same fields and the same targets.
    """
    first = datasets[0]
    y, class_names = _join_labels(datasets)
    kind = "regression" if any(d.task == "regression" for d in datasets) else first.task
    decides = next(d for d in datasets if d.task == kind)
    return dataclasses.replace(
        first,
        x=torch.cat([d.x for d in datasets]),
        edge_index=torch.cat([d.edge_index for d in datasets], dim=1),
        edge_attr=None if first.edge_attr is None else torch.cat([d.edge_attr for d in datasets]),
        y=y,
        node_ptr=pointer(torch.cat([d.node_ptr.diff() for d in datasets])),
        edge_ptr=pointer(torch.cat([d.edge_ptr.diff() for d in datasets])),
        node_fields={name: torch.cat([d.node_fields[name] for d in datasets]) for name in first.node_fields},
        graph_fields={name: torch.cat([d.graph_fields[name] for d in datasets]) for name in first.graph_fields},
        text_fields={name: [text for d in datasets for text in d.text_fields[name]] for name in first.text_fields},
        task=kind,
        metric=decides.metric,
        num_classes=len(class_names) or first.num_classes,
        class_names=class_names,
        splits={},
    )


def _join_labels(datasets: Sequence[PackedDataset]) -> tuple[Tensor, list[str]]:
    if not any(d.class_names for d in datasets):
        return torch.cat([d.y for d in datasets]), []
    names = sort_classes({name for d in datasets for name in d.class_names})
    number = {name: i for i, name in enumerate(names)}
    labels = []
    for d in datasets:
        new = torch.tensor([*(number[name] for name in d.class_names), -1])
        labels.append(new[d.y])  # -1, a missing label, takes the last entry
    return torch.cat(labels), names


def sort_classes(names: set[str]) -> list[str]:
    """Names of classes in order: by value if all are numbers."""
    try:
        return sorted(names, key=float)
    except ValueError:
        return sorted(names)
