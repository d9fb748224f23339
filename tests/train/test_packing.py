"""The file format: nothing but tensors and JSON, and everything comes back as it was."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from plstm_graph.errors import RunError
from plstm_graph.train import packing


def test_round_trip(tmp_path: Path) -> None:
    value = {
        "weights": OrderedDict(a=torch.randn(2, 3), b=torch.tensor(3, dtype=torch.int64)),
        "betas": (0.9, 0.999),
        3: [1, None, True, "text", float("inf")],
        "$": "not a tag",
    }
    packing.save(tmp_path / "x.pt", value)
    back = packing.load(tmp_path / "x.pt")
    assert list(back) == list(value)
    assert back["betas"] == (0.9, 0.999)
    assert back[3] == value[3]
    assert back["$"] == "not a tag"
    for name, tensor in value["weights"].items():
        torch.testing.assert_close(back["weights"][name], tensor, rtol=0, atol=0)
        assert back["weights"][name].dtype == tensor.dtype


def test_torch_reads_it_without_unpickling(tmp_path: Path) -> None:
    packing.save(tmp_path / "x.pt", {"w": torch.ones(2)})
    content = torch.load(tmp_path / "x.pt", weights_only=True)
    assert set(content) == {"format", "json", "tensors"}


def test_other_objects_are_refused_and_no_file_is_left(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"PosixPath|WindowsPath"):
        packing.save(tmp_path / "x.pt", {"path": tmp_path})
    assert not list(tmp_path.iterdir())


def test_files_of_another_form(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("hello")
    for name, message in (("none.pt", "no file"), ("other.pt", "not a checkpoint"), ("text.pt", "cannot be read")):
        with pytest.raises(RunError, match=message):
            packing.load(tmp_path / name)
