"""Predictions for SMILES in Python, as a table with the columns that ``plstm-graph predict`` writes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from plstm_graph.chem import iter_featurize
from plstm_graph.errors import ConfigError
from plstm_graph.train.molecule_predictor import MoleculePredictor
from plstm_graph.train.predict_table import predict_chunk, prediction_schema

if TYPE_CHECKING:
    import pandas as pd


def predict_smiles(
    model: str | Path | MoleculePredictor,
    smiles: Iterable[object],
    *,
    coverage: float | None = None,
    similarity: bool = True,
    batch_size: int = 256,
    device: str = "cpu",
    workers: int = 0,
) -> pd.DataFrame:
    """One row per SMILES, in their order.

    Columns: ``predicted_<target>`` (value, or calibrated probability of a yes/no target, or most likely class) and
    ``probability_<class>``; for numbers ``<target>_std`` (ensembles) and the ends ``<target>_low`` and
    ``<target>_high`` of the interval; ``nearest_train_similarity`` and ``warning``; and ``prediction_error``, which
    says why a row has no prediction.

    Args:
        model: run folder, folder of an ensemble, model file, or one of them loaded by
            :meth:`MoleculePredictor.load`, which then fixes coverage, similarity and device.
        smiles: strings; a row that cannot be read keeps its place.
        coverage: of the intervals; ``None`` is 0.9, as far as the validation split was large enough.
        similarity: look for the nearest training molecule.
        batch_size: molecules per step.
        device: where to run.
        workers: processes that read SMILES.

    Raises:
        RunError: there is no model.
        ConfigError: the model does not take molecules, takes descriptors beside them, or cannot give this coverage.
    """
    if not isinstance(model, MoleculePredictor):
        model = MoleculePredictor.load(model, coverage=coverage, similarity=similarity, device=device)
    if model.ensemble.spec.descriptors:
        raise ConfigError(
            f"the model takes the descriptors {', '.join(map(repr, model.ensemble.spec.descriptors))} beside the "
            "molecule: predict from a table that has these columns, by predict_table or plstm-graph predict"
        )
    chunks = iter_featurize(
        smiles,
        on_error="skip",
        chirality=model.ensemble.spec.chirality,
        workers=workers,
        chunk_size=batch_size,
        fingerprints=model.similarity,
    )
    schema = prediction_schema(model)
    tables = [pa.Table.from_pydict(predict_chunk(model, chunk), schema) for chunk in chunks]
    return pa.concat_tables([schema.empty_table(), *tables]).to_pandas()
