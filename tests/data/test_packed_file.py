from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from plstm_graph.data import packed_file
from plstm_graph.data.packed_file import read_fields, write_fields
from plstm_graph.errors import DatasetNotFoundError, TableError


def test_round_trip_of_every_kind(tmp_path: Path) -> None:
    fields = {
        "tensor": torch.arange(5, dtype=torch.uint8),
        "empty": torch.empty(0, 3),
        "group": {"a": torch.tensor([1.5]), "b/c": torch.tensor([True])},
        "nothing": None,
        "text": {"smiles": ["C", "ä\n"]},
        "none": {},
        "list": [1, 2],
    }
    write_fields(tmp_path / "new" / "set.pt", fields)
    found = read_fields(tmp_path / "new" / "set.pt")
    assert set(found) == set(fields)
    for name in ("tensor", "empty"):
        assert found[name].dtype == fields[name].dtype
        assert torch.equal(found[name], fields[name])
    assert {k: v.tolist() for k, v in found["group"].items()} == {"a": [1.5], "b/c": [True]}
    assert {k: found[k] for k in ("nothing", "text", "none", "list")} == {
        k: fields[k] for k in found if k in ("nothing", "text", "none", "list")
    }


def test_holds_no_pickled_class(tmp_path: Path) -> None:
    write_fields(tmp_path / "set.pt", {"tensor": torch.ones(2), "name": "x"})
    content = torch.load(tmp_path / "set.pt", weights_only=True)
    assert set(content) == {"format", "json", "tensors"}


def test_writers_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "set.pt"

    def write(i: int) -> int:
        write_fields(path, {"tensor": torch.full((50_000,), i)})
        value = read_fields(path)["tensor"]
        assert (value == value[0]).all()
        return int(value[0])

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write, range(24))) <= set(range(24))
    assert [file.name for file in tmp_path.iterdir()] == ["set.pt"]


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "set.pt"
    write_fields(path, {"tensor": torch.ones(2)})

    def fail(content: object, part: Path) -> None:
        part.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(packed_file.torch, "save", fail)
    with pytest.raises(OSError, match="no space"):
        write_fields(path, {"tensor": torch.zeros(2)})
    assert read_fields(path)["tensor"].tolist() == [1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ["set.pt"]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"no file .*set\.pt"):
        read_fields(tmp_path / "set.pt")


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_damaged_file(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "set.pt"
    write_fields(path, {"tensor": torch.arange(1000)})
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:700], "text": b"smiles,y\nC,1\n", "empty": b""}[damage])
    with pytest.raises(TableError, match=r"set\.pt is damaged .* delete it"):
        read_fields(path)


@pytest.mark.parametrize("content", [{"format": "other/1"}, [1, 2], {"state_dict": {}}])
def test_file_of_another_form(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "set.pt")
    with pytest.raises(TableError, match="not a packed data set of the form"):
        read_fields(tmp_path / "set.pt")


def test_refuses_to_run_code(tmp_path: Path) -> None:
    torch.save({"format": packed_file.FORMAT, "json": "{}", "tensors": Path("x")}, tmp_path / "set.pt")
    with pytest.raises(TableError, match="damaged or no packed data set"):
        read_fields(tmp_path / "set.pt")
