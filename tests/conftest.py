"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the real data sets; tests that need it are skipped when it is not at hand."""
    root = os.environ.get("PLSTM_GRAPH_DATA")
    if not root:
        pytest.skip("PLSTM_GRAPH_DATA is not set: it names the folder with ogb/, tu/, lrgb/, smiles/ and dvae/")
    if not Path(root).is_dir():
        pytest.fail(f"PLSTM_GRAPH_DATA={root!r} is not a folder")
    return Path(root).resolve()


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)
