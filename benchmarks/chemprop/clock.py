"""chemprop's own command line, unchanged but for a clock: ``python -P clock.py CLOCK.json train ...``.

Runs in chemprop's environment, so it imports nothing of this project. The clock is one Lightning callback; epochs are
timed between the same two hooks as in :class:`plstm_graph.train.history.History`.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import lightning.pytorch as pl

PACKAGES = ("chemprop", "torch", "lightning", "rdkit", "numpy")


class Clock(pl.Callback):
    """Writes seconds and validation values of every epoch, and the number of trainable parameters."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds: list[float] = []
        self.valid: list[dict[str, float]] = []

    def on_train_epoch_start(self, trainer, module) -> None:
        self._start = time.perf_counter()

    def on_validation_start(self, trainer, module) -> None:
        if not trainer.sanity_checking:
            self.seconds.append(time.perf_counter() - self._start)

    def on_train_epoch_end(self, trainer, module) -> None:
        values = trainer.callback_metrics.items()
        self.valid.append({name: float(value) for name, value in values if name.startswith("val")})

    def on_fit_end(self, trainer, module) -> None:
        parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
        versions = {name: version(name) for name in PACKAGES}
        found = {"seconds": self.seconds, "valid": self.valid, "parameters": parameters, "versions": versions}
        self.path.write_text(json.dumps(found))


def main() -> None:
    """Add the clock to whatever trainer chemprop makes, then hand over to chemprop."""
    path = Path(sys.argv[1])
    sys.argv = ["chemprop", *sys.argv[2:]]
    fit = pl.Trainer.fit

    def timed_fit(trainer, *args, **kwargs):
        trainer.callbacks.append(Clock(path))
        return fit(trainer, *args, **kwargs)

    pl.Trainer.fit = timed_fit
    from chemprop.cli.main import main as chemprop

    chemprop()


if __name__ == "__main__":
    main()
