from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plstm_graph.data.rows import gather_rows, narrow, pointer, take, widen


@given(st.lists(st.integers(0, 5), max_size=8), st.data())
def test_gather_rows_is_the_loop_over_graphs(sizes: list[int], data: st.DataObject) -> None:
    ptr = pointer(torch.tensor(sizes, dtype=torch.int64))
    numbers = st.lists(st.integers(0, max(len(sizes) - 1, 0)), max_size=8)
    graphs = torch.tensor(data.draw(numbers) if sizes else [], dtype=torch.int64)
    rows, found = gather_rows(ptr, graphs)
    expected = [row for g in graphs.tolist() for row in range(int(ptr[g]), int(ptr[g + 1]))]
    assert rows.tolist() == expected
    assert found.tolist() == [sizes[g] for g in graphs.tolist()]
    assert rows.dtype == found.dtype == torch.int64


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([0, 255], torch.uint8),
        ([0, 256], torch.int16),
        ([-1, 5], torch.int16),
        ([-32768, 32767], torch.int16),
        ([0, 32768], torch.int32),
        ([-(2**31), 2**31 - 1], torch.int32),
        ([0, 2**31], torch.int64),
        ([], torch.int64),
    ],
)
def test_narrow_and_back(values: list[int], dtype: torch.dtype) -> None:
    wide = torch.tensor(values, dtype=torch.int64)
    assert narrow(wide).dtype == dtype
    assert torch.equal(widen(narrow(wide)), wide)
    assert widen(narrow(wide)).dtype == torch.int64


@pytest.mark.parametrize("dtype", [torch.bool, torch.float16, torch.float64, torch.int32])
def test_narrow_leaves_other_types(dtype: torch.dtype) -> None:
    assert narrow(torch.ones(2, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32])
def test_take_keeps_what_is_no_integer(dtype: torch.dtype) -> None:
    value = torch.tensor([[1, 0, 1], [0, 0, 1]], dtype=dtype)
    found = take(value, 1, torch.tensor([2, 0]))
    assert found.dtype == dtype
    assert torch.equal(found, value[:, [2, 0]])
