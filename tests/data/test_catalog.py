from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import plstm_graph.data
from plstm_graph.data import catalog, load
from plstm_graph.errors import ConfigError, DatasetNotFoundError


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "Table.CSV"
    path.write_text("smiles,y,part\n" + "".join(f"{'C' * n}O,{n},train\n" for n in range(1, 21)))
    return str(path)


@pytest.fixture
def few_demo_molecules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from plstm_graph.data import demo

    monkeypatch.setenv("PLSTM_GRAPH_CACHE", str(tmp_path / "cache"))
    write = demo.write_demo
    monkeypatch.setattr(demo, "write_demo", lambda path: write(path, n=30))


def test_table(table: str) -> None:
    dataset = load(table, targets=["y"], split="random", seed=4)
    assert len(dataset) == 20
    assert [len(dataset.splits[part]) for part in ("train", "valid", "test")] == [16, 2, 2]


def test_rows_that_were_skipped_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "t.csv").write_text("smiles,y\nC,1\nbroken,2\nCC,3\n")
    with caplog.at_level(logging.WARNING, "plstm_graph"):
        assert len(load(str(tmp_path / "t.csv"), on_error="skip")) == 2
    assert "2 of 3 rows read" in caplog.text
    assert "row 1: 'broken'" in caplog.text


@pytest.mark.usefixtures("few_demo_molecules")
def test_demo(tmp_path: Path) -> None:
    dataset = load("demo")
    assert (dataset.name, dataset.targets, dataset.task, len(dataset)) == ("demo", ["logp"], "regression", 30)
    assert load("demo", targets=["near_nitrile"]).task == "binary"
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".csv"]


def test_ogb(ogb_molecules: Callable[..., Path]) -> None:
    root = ogb_molecules()
    assert load("ogbg-molesol", root).splits["test"].tolist() == [6, 7]
    assert load("ogbg-molesol", root, split="random", fractions=(0.5, 0.25, 0.25)).splits["test"].numel() == 2
    assert load("ogbg-molesol", root, split="scaffold").splits.keys() == {"train", "valid", "test"}


def test_data_root_by_environment(ogb_molecules: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLSTM_GRAPH_DATA", str(ogb_molecules()))
    assert len(load("ogbg-molesol")) == 8


def test_data_root_by_default(ogb_molecules: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    root = ogb_molecules()
    (root / "ogb").rename(root / "datasets-ogb")
    (root / "datasets").mkdir()
    (root / "datasets-ogb").rename(root / "datasets" / "ogb")
    monkeypatch.chdir(root)
    assert len(load("ogbg-molesol")) == 8


@pytest.fixture
def own_tu_set(tmp_path: Path) -> Path:
    """Twenty pairs of atoms and twenty single atoms, as a TUDataset named MINE."""
    raw = tmp_path / "tu" / "MINE" / "raw"
    raw.mkdir(parents=True)
    pairs = [2 * i + 1 for i in range(20)]
    (raw / "MINE_A.txt").write_text("".join(f"{i}, {i + 1}\n{i + 1}, {i}\n" for i in pairs))
    indicator = [g for g in range(1, 21) for _ in range(2)] + list(range(21, 41))
    (raw / "MINE_graph_indicator.txt").write_text("".join(f"{g}\n" for g in indicator))
    (raw / "MINE_graph_labels.txt").write_text("1\n" * 20 + "2\n" * 20)
    return tmp_path


def test_any_tu_set(own_tu_set: Path) -> None:
    tests = [load("MINE", own_tu_set, fold=fold).splits["test"].tolist() for fold in range(10)]
    assert sorted(row for rows in tests for row in rows) == list(range(40))
    assert load("MINE", own_tu_set, split="random").splits["train"].numel() == 32


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("ogbg-molhvi", "ogbg-molhiv"),
        ("mutag", "MUTAG"),
        ("peptides-functional", "peptides-func"),
        ("PTC-FM", "PTC_FM"),
        ("Demo", "demo"),
    ],
)
def test_nearest_name(tmp_path: Path, name: str, near: str) -> None:
    with pytest.raises(ConfigError, match=f"no data set '{name}'; did you mean '{near}'"):
        load(name, tmp_path)


def test_name_like_no_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no data set 'qq'; known are demo, .*MUTAG.*\.csv.*tu/NAME/raw"):
        load("qq", tmp_path)


@pytest.mark.parametrize("name", ["../MINE", "/etc", "", "."])
def test_names_are_no_paths(own_tu_set: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="no data set"):
        load(name, own_tu_set)


@pytest.mark.parametrize("name", ["ogbg-molhiv", "ogbg-code2", "MUTAG", "peptides-func"])
def test_set_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetNotFoundError, match=rf"{name} is not complete: {tmp_path}"):
        load(name, tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ["y"]}, r"ogbg-molesol is not a table: targets=\['y'\] has no meaning"),
        ({"smiles_column": "s"}, "smiles_column='s' has no meaning"),
        ({"task": "binary"}, "task='binary' has no meaning"),
        ({"split": "column", "split_column": "p"}, "split_column='p' has no meaning"),
        ({"split": "column"}, "split='column' does not exist"),
        ({"fold": 1}, "fold=1 has no meaning"),
    ],
)
def test_options_without_meaning(ogb_molecules: Callable[..., Path], options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load("ogbg-molesol", ogb_molecules(), **options)


def test_tables_have_no_folds(table: str) -> None:
    with pytest.raises(ConfigError, match="fold=2 has no meaning"):
        load(table, fold=2)


def test_names() -> None:
    assert {"demo", "ogbg-molhiv", "ogbg-code2", "peptides-struct", "MUTAG"} <= set(catalog.names())
    assert len(catalog.names()) == len(set(catalog.names()))


def test_every_set_has_a_card() -> None:
    cards = Path(__file__).parents[2] / "datasets"
    index = (cards / "README.md").read_text(encoding="utf-8")
    for name in catalog.names():
        assert f"`{name}`" in index, f"{name} is not in datasets/README.md"
    for card in cards.glob("*.md"):
        assert card.name == "README.md" or f"({card.name})" in index, f"datasets/README.md does not link {card.name}"


def test_public_names() -> None:
    for name in plstm_graph.data.__all__:
        assert getattr(plstm_graph.data, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = plstm_graph.data.nothing


def test_the_package_is_light() -> None:
    code = "import sys, plstm_graph.data; print([m for m in ('torch', 'pandas', 'rdkit', 'ogb') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("smiles\ty\nC\t1\n")
    with pytest.raises(ConfigError, match=r"t\.tsv must end in \.csv"):
        load(str(tmp_path / "t.tsv"), targets=["y"])
