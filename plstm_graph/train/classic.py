"""Classic baselines of scikit-learn, under the same splits, metrics and records as the networks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from plstm_graph.data import PackedDataset
from plstm_graph.errors import ConfigError
from plstm_graph.train.config import TrainConfig
from plstm_graph.train.load import load_dataset, make_task
from plstm_graph.train.metrics import evaluate
from plstm_graph.train.records import Record
from plstm_graph.train.resources import peak_memory_mb
from plstm_graph.train.run_folder import revision
from plstm_graph.train.task import Task
from plstm_graph.train.wl_kernel import row_labels, subtree_counts

Fit = Callable[[Task, np.ndarray, np.ndarray], Any]

ROUNDS = (1, 2, 3, 4, 5)
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
TREES = 1000


def run_classic(config: TrainConfig) -> Record:
    """Fit a classic model on the training split, choose by validation, then test: one line of a results file.

    - ``"majority"``: the most frequent class, or the mean.
    - ``"wl-svm"``: support vector machine on the normalised Weisfeiler-Lehman subtree kernel; rounds and penalty are
      those of the best validation value.
    - ``"morgan-forest"``: random forest of 1,000 trees on Morgan fingerprints (radius 2, 2,048 bits, with chirality).

    Raises:
        ConfigError: the model does not fit the data set.
    """
    start = time.perf_counter()
    dataset = load_dataset(config)
    task = make_task(dataset, config)
    if task.kind == "sequence":
        raise ConfigError(f"{config.model} does not predict sequences, and {dataset.name} asks for them")
    rows = {part: dataset.splits[part].numpy() for part in ("train", "valid", "test")}
    y = {part: dataset.y[dataset.splits[part]].numpy() for part in ("train", "valid")}
    weight = {part: _weights(dataset, rows[part]) for part in rows}
    candidates = CLASSIC[config.model](config, dataset, task, rows, y["train"])
    best_score, best, valid = -np.inf, None, np.nan
    for choice, scores in candidates:
        value = evaluate(task, y["valid"], scores(rows["valid"]), weight["valid"])
        if (score := value if task.maximize else -value) > best_score:
            best_score, best, valid = score, (choice, scores), value
    if best is None:
        raise ConfigError(f"{config.model} has no defined {task.metric} on the validation split of {dataset.name}")
    choice, scores = best
    y["test"] = dataset.y[dataset.splits["test"]].numpy()  # read once, at the end
    test = evaluate(task, y["test"], scores(rows["test"]), weight["test"])
    seconds = time.perf_counter() - start
    return {
        "data": config.data, "model": config.model, "fold": config.fold,
        "split_seed": config.split_seed, "metric": task.metric, "valid": valid,
        "test": test, "best_epoch": 0, "epochs": 0, "parameters": 0, "seconds": round(seconds, 3),
        "seconds_per_epoch": round(seconds, 4), "peak_memory_mb": round(peak_memory_mb(), 1), "device": "cpu",
        "revision": revision(), "seed": config.seed, "config": config.to_dict(), "chosen": choice,
    }  # fmt: skip


def _majority(config: TrainConfig, dataset: PackedDataset, task: Task, rows: dict, y: np.ndarray):
    weight = _weights(dataset, rows["train"])
    weight = np.ones(len(y)) if weight is None else weight
    if task.kind == "multiclass":
        known = y >= 0
        share = np.bincount(y[known], weight[known], minlength=task.num_classes) / max(1e-12, weight[known].sum())
        constant = np.log(np.maximum(share, 1e-12))
    else:
        mean = np.ma.average(np.ma.masked_invalid(y), axis=0, weights=weight).filled(np.nan)
        constant = mean if task.kind == "regression" else _logit(mean)
    yield {}, lambda which: np.tile(constant, (len(which), 1))


def _weights(dataset: PackedDataset, rows: np.ndarray) -> np.ndarray | None:
    weight = dataset.graph_fields.get("sample_weight")
    return None if weight is None else weight.numpy()[rows]


def _wl_svm(config: TrainConfig, dataset: PackedDataset, task: Task, rows: dict, y: np.ndarray):
    from sklearn.svm import SVC

    if task.kind != "multiclass":
        raise ConfigError(f"wl-svm classifies graphs; {dataset.name} asks for {task.kind} targets")
    if (y < 0).any():
        raise ConfigError(f"wl-svm needs a class for every training graph of {dataset.name}")
    if dataset.graph_fields.keys() & {"sample_weight", "descriptors"}:
        raise ConfigError("wl-svm takes neither weights nor descriptors")
    counts = subtree_counts(*_labelled_graphs(dataset), len(dataset), max(ROUNDS))
    train = rows["train"]
    norms = np.cumsum([np.asarray(c.multiply(c).sum(axis=1)).ravel() for c in counts], axis=0)

    def kernel(which: np.ndarray, rounds: int) -> np.ndarray:
        inner = sum((c[which] @ c[train].T).toarray() for c in counts[: rounds + 1])
        return inner / np.sqrt(np.outer(norms[rounds][which], norms[rounds][train]))

    def scorer(machine: SVC, rounds: int) -> Callable[[np.ndarray], np.ndarray]:
        def scores(which: np.ndarray) -> np.ndarray:
            decision = machine.decision_function(kernel(which, rounds))
            found = np.stack([-decision, decision], axis=1) if decision.ndim == 1 else decision
            full = np.full((len(which), task.num_classes), found.min() - 1)
            full[:, machine.classes_] = found
            return full

        return scores

    for rounds in ROUNDS:
        known = kernel(train, rounds)
        for penalty in PENALTIES:
            machine = SVC(C=penalty, kernel="precomputed", cache_size=1000).fit(known, y)
            yield {"rounds": rounds, "C": penalty}, scorer(machine, rounds)


def _labelled_graphs(dataset: PackedDataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Node labels, edges and graph numbers; real-valued attributes are no labels and are left out."""
    x = dataset.x.numpy()
    if np.issubdtype(x.dtype, np.floating):
        x = x[:, np.isin(x, (0, 1)).all(axis=0)]
    sizes = dataset.node_ptr.diff()
    graph = torch.repeat_interleave(sizes).numpy()
    shift = torch.repeat_interleave(dataset.node_ptr[:-1], dataset.edge_ptr.diff()).numpy()
    return row_labels(x), dataset.edge_index.numpy().astype(np.int64) + shift, graph


