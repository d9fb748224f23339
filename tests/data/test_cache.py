from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from plstm_graph.data.cache import cached
from plstm_graph.data.packed import PackedDataset
from plstm_graph.errors import GraphError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "raw.csv"
    path.write_text("1,2\n")
    return path


@pytest.fixture
def made() -> list[int]:
    """One entry per time that the set was made."""
    return []


@pytest.fixture
def make(packed: Callable[..., PackedDataset], made: list[int]) -> Callable[[], PackedDataset]:
    def make() -> PackedDataset:
        made.append(len(made))
        return packed()

    return make


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLSTM_GRAPH_CACHE", str(tmp_path / "new" / "cache"))


def test_made_once(source: Path, make: Callable[[], PackedDataset], made: list[int]) -> None:
    first, second = (cached("set", [source], 1, make) for _ in range(2))
    assert made == [0]
    assert torch.equal(first.x, second.x)


@pytest.mark.parametrize("change", ["content", "time", "form", "version", "name"])
def test_made_anew_after_a_change(
    source: Path, make: Callable[[], PackedDataset], made: list[int], change: str
) -> None:
    cached("set", [source], 1, make, versions=["2026.3"])
    if change == "content":
        source.write_text("1,2\n3,4\n")
    if change == "time":
        os.utime(source, (1, 1))
    form = 2 if change == "form" else 1
    versions = ["2026.9"] if change == "version" else ["2026.3"]
    cached("other" if change == "name" else "set", [source], form, make, versions=versions)
    assert made == [0, 1]


def test_without_a_writable_folder(
    source: Path, make: Callable[[], PackedDataset], made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLSTM_GRAPH_CACHE", str(source / "below-a-file"))
    for _ in range(2):
        with pytest.warns(UserWarning, match="set cannot be cached"):
            assert len(cached("set", [source], 1, make)) == 23
    assert made == [0, 1]


def test_wrong_edges_are_not_cached(source: Path, packed: Callable[..., PackedDataset]) -> None:
    def broken() -> PackedDataset:
        dataset = packed()
        return dataclasses.replace(dataset, edge_index=dataset.edge_index.long() + 100)

    for _ in range(2):
        with pytest.raises(GraphError, match="joins the nodes"):
            cached("set", [source], 1, broken)
