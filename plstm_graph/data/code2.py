"""ogbg-code2: syntax trees of Python functions; predict the sub-tokens of the function's name."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from plstm_graph.data.cache import cached
from plstm_graph.data.ogb import describe, ogb_folder, read_numbers, read_pointers, read_splits
from plstm_graph.data.packed import PackedDataset
from plstm_graph.data.places import need
from plstm_graph.errors import TableError

FORM = 3
NAME = "ogbg-code2"
UNKNOWN, END = "__UNK__", "__EOS__"
MAX_DEPTH = 20


def load_code2(root: str | Path | None = None, num_vocab: int = 5000, length: int = 5) -> PackedDataset:
    """Load the set, prepared as in OGB's example code, except that edges are not doubled by their inverse.

    Nodes have three categories: type, attribute, and depth in the tree (at most 20). The edges of the syntax tree
    are directed from parent to child (``edge_attr`` 0), and each attributed node has an edge to the next one in the
    order of the source (``edge_attr`` 1); the graph stays acyclic, since both follow the depth-first order.

    Targets are ``length`` classes: numbers into the vocabulary of the ``num_vocab`` most frequent sub-tokens of the
    training part, then one class for all other sub-tokens, and one for the end. :func:`decode` goes back to
    sub-tokens, ``text_fields["label"]`` holds all sub-tokens of the name, and ``graph_fields["reference"]`` (int32
    ``[G, R]``) their numbers for OGB's evaluator, filled up with -1: those of the vocabulary are its classes, other
    sub-tokens have numbers above all classes, so that no prediction is right about them.

    Args:
        root: data root; the set lies in ``<root>/ogb/ogbg_code2``.
        num_vocab: size of the vocabulary without the two special classes.
        length: number of sub-tokens to predict.

    Raises:
        DatasetNotFoundError: files are missing and cannot be downloaded.
        TableError: a file is damaged, or files contradict each other.
        GraphError: an edge joins nodes that its graph does not have.
    """
    folder = ogb_folder(NAME, root)
    raw = ("edge", "node-feat", "node_is_attributed", "node_dfs_order", "node_depth", "num-node-list", "num-edge-list")
    files = [f"raw/{part}.csv.gz" for part in (*raw, "graph-label")]
    files += [f"split/project/{part}.csv.gz" for part in ("train", "valid", "test")]
    paths = need(folder, files, NAME, describe(NAME)["url"])
    return cached(f"{NAME}-{num_vocab}-{length}", paths, FORM, lambda: _read(folder, num_vocab, length))


def _read(folder: Path, num_vocab: int, length: int) -> PackedDataset:
    node_ptr, tree_ptr = read_pointers(folder)

    def numbers(name: str, rows: int = node_ptr[-1]) -> np.ndarray:
        return read_numbers(folder / f"raw/{name}.csv.gz", np.int64, rows)

    tree, depth = numbers("edge", tree_ptr[-1]), numbers("node_depth")
    leaves, leaf_count = _next_leaf(node_ptr, numbers("node_is_attributed")[:, 0], numbers("node_dfs_order")[:, 0])
    count = np.diff(tree_ptr) + leaf_count
    graph_of_edge = np.concatenate([np.repeat(np.arange(count.size), c) for c in (np.diff(tree_ptr), leaf_count)])
    grouped = np.argsort(graph_of_edge, kind="stable")
    kind = np.repeat([0, 1], [len(tree), len(leaves)])
    labels = _read_labels(folder / "raw/graph-label.csv.gz", count.size)
    splits = read_splits(folder / "split/project", count.size)
    names = [label.split(" ") for label in labels]
    vocabulary = top_words([names[i] for i in splits["train"].tolist()], num_vocab)
    number = {word: i for i, word in enumerate(vocabulary)}
    return PackedDataset(
        name=NAME,
        x=torch.from_numpy(np.concatenate([numbers("node-feat"), np.minimum(depth, MAX_DEPTH)], axis=1)),
        edge_index=torch.from_numpy(np.concatenate([tree, leaves])[grouped].T.copy()),
        edge_attr=torch.from_numpy(kind[grouped, None]),
        y=torch.tensor([encode(name, number, length) for name in names]),
        node_ptr=torch.from_numpy(node_ptr),
        edge_ptr=torch.from_numpy(np.concatenate([[0], count.cumsum()])),
        task="sequence",
        metric="f1",
        num_classes=len(vocabulary) + 2,
        node_kind="category",
        edge_kind="category",
        directed=True,
        graph_fields={"reference": _references(names, number)},
        text_fields={"label": labels},
        targets=[f"token_{i}" for i in range(length)],
        class_names=[*vocabulary, UNKNOWN, END],
        splits=splits,
    )


def _read_labels(path: Path, graphs: int) -> list[str]:
    """Names as OGB's loader has them: pandas takes names such as ``null`` for missing values, which become ``nan``."""
    try:
        labels = pd.read_csv(path, header=None, dtype=str)[0].fillna("nan").tolist()
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise TableError(f"{path} cannot be read as a list of names: {error}") from error
    if len(labels) != graphs:
        raise TableError(f"{path} has {len(labels):,} rows, but the other files say {graphs:,}")
    return labels


def _references(names: Sequence[Sequence[str]], number: dict[str, int]) -> torch.Tensor:
    """Numbers of all sub-tokens of every name, int32 ``[G, R]``."""
    known = dict(number)
    others = len(number) + 2  # behind the classes of unknown and of the end
    rows = torch.full((len(names), max(map(len, names), default=0)), -1, dtype=torch.int32)
    for row, name in zip(rows, names, strict=True):
        for i, word in enumerate(name):
            row[i] = known.setdefault(word, others + len(known) - len(number))
    return rows


def _next_leaf(node_ptr: np.ndarray, attributed: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges ``[., 2]`` from every attributed node to the next in source order, and their number per graph."""
    graph = np.repeat(np.arange(node_ptr.size - 1), np.diff(node_ptr))
    nodes = np.flatnonzero(attributed == 1)
    nodes = nodes[np.lexsort((order[nodes], graph[nodes]))]
    same = graph[nodes[1:]] == graph[nodes[:-1]]
    tail, head = nodes[:-1][same], nodes[1:][same]
    start = node_ptr[graph[tail]]
    return np.stack([tail - start, head - start], axis=1), np.bincount(graph[tail], minlength=node_ptr.size - 1)


def top_words(names: Sequence[Sequence[str]], size: int) -> list[str]:
    """The most frequent sub-tokens; of equally frequent ones those seen first."""
    return [word for word, _ in Counter(word for name in names for word in name).most_common(size)]


def encode(name: Sequence[str], number: dict[str, int], length: int) -> list[int]:
    """Class numbers of the first ``length`` sub-tokens, filled up with the class of the end."""
    unknown, end = len(number), len(number) + 1
    codes = [number.get(word, unknown) for word in name[:length]]
    return codes + [end] * (length - len(codes))


def decode(codes: Sequence[int], class_names: Sequence[str]) -> list[str]:
    """Sub-tokens of class numbers, up to the first end."""
    end = len(class_names) - 1
    codes = list(codes)
    return [class_names[code] for code in codes[: codes.index(end) if end in codes else len(codes)]]
