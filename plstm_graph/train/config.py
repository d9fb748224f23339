"""All settings of a training run in one flat, frozen record; light to import, since the command line lists them."""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from plstm_graph.errors import ConfigError


def _option(default: Any, panel: str, text: str, choices: tuple[str, ...] = ()) -> Any:
    metadata = {"panel": panel, "help": text, "choices": choices}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training run.

    Every field is an option of ``plstm-graph train`` and a key of a YAML file; the field's metadata holds its help.

    Raises:
        ConfigError: a value is out of range or not among the choices.
    """

    data: str = _option(
        "demo", "Data", "Name of a data set (demo, ogbg-molhiv, MUTAG, ...) or a table of molecules (CSV, Parquet, SDF)"
    )
    smiles_column: str | None = _option(None, "Data", "Column of the table that holds the SMILES")
    target: tuple[str, ...] = _option((), "Data", "Column to predict; give the option again for more columns")
    task: str = _option(
        "auto",
        "Data",
        "What the targets of a table are; auto looks at the values",
        ("auto", "regression", "binary", "multiclass"),
    )
    weight_column: str | None = _option(None, "Data", "Column of weights, 0 or more: how much a molecule counts")
    descriptor: tuple[str, ...] = _option(
        (), "Data", "Column of numbers that the model takes beside the molecule; give the option again for more"
    )
    split: str = _option(
        "auto",
        "Data",
        "How to split: the data set's own split (auto), random, scaffold, in folds that are random or keep scaffolds "
        "together, or by a column of the table",
        ("auto", "random", "scaffold", "kfold", "scaffold-kfold", "column"),
    )
    split_column: str | None = _option(None, "Data", "Column that says train, valid or test for every row")
    split_seed: int = _option(0, "Data", "Seed of random splits and folds")
    fractions: tuple[float, ...] = _option(
        (0.8, 0.1, 0.1), "Data", "Shares of train, valid and test in random and scaffold splits"
    )
    fold: int = _option(0, "Data", "Fold to test on, from 0: of a k-fold split, or of the ten folds of a TUDataset")
    num_folds: int = _option(5, "Data", "Folds of a k-fold split; the validation part is one fold more, out of train")
    valid_data: str | None = _option(None, "Data", "Table of the validation molecules, with the columns of --data")
    test_data: str | None = _option(None, "Data", "Table of the test molecules, with the columns of --data")
    order: str = _option(
        "center", "Data", "Orientation of bonds: center, canonical, index, random, random-root or directed"
    )
    train_order: str | None = _option(
        None,
        "Data",
        "Orientation while training, new in every epoch if it is a random one; by default random-root if order is "
        "center, else order",
    )
    test_orders: int = _option(
        0,
        "Data",
        "Test once more with predictions averaged over so many random orientations, those of training; 0 tests the one "
        "orientation alone",
    )
    workers: int = _option(0, "Data", "Processes that prepare batches; 0 prepares them in the main process")

    model: str = _option("plstm", "Model", "plstm, or a baseline: gcn, gin, gine, gat, mpnn, gps, lstm, dagnn")
    model_options: dict[str, Any] = _option({}, "Model", "Option of the model as key=value; may be given again")  # noqa: RUF009

    epochs: int = _option(60, "Training", "Passes over the training molecules")
    batch_size: int = _option(64, "Training", "Molecules per step")
    lr: float = _option(1e-3, "Training", "Largest learning rate")
    schedule: str = _option("cosine", "Training", "Learning rate after the warm-up", ("cosine", "constant"))
    warmup_epochs: float = _option(2.0, "Training", "Epochs over which the learning rate rises to its largest value")
    weight_decay: float = _option(0.01, "Training", "AdamW weight decay (weight matrices only)")
    clip_norm: float = _option(1.0, "Training", "Largest gradient norm; 0 does not clip")
    average_epochs: float = _option(
        3.0, "Training", "Keep the moving average of the weights over about so many epochs; 0 keeps the weights"
    )
    loss: str = _option(
        "auto",
        "Training",
        "Loss; auto takes the usual one, bce+auc adds a margin between positives and negatives to bce",
        ("auto", "bce", "bce+auc", "cross_entropy", "mse", "l1"),
    )
    class_weights: str = _option("none", "Training", "Weigh rare classes up (balanced)", ("none", "balanced"))
    metric: str = _option(
        "auto",
        "Training",
        "Metric that chooses the best epoch; auto takes the data set's own",
        ("auto", "rocauc", "ap", "accuracy", "f1", "rmse", "mae", "r2"),
    )
    patience: int = _option(0, "Training", "Stop after this many epochs without improvement; 0 never stops early")
    seed: int = _option(0, "Training", "Seed of weights, dropout and batch order")

    accelerator: str = _option("auto", "Hardware", "cpu, gpu or auto (Lightning)")
    devices: str = _option("1", "Hardware", "One device: 1 for the first free one, or its number as in 0, (Lightning)")
    strategy: str = _option("auto", "Hardware", "Parallel strategy, such as ddp (Lightning)")
    precision: str = _option("32-true", "Hardware", "Arithmetic: 32-true, bf16-mixed, 16-mixed or 64-true (Lightning)")

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            value, choices = getattr(self, f.name), f.metadata["choices"]
            if choices and value not in choices:
                raise ConfigError(f"{f.name}={value!r} does not exist; {_suggest(str(value), choices)}")
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ConfigError(f"{name}={getattr(self, name)} is too small: it must be at least {least}")
        if not self.lr > 0:
            raise ConfigError(f"lr={self.lr} must be above 0")
        if (self.split == "column") != (self.split_column is not None):
            raise ConfigError("split='column' and split_column go together: give both or neither")
        if len(self.fractions) != 3 or min(self.fractions) < 0 or abs(sum(self.fractions) - 1) > 1e-6:
            raise ConfigError(f"fractions must be three numbers from 0 to 1 that sum to 1, got {self.fractions}")
        if (self.valid_data or self.test_data) and self.split not in ("auto", "random", "scaffold"):
            raise ConfigError(
                f"split={self.split!r} does not go with valid_data or test_data: leave it out, or take random or "
                "scaffold for the part that has no file"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionary, for YAML and JSON."""
        values = dataclasses.asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    def replace(self, **changes: Any) -> TrainConfig:
        """Copy with some settings changed; see :func:`make_config`."""
        return make_config(self.to_dict() | changes)


