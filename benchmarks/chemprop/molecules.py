"""The molecules of the comparison: OGB's SMILES, labels and scaffold splits, as the tables that both programs read."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.errors import BenchmarkError

SETS = {"molesol": "regression", "molfreesolv": "regression", "mollipo": "regression", "molbace": "binary"}
"""Name after ``ogbg-`` → kind of the target."""

METRICS = {"regression": "rmse", "binary": "rocauc"}
PARTS = ("train", "valid", "test")
TARGET = "y"


@dataclass(frozen=True)
class MoleculeSet:
    """One data set: ``train.csv``, ``valid.csv`` and ``test.csv`` (smiles, y), and ``table.csv`` (smiles, y, split)."""

    name: str
    folder: Path

    @property
    def kind(self) -> str:
        """``"regression"`` or ``"binary"``."""
        return SETS[self.name]

    @property
    def metric(self) -> str:
        """``"rmse"`` or ``"rocauc"``."""
        return METRICS[self.kind]

    @property
    def table(self) -> Path:
        """All parts in one table."""
        return self.folder / "table.csv"

    def part(self, name: str) -> Path:
        """Table of one part."""
        return self.folder / f"{name}.csv"

    def read(self, part: str) -> tuple[list[str], np.ndarray]:
        """SMILES and labels of a part."""
        with self.part(part).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [row["smiles"] for row in rows], np.array([float(row[TARGET]) for row in rows])


def write_set(name: str, data: Path, folder: Path) -> MoleculeSet:
    """Write the tables of ``ogbg-<name>`` from OGB's files below ``data``.

    Raises:
        BenchmarkError: a file is missing.
    """
    source = data / "ogb" / f"ogbg_{name}"
    molecules = [(row["smiles"].strip(), row[next(iter(row))]) for row in _rows(source / "mapping/mol.csv.gz")]
    found = MoleculeSet(name, folder / name)
    found.folder.mkdir(parents=True, exist_ok=True)
    everything = [["smiles", TARGET, "split"]]
    for part in PARTS:
        places = [int(line) for line in _lines(source / f"split/scaffold/{part}.csv.gz")]
        rows = [[*molecules[place]] for place in places]
        _write(found.part(part), [["smiles", TARGET], *rows])
        everything += [[*row, part] for row in rows]
    _write(found.table, everything)
    return found


def write_for_prediction(data: Path, path: Path, count: int) -> int:
    """Write the first ``count`` SMILES of ``smiles/real_smiles.csv.gz`` that RDKit reads; returns how many there are.

    Raises:
        BenchmarkError: the file is missing.
    """
    from rdkit import Chem, RDLogger

    RDLogger.DisableLog("rdApp.*")
    smiles = (row["smiles"] for row in _rows(data / "smiles/real_smiles.csv.gz"))
    chosen = [[s] for s in islice((s for s in smiles if Chem.MolFromSmiles(s) is not None), count)]
    RDLogger.EnableLog("rdApp.*")
    _write(path, [["smiles"], *chosen])
    return len(chosen)


def score(kind: str, labels: np.ndarray, predictions: np.ndarray) -> float:
    """Root mean squared error, or area under the ROC curve."""
    from sklearn.metrics import roc_auc_score, root_mean_squared_error

    metric = root_mean_squared_error if kind == "regression" else roc_auc_score
    return float(metric(labels, predictions))


def read_predictions(path: Path, column: str, smiles: list[str], part: str | None = None) -> np.ndarray:
    """Predictions of a table, or of the rows whose column ``part`` says so, in the order of ``smiles``.

    Raises:
        BenchmarkError: the rows are not those of ``smiles``, or one has no prediction.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if part is None or row.get("part") == part]
    if [row.get("smiles") for row in rows] != smiles:
        raise BenchmarkError(f"{path}: the rows are not the {len(smiles)} molecules that were to be predicted")
    try:
        values = np.array([float(row[column]) for row in rows])
    except (KeyError, ValueError) as error:
        raise BenchmarkError(f"{path}: a molecule has no prediction in column {column!r} ({error})") from error
    if not np.isfinite(values).all():
        raise BenchmarkError(f"{path}: {int((~np.isfinite(values)).sum())} predictions are not finite")
    return values


def _rows(path: Path) -> Iterator[dict[str, str]]:
    return iter(csv.DictReader(_lines(path)))


def _lines(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise BenchmarkError(f"there is no file {path}: PLSTM_GRAPH_DATA must name the folder with ogb/ and smiles/")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from file


def _write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
