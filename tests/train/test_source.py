"""The test split stays shut until the best epoch is fixed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from plstm_graph.errors import ConfigError, RunError


def test_test_split_is_shut_until_an_epoch_is_chosen(tiny: Callable) -> None:
    source = tiny()
    for read in (source.labels, source.batches):
        with pytest.raises(RunError, match="before the best validation epoch"):
            read("test")
    with pytest.raises(RunError, match="no best validation epoch"):
        source.release_test(-1)
    source.release_test(0)
    assert len(source.labels("test")) == 30


def test_a_run_reads_the_test_split_once_and_last(train_tiny: Callable, tmp_path: Path) -> None:
    train_tiny(tmp_path)
    read, test = train_tiny.source.read, train_tiny.source.splits["test"].tolist()
    first = min(read.index(row) for row in test)
    assert read[first:] == test


def test_empty_splits_are_refused(tiny: Callable) -> None:
    source = tiny()
    with pytest.raises(ConfigError, match="valid split is empty"):
        replace(source, splits=dict(source.splits) | {"valid": source.splits["valid"][:0]})