_LEAST = {
    "epochs": 1,
    "batch_size": 1,
    "warmup_epochs": 0,
    "weight_decay": 0,
    "clip_norm": 0,
    "average_epochs": 0,
    "patience": 0,
    "test_orders": 0,
    "workers": 0,
    "fold": 0,
    "num_folds": 3,
    "seed": 0,
}


def make_config(values: Mapping[str, Any]) -> TrainConfig:
    """Settings from a mapping; missing keys keep their defaults and ``None`` counts as missing.

    Raises:
        ConfigError: a key is unknown (the message names the nearest one) or a value has the wrong type.
    """
    hints = get_type_hints(TrainConfig)
    for key in values:
        if key not in hints:
            raise ConfigError(f"unknown setting {key!r}; {_suggest(str(key), hints)}")
    return TrainConfig(**{k: _convert(k, v, hints[k]) for k, v in values.items() if v is not None})


def load_config(source: str | Path) -> dict[str, Any]:
    """Read settings from a YAML file, or from one that comes with the package, by name.

    Args:
        source: path of a YAML file, or a name without ``.yaml`` (see :func:`named_configs`).

    Raises:
        ConfigError: there is no such file or name, or it holds no mapping.
    """
    import yaml

    path = Path(source)
    if not path.is_file():
        named = named_configs()
        if str(source) not in named:
            raise ConfigError(f"no configuration file {str(source)!r}; {_suggest(str(source), named)}, or a YAML file")
        text = named[str(source)].read_text(encoding="utf-8")
    else:
        text = path.read_text(encoding="utf-8")
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{source} must hold lines of the form 'name: value', got {type(values).__name__}")
    return values


def named_configs() -> dict[str, Any]:
    """Configurations that come with the package, by name."""
    folder = resources.files("plstm_graph") / "configs"
    return {
        f.name.removesuffix(".yaml"): f
        for f in sorted(folder.iterdir(), key=lambda f: f.name)
        if f.name.endswith(".yaml")
    }


def convert(name: str, value: Any, kind: type) -> Any:
    """Turn what YAML or the command line gave into ``kind`` (bool, int, float or str) where nothing is lost.

    Raises:
        ConfigError: the value is of another kind.
    """
    try:
        if kind is bool and not isinstance(value, bool):
            raise ValueError
        if kind is int and (isinstance(value, bool) or float(value) != int(float(value))):
            raise ValueError
        if kind is float and isinstance(value, bool):
            raise ValueError
        return kind(float(value)) if kind is int else kind(value)
    except (ValueError, TypeError, OverflowError):
        raise ConfigError(f"{name}={value!r} must be of type {kind.__name__}") from None


def _convert(name: str, value: Any, hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(a for a in get_args(hint) if a is not type(None))
    if get_origin(hint) is tuple:
        kind = get_args(hint)[0]
        if isinstance(value, str):
            value = [value] if kind is str else value.split(",")
        if not isinstance(value, Iterable):
            raise ConfigError(f"{name}={value!r} must be a list")
        return tuple(convert(name, v, kind) for v in value)
    if get_origin(hint) is dict:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{name}={value!r} must hold lines of the form 'name: value'")
        return dict(value)
    return convert(name, value, hint)


def _suggest(key: str, allowed: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, list(allowed), n=1, cutoff=0.4)
    return (f"did you mean {near[0]!r}? " if near else "") + f"choose from {', '.join(allowed)}"
