"""Neural architectures: standardised accuracy from the DAG, graph networks beside linear models.

All graph networks read the same features, and train with the same settings; the epoch is chosen on the validation
part. The linear models have nothing to choose, so they fit on training and validation part together.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch

from benchmarks.dags.parts import Part, run_parts, spread
from plstm_graph.train.config import TrainConfig, make_config
from plstm_graph.train.records import Record, config_key

NAME = "neural-architectures"
SHARED: dict[str, Any] = {"hidden_channels": 64, "num_layers": 3, "pooling": "sum", "readout": "layers"}
MODELS: dict[str, dict[str, Any]] = {"plstm": {"depth_encoding": True}, "gin": {}, "gps": {}, "dagnn": {}}
LINEAR = {"linear": 1, "ridge on pairwise products": 2}
"""Linear models and the degree of their features."""


def settings(model: str, seed: int, quick: bool) -> TrainConfig:
    """Settings of one training run."""
    epochs = {"epochs": 1, "warmup_epochs": 0, "batch_size": 2048} if quick else {"epochs": 40, "warmup_epochs": 2}
    options = SHARED | MODELS[model] | ({"hidden_channels": 8, "num_layers": 1} if quick else {})
    if quick and model == "gps":
        options["heads"] = 2
    return make_config(
        {"data": NAME, "model": model, "batch_size": 256, "lr": 3e-3, "seed": seed, "model_options": options} | epochs
    )


def run(folder: Path, seeds: int, quick: bool, say: Callable[[str], None], only: tuple[str, ...] = ()) -> None:
    """Train the parts that ``architectures.jsonl`` lacks; write table and figure of those there are."""
    torch.set_num_threads(1)
    configs = [settings(model, seed, quick) for model in MODELS for seed in range(seeds)]
    parts = [Part(config_key(c), c.seed, (c.model,), lambda c=c: train_and_test(c)) for c in configs]
    parts += [Part(m, 0, (m,), lambda m=m, d=d: {"model": m} | fit_linear(d)) for m, d in LINEAR.items()]
    records = run_parts(folder / "architectures.jsonl", parts, only, say, _figures)
    text = _table(records)
    (folder / "architectures.md").write_text(text, encoding="utf-8")
    _draw(records, folder / "architectures.png")
    print(text)
    say(f"written to {folder}")


def train_and_test(config: TrainConfig) -> Record:
    """Train and test one model; the record holds settings, curves, RMSE (``test``) and Pearson's r."""
    from plstm_graph.train.load import load_source
    from plstm_graph.train.model_file import load_model
    from plstm_graph.train.run import run_training

    with tempfile.TemporaryDirectory(prefix="plstm_graph-") as name:
        result = run_training(
            config, Path(name) / "run", tensorboard=False, keep_last=False, predictions=False, trust=False
        )
        predictor = load_model(result.folder)[1].eval()
    source = load_source(config)
    source.release_test(result.best_epoch)
    with torch.inference_mode():
        found = torch.cat([predictor.predictions(predictor(batch)) for batch in source.batches("test")])
    r = np.corrcoef(found[:, 0].numpy(), source.labels("test")[:, 0].numpy())[0, 1]
    return result.record() | {"pearson": round(float(r), 4)}


def fit_linear(degree: int) -> Record:
    """Ridge on operations and connections, and on all their products of two for degree 2."""
    from sklearn.linear_model import Ridge
    from sklearn.metrics import root_mean_squared_error
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures

    from plstm_graph.data import load
    from plstm_graph.data.dvae import architecture_features
    from plstm_graph.train.run_folder import revision

    dataset = load(NAME)
    x, y = torch.cat(architecture_features(dataset), dim=1).numpy(), dataset.y[:, 0].numpy()
    fit, test = torch.cat([dataset.splits["train"], dataset.splits["valid"]]).numpy(), dataset.splits["test"].numpy()
    model = make_pipeline(PolynomialFeatures(degree, interaction_only=True, include_bias=False), Ridge(1.0))
    found = model.fit(x[fit], y[fit]).predict(x[test])
    return {
        "test": float(root_mean_squared_error(y[test], found)),
        "pearson": round(float(np.corrcoef(found, y[test])[0, 1]), 4),
        "parameters": model[-1].coef_.size + 1,
        "revision": revision(),
    }


def _figures(record: Record) -> str:
    seconds = f", {record['seconds']:.0f} s" if "seconds" in record else ""
    return f"RMSE {record['test']:.3f}, r {record['pearson']:.3f}{seconds}"


def _by_model(records: list[Record]) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record["model"], []).append(record)
    return groups


def _table(records: list[Record]) -> str:
    lines = [
        "# Neural architectures", "",
        "Accuracy of an architecture from its DAG, standardised by the training part, so that its mean has an RMSE of "
        "about 1. Mean and deviation over the seeds; epochs are chosen on the validation part. "
        "`python -m benchmarks.dags architectures`", "",
    ]  # fmt: skip
    return "\n".join([*lines, *table_lines(records), ""])


def table_lines(records: list[Record]) -> list[str]:
    """A row per model."""
    lines = ["| model | parameters | test RMSE | Pearson r | seeds | seconds per seed |", "|---|--:|--:|--:|--:|--:|"]
    for model, runs in _by_model(records).items():
        seconds = f"{mean(r['seconds'] for r in runs):.0f}" if "seconds" in runs[0] else "-"
        lines.append(
            f"| {model} | {runs[0]['parameters']:,} | {spread([r['test'] for r in runs])} | "
            f"{spread([r['pearson'] for r in runs])} | {len(runs)} | {seconds} |"
        )
    return lines


def _draw(records: list[Record], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.8), layout="constrained")
    panel = figure.subplots()
    for number, (model, runs) in enumerate(_by_model(records).items()):
        if model in LINEAR:
            panel.axhline(runs[0]["test"], color="0.4", lw=1, ls=":" if LINEAR[model] == 1 else "--", label=model)
            continue
        for run_number, record in enumerate(runs):
            curve = record["curves"]["valid"]
            label = model if run_number == 0 else None
            panel.plot(range(1, len(curve) + 1), curve, color=f"C{number}", lw=1.3, alpha=0.8, label=label)
    panel.set(xlabel="epoch", ylabel="validation RMSE", yscale="log", title="Neural architectures (lines across: test)")
    panel.grid(alpha=0.3, which="both")
    panel.legend(fontsize=8)
    figure.savefig(path, dpi=130)
