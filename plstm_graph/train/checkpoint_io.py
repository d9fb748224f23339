"""Lightning checkpoints (last.pt) as tensors and JSON, so that a killed run goes on without unpickling anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.fabric.plugins import CheckpointIO

from plstm_graph.train import packing


class PackedCheckpointIO(CheckpointIO):
    """Makes Lightning write and read its checkpoints as tensors and JSON."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        packing.save(Path(path), checkpoint)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        return packing.load(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)
