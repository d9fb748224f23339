"""Embeddings of molecules: what a trained network pools from the atoms, before its head."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from plstm_graph.chem import FeaturizedChunk, iter_featurize
from plstm_graph.errors import ConfigError
from plstm_graph.train.model_file import ModelSpec, load_molecule_model
from plstm_graph.train.predictor import GraphPredictor


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of consecutive rows.

    Attributes:
        values: ``[G, d]`` float32, one row per input row, NaN where the SMILES cannot be read.
        reasons: why a row has no embedding, by row; rows count from 0.
    """

    values: np.ndarray
    reasons: dict[int, str]

    @property
    def ok(self) -> np.ndarray:
        """``[G]`` bool, whether a row has an embedding."""
        mask = np.ones(len(self.values), bool)
        mask[list(self.reasons)] = False
        return mask


def embed(
    model: str | Path,
    smiles: Iterable[object],
    *,
    batch_size: int = 256,
    device: str = "cpu",
    workers: int = 0,
    progress: bool = False,
) -> Embeddings:
    """Embeddings of many molecules, in the order of the input.

    Two SMILES of one molecule have one embedding, up to rounding.

    Args:
        model: run folder or model file.
        smiles: strings; a list, a column of a table, any iterable. A row that cannot be read keeps its place.
        batch_size: molecules per step.
        device: where to run.
        workers: processes that read SMILES.
        progress: show a bar with molecules per second, if stderr is a terminal.

    Raises:
        ConfigError: the model does not take molecules, or has no embedding.
        RunError: there is no model.
    """
    spec, predictor = load_molecule_model(model)
    chunks = iter_embed(
        spec, predictor.to(device), smiles, batch_size=batch_size, device=device, workers=workers, progress=progress
    )
    values, reasons, rows = [np.empty((0, embedding_width(spec, predictor, device)), np.float32)], {}, 0
    for chunk in chunks:
        values.append(chunk.values)
        reasons.update({rows + row: reason for row, reason in chunk.reasons.items()})
        rows += len(chunk.values)
    return Embeddings(np.concatenate(values), reasons)


def iter_embed(
    spec: ModelSpec,
    predictor: GraphPredictor,
    smiles: Iterable[object],
    *,
    batch_size: int = 256,
    device: str = "cpu",
    workers: int = 0,
    progress: bool = False,
    total: int | None = None,
) -> Iterator[Embeddings]:
    """Embeddings in chunks of ``batch_size`` rows; rows of ``reasons`` count within their chunk.

    Arguments are those of :func:`embed`, but for a model that is loaded and on its device; ``total`` is the number of
    rows, for the bar, where ``smiles`` has no length.
    """
    width = embedding_width(spec, predictor, device)
    chunks = iter_featurize(
        smiles,
        on_error="skip",
        chirality=spec.chirality,
        workers=workers,
        progress=progress,
        chunk_size=batch_size,
        total=total,
    )
    for chunk in chunks:
        values = np.full((chunk.size, width), np.nan, np.float32)
        if len(chunk.row):
            values[chunk.row - chunk.start] = _run(spec, predictor, chunk, device)
        yield Embeddings(values, {row - chunk.start: reason for row, _, reason in chunk.failed})


def embedding_width(spec: ModelSpec, predictor: GraphPredictor, device: str) -> int:
    """Numbers per molecule.

    Raises:
        ConfigError: the network has no method ``embed(data) -> [G, d]``.
    """
    if not hasattr(predictor.net, "embed"):
        raise ConfigError(f"{type(predictor.net).__name__} ({spec.model}) has no embedding: take another model")
    methane = next(iter_featurize(["C"], chirality=spec.chirality, progress=False))
    return _run(spec, predictor, methane, device).shape[1]


@torch.inference_mode()
def _run(spec: ModelSpec, predictor: GraphPredictor, chunk: FeaturizedChunk, device: str) -> np.ndarray:
    return predictor.net.embed(spec.batch(chunk.packed).to(device)).float().cpu().numpy()
