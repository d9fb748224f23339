"""Arrow pointing: train on pictures of one size, test on that and on the double.

The data are those of :func:`plstm_graph.data.arrow_pointing.make_arrow_pointing`. A node is a patch of the picture,
its features are the pixels; models other than pLSTM are told its place, too. Sizes are those of
``arrow-pointing.yaml``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
import yaml
from torch import nn

from benchmarks.dags.arrow_models import FREQUENCIES, GridPLSTM, PictureBatches
from benchmarks.dags.arrow_report import write_report
from benchmarks.dags.models import MODELS, PLSTM_MODES, make_model
from benchmarks.dags.parts import Part, run_parts, setting_key
from benchmarks.dags.training import Schedule, fit
from plstm_graph.data.arrow_pointing import make_arrow_pointing
from plstm_graph.train.records import Record

SIZES = Path(__file__).with_name("arrow-pointing.yaml")
DATA_SEEDS = {"train": 42, "valid": 100_042, "test": 200_042, "double": 200_043}


@dataclass(frozen=True)
class Setting:
    """One part: everything that its record depends on.

    Args:
        size: side of the training pictures in pixels; those of ``double`` have twice as many.
        scale, cell: of arrow and disc, see :func:`plstm_graph.data.arrow_pointing.make_arrow_pointing`.
        patch: side of a patch in pixels.
        train_pictures, valid_pictures, test_pictures: their numbers.
    """

    sizes: str
    model: str
    seed: int
    size: int
    scale: float
    cell: int | None
    patch: int
    train_pictures: int
    valid_pictures: int
    test_pictures: int
    epochs: int
    patience: int
    width: int
    layers: int
    heads: int
    batch: int
    learning_rate: float


def settings(sizes: str, seeds: int) -> list[Setting]:
    """All parts with the named sizes, in the order in which they run."""
    values = yaml.safe_load(SIZES.read_text(encoding="utf-8"))[sizes]
    return [Setting(sizes, model, seed, **values) for seed in range(seeds) for model in MODELS]


def run(folder: Path, seeds: int, quick: bool, say: Callable[[str], None], only: tuple[str, ...] = ()) -> None:
    """The small sizes, on one core."""
    _run("arrow-pointing", "quick" if quick else "small", folder, seeds, say, only)


def run_full(folder: Path, seeds: int, quick: bool, say: Callable[[str], None], only: tuple[str, ...] = ()) -> None:
    """The paper's sizes, on a GPU if there is one."""
    _run("arrow-pointing-full", "quick" if quick else "full", folder, seeds, say, only)


def _run(name: str, sizes: str, folder: Path, seeds: int, say: Callable[[str], None], only: tuple[str, ...]) -> None:
    device = "cuda" if sizes == "full" and torch.cuda.is_available() else "cpu"
    if device == "cpu":
        torch.set_num_threads(1)
    parts = [
        Part(setting_key(asdict(s)), s.seed, (s.model,), lambda s=s: asdict(s) | train_and_test(s, device))
        for s in settings(sizes, seeds)
    ]
    records = run_parts(folder / f"{name}.jsonl", parts, only, say, _figures)
    print(write_report(name, records, folder, MODELS))
    say(f"written to {folder}")


def train_and_test(setting: Setting, device: str) -> Record:
    """Train one model; its accuracy on pictures of the same size and of the double."""
    torch.manual_seed(setting.seed)
    model = make_network(setting).to(device)
    train, valid = (batches(setting, part, device) for part in ("train", "valid"))
    record = fit(
        model,
        train,
        lambda out, batch: F.cross_entropy(out, batch.y),
        lambda: 1 - accuracy(model, valid),
        Schedule(setting.epochs, setting.patience, setting.learning_rate),
    )
    found = {part: round(accuracy(model, batches(setting, part, device)), 4) for part in ("test", "double")}
    return record | found | {"validation": round(1 - record["valid"], 4), "device": device}


def make_network(setting: Setting) -> nn.Module:
    """The model of a part."""
    pixels = setting.patch**2
    if setting.model in PLSTM_MODES:
        mode = PLSTM_MODES[setting.model]
        return GridPLSTM(pixels, 2, setting.width, setting.layers, setting.heads, mode)
    return make_model(
        setting.model, pixels + 2 + 4 * len(FREQUENCIES), 2, level="graph", hidden_channels=setting.width,
        num_layers=setting.layers, heads=setting.heads, pooling="max",
    )  # fmt: skip


def batches(setting: Setting, part: str, device: str) -> PictureBatches:
    """Pictures of ``train``, ``valid``, ``test`` or ``double``; those of ``train`` are shuffled by the part's seed."""
    double = part == "double"
    pictures, labels = make_arrow_pointing(
        setting.test_pictures if double else getattr(setting, f"{part}_pictures"),
        setting.size * (1 + double),
        scale=setting.scale,
        cell=setting.cell,
        seed=DATA_SEEDS[part],
    )
    size = max(1, setting.batch // 4) if double else setting.batch
    return PictureBatches(pictures, labels, setting.patch, size, device, setting.seed if part == "train" else None)


@torch.no_grad()
def accuracy(model: nn.Module, data: PictureBatches) -> float:
    """Share of pictures that are told apart."""
    model.eval()
    return float(torch.cat([model(batch).argmax(-1) == batch.y for batch in data]).double().mean())


def _figures(record: Record) -> str:
    return f"test {record['test']:.3f}, double size {record['double']:.3f}, {record['seconds']:.0f} s"
