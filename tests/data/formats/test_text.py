"""Cells as text: the same value comes back."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from plstm_graph.data.formats.text import as_text, rounded


def test_numbers_come_back() -> None:
    values = [0.1, 1 / 3, 1e-300, 2.0**60, -0.0, None]
    texts = as_text(pa.chunked_array([values]))
    assert texts[-1] is None
    assert [float(text) for text in texts[:-1]] == values[:-1]
    single = np.array([0.1, 1 / 3, 1e-30], np.float32)
    texts = as_text(pa.chunked_array([single]))
    assert texts[0] == "0.1"
    np.testing.assert_array_equal(np.array(texts, np.float32), single)
    whole = [2**63 - 1, None, -(2**63)]
    assert as_text(pa.chunked_array([pa.array(whole)])) == [str(2**63 - 1), None, str(-(2**63))]


@pytest.mark.parametrize(
    ("array", "texts"),
    [
        (pa.array(["007", "", None]), ["007", "", None]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        (pa.array([True, None]), ["true", None]),
        (pa.array([b"abc", None]), ["abc", None]),
        (pa.array([b"\xff\x00", None]), ["ff00", None]),
        (pa.array([None, None]), [None, None]),
    ],
)
def test_other_cells(array: pa.Array, texts: list[str | None]) -> None:
    assert as_text(pa.chunked_array([array])) == texts


def test_lists_and_records_are_json() -> None:
    values = [{"name": "µ", "bits": [1, 0]}, None]
    texts = as_text(pa.chunked_array([pa.array(values)]))
    assert json.loads(texts[0]) == values[0]
    assert texts[1] is None


def test_rounded() -> None:
    assert rounded(pa.chunked_array([pa.array([1 / 3, None, 2e-9], pa.float32())])) == ["0.333333", None, "2e-09"]
    assert rounded(pa.chunked_array([pa.array(["1.23456789"])])) == ["1.23456789"]
