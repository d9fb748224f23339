from __future__ import annotations

from collections.abc import Callable

import torch

from plstm_graph.data.join import join_datasets
from plstm_graph.data.packed import PackedDataset


def test_graphs_stand_one_set_after_the_other(packed: Callable[..., PackedDataset]) -> None:
    first, second = packed(20, seed=1), packed(17, seed=2)
    joined = join_datasets([first, second])
    assert len(joined) == 37
    for i, expected in enumerate([*(first[i] for i in range(20)), *(second[i] for i in range(17))]):
        found = joined[i]
        for name in ("x", "edge_index", "edge_attr", "y", "canonical_rank"):
            assert torch.equal(found[name].nan_to_num(9.0), expected[name].nan_to_num(9.0)), (i, name)


def test_classes_keep_their_names(packed: Callable[..., PackedDataset]) -> None:
    first, second = (packed(16, multiclass=True)[:n] for n in (4, 3))
    first.y, first.class_names = torch.tensor([1, 0, -1, 1]), ["2", "10"]
    second.y, second.class_names = torch.tensor([0, 1, -1]), ["1", "10"]
    joined = join_datasets([first, second])
    assert joined.class_names == ["1", "2", "10"]
    assert [joined.class_names[c] if c >= 0 else None for c in joined.y.tolist()] == [
        "10",
        "2",
        None,
        "10",
        "1",
        "10",
        None,
    ]
    assert joined.num_classes == 3
    first.class_names, second.class_names = ["b", "c"], ["a", "1"]
    assert join_datasets([first, second]).class_names == ["1", "a", "b", "c"]
