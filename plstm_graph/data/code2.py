"""ogbg-code2: syntax trees of Python functions; predict the sub-tokens of the function's name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from plstm_graph.data.packed import PackedDataset
from plstm_graph.data.places import cache_file, data_root, need
from plstm_graph.errors import TableError

FORMAT_VERSION = 1
UNKNOWN, END = "__UNK__", "__EOS__"
MAX_DEPTH = 20


def load_code2(root: str | Path | None = None, num_vocab: int = 5000, length: int = 5) -> PackedDataset:
    """Load the set, as OGB's example code prepares it.

    Nodes have three categories: type, attribute, and depth in the tree (at most 20). The edges of the syntax tree
    are directed from parent to child (``edge_attr`` 0), and each leaf to the next one in the order of the source
    (``edge_attr`` 1), which keeps the graph acyclic. Targets are ``length`` class numbers into the vocabulary of the
    ``num_vocab`` most frequent sub-tokens of the training part; the last two classes stand for any other sub-token
    and for the end. ``graph_fields["target_length"]`` is the number of sub-tokens of the whole name.

    Args:
        root: data root; the set lies in ``<root>/ogb/ogbg_code2``.
        num_vocab: size of the vocabulary without the two special classes.
        length: number of sub-tokens to predict.

    Raises:
        DatasetNotFoundError: files are missing.
        TableError: files contradict each other.
    """
    folder = data_root(root) / "ogb" / "ogbg_code2"
    raw = ("edge", "node-feat", "node_is_attributed", "node_dfs_order", "node_depth", "num-node-list", "num-edge-list")
    files = [f"raw/{part}.csv.gz" for part in (*raw, "graph-label")]
    files += [f"split/project/{part}.csv.gz" for part in ("train", "valid", "test")]
    paths = need(folder, files, "ogbg-code2", "http://snap.stanford.edu/ogb/data/graphproppred/code2.zip")
    cached = cache_file(f"ogbg-code2-{num_vocab}-{length}", paths, FORMAT_VERSION)
    if not cached.is_file():
        _read(folder, num_vocab, length).save(cached)
    return PackedDataset.load(cached)


def _read(folder: Path, num_vocab: int, length: int) -> PackedDataset:
    from plstm_graph.data.ogb import read_csv, read_splits

    def numbers(name: str) -> np.ndarray:
        return read_csv(folder / f"raw/{name}.csv.gz", np.int64)

    node_count, edge_count = numbers("num-node-list")[:, 0], numbers("num-edge-list")[:, 0]
    edges, features, depth = numbers("edge"), numbers("node-feat"), numbers("node_depth")
    attributed, order = numbers("node_is_attributed")[:, 0], numbers("node_dfs_order")[:, 0]
    if len(features) != node_count.sum() or len(edges) != edge_count.sum():
        raise TableError(f"ogbg-code2: {folder}/raw disagrees on the number of nodes or edges")
    leaves, leaf_count = _next_leaf(node_count, attributed, order)
    graph_of_edge = np.concatenate([np.repeat(np.arange(edge_count.size), c) for c in (edge_count, leaf_count)])
    grouped = np.argsort(graph_of_edge, kind="stable")
    kind = np.repeat([0, 1], [len(edges), len(leaves)])
    label = pd.read_csv(folder / "raw/graph-label.csv.gz", header=None, keep_default_na=False)[0].astype(str)
    names = label.str.split(" ").tolist()
    splits = read_splits(folder / "split/project")
    vocabulary = top_words([names[i] for i in splits["train"].tolist()], num_vocab)
    number = {word: i for i, word in enumerate(vocabulary)}
    return PackedDataset(
        name="ogbg-code2",
        x=torch.from_numpy(np.concatenate([features, np.minimum(depth, MAX_DEPTH)], axis=1)),
        edge_index=torch.from_numpy(np.concatenate([edges, leaves])[grouped].T.copy()),
        edge_attr=torch.from_numpy(kind[grouped, None]),
        y=torch.tensor([encode(name, number, length) for name in names]),
        node_ptr=torch.from_numpy(np.concatenate([[0], np.cumsum(node_count)])),
        edge_ptr=torch.from_numpy(np.concatenate([[0], np.cumsum(edge_count + leaf_count)])),
        task="sequence",
        metric="F1",
        num_classes=len(vocabulary) + 2,
        node_kind="category",
        edge_kind="category",
        directed=True,
        graph_fields={"target_length": torch.tensor([len(name) for name in names])},
        targets=[*vocabulary, UNKNOWN, END],
        splits=splits,
    )


def _next_leaf(node_count: np.ndarray, attributed: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges ``[., 2]`` from every attributed node to the next in source order, and their number per graph."""
    first = np.concatenate([[0], np.cumsum(node_count)])
    graph = np.repeat(np.arange(node_count.size), node_count)
    nodes = np.flatnonzero(attributed == 1)
    nodes = nodes[np.lexsort((order[nodes], graph[nodes]))]
    same = graph[nodes[1:]] == graph[nodes[:-1]]
    tail, head = nodes[:-1][same], nodes[1:][same]
    start = first[graph[tail]]
    return np.stack([tail - start, head - start], axis=1), np.bincount(graph[tail], minlength=node_count.size)


def top_words(names: list[list[str]], size: int) -> list[str]:
    """The most frequent sub-tokens; of equally frequent ones those seen first."""
    return [word for word, _ in Counter(word for name in names for word in name).most_common(size)]


def encode(name: list[str], number: dict[str, int], length: int) -> list[int]:
    """Class numbers of the first ``length`` sub-tokens, filled up with the class of the end."""
    unknown, end = len(number), len(number) + 1
    codes = [number.get(word, unknown) for word in name[:length]]
    return codes + [end] * (length - len(codes))


def decode(codes: list[int], vocabulary: list[str]) -> list[str]:
    """Sub-tokens of class numbers, up to the first end; ``UNKNOWN`` stands for others."""
    words = [*vocabulary, UNKNOWN, END]
    end = len(vocabulary) + 1
    return [words[c] for c in codes[: codes.index(end) if end in codes else len(codes)]]