def _morgan_forest(config: TrainConfig, dataset: PackedDataset, task: Task, rows: dict, y: np.ndarray):
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    smiles = dataset.text_fields.get("smiles")
    if smiles is None:
        raise ConfigError(f"morgan-forest needs SMILES, and {dataset.name} has none")
    bits = _fingerprints(smiles)
    weight = _weights(dataset, rows["train"])
    if "descriptors" in dataset.graph_fields:
        bits = np.hstack([bits, dataset.graph_fields["descriptors"].numpy()])
    kind = RandomForestRegressor if task.kind == "regression" else RandomForestClassifier
    columns = [y] if y.ndim == 1 else list(y.T)
    forests = []
    for target in columns:
        known = target >= 0 if task.kind == "multiclass" else ~np.isnan(target)
        forest = kind(TREES, random_state=config.seed, n_jobs=-1)
        known_weight = None if weight is None else weight[known]
        forests.append(forest.fit(bits[rows["train"]][known], target[known], known_weight))

    def scores(which: np.ndarray) -> np.ndarray:
        if task.kind == "regression":
            return np.stack([forest.predict(bits[which]) for forest in forests], axis=1)
        if task.kind == "binary":
            return np.stack([_logit(_share_of(forest, 1, bits[which])) for forest in forests], axis=1)
        return np.log(
            np.stack([_share_of(forests[0], c, bits[which]) for c in range(task.num_classes)], axis=1) + 1e-12
        )

    yield {}, scores


def _share_of(forest: Any, label: int, bits: np.ndarray) -> np.ndarray:
    place = np.flatnonzero(forest.classes_ == label)
    return forest.predict_proba(bits)[:, place[0]] if len(place) else np.zeros(len(bits))


def _fingerprints(smiles: list[str]) -> np.ndarray:
    from rdkit import Chem, rdBase
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

    generator = GetMorganGenerator(radius=2, fpSize=2048, includeChirality=True)
    bits = np.zeros((len(smiles), 2048), dtype=np.uint8)
    with rdBase.BlockLogs():
        for row, text in enumerate(smiles):
            molecule = Chem.MolFromSmiles(text)
            if molecule is None:  # a few of OGB's molecules: valences that RDKit refuses today
                molecule = Chem.MolFromSmiles(text, sanitize=False)
                molecule.UpdatePropertyCache(strict=False)
                Chem.FastFindRings(molecule)
            bits[row] = generator.GetFingerprintAsNumPy(molecule)
    return bits


def _logit(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 1e-6, 1 - 1e-6)
    return np.log(share / (1 - share))


CLASSIC: dict[str, Callable] = {"majority": _majority, "wl-svm": _wl_svm, "morgan-forest": _morgan_forest}
"""Classic baselines by name."""
