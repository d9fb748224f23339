from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from plstm_graph import from_smiles
from plstm_graph.data.table import load_table
from plstm_graph.errors import ConfigError, SmilesError, TableError

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "my molecules.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def rows(*cells: str, header: str = "smiles,y") -> str:
    return "\n".join([header, *cells]) + "\n"


def test_regression(write: Write) -> None:
    dataset, report = load_table(write(rows("CCO,1.5", "C,", "c1ccccc1,-2")))
    assert (dataset.name, dataset.task, dataset.metric) == ("my molecules", "regression", "rmse")
    assert dataset.y[:, 0].nan_to_num(99).tolist() == [1.5, 99, -2]
    assert dataset.smiles == ["CCO", "C", "c1ccccc1"]
    assert dataset.graph_fields["row"].tolist() == [0, 1, 2]
    assert (dataset.node_kind, dataset.edge_kind, dataset.chirality) == ("atom", "bond", "canonical")
    assert report.failed == []
    assert not (dataset.edge_index < 0).any()


def test_graphs_are_those_of_from_smiles(write: Write) -> None:
    smiles = ["C[C@H](N)C(=O)O", "N[C@@H](C)C(=O)O", "CC(=O)Oc1ccccc1C(=O)O"]
    dataset, _ = load_table(write(rows(*(f"{text},{i}" for i, text in enumerate(smiles)))))
    for i, text in enumerate(smiles):
        expected = from_smiles(text, chirality="canonical")
        for key in ("x", "edge_index", "edge_attr", "canonical_rank"):
            assert torch.equal(dataset[i][key], expected[key]), (text, key)


def test_several_targets_and_unused_columns_of_any_kind(write: Write) -> None:
    header = "id,SMILES,a,note,note,b,"
    dataset, _ = load_table(write(rows("1,C,0,x,y,1,z", "2,CC,1,,,NA,z", header=header)), targets=["b", "a"])
    assert dataset.targets == ["b", "a"]
    assert dataset.task == "binary"
    assert dataset.metric == "rocauc"
    assert dataset.y.nan_to_num(9).tolist() == [[1, 0], [9, 1]]


def test_classes_by_name_and_by_number(write: Write) -> None:
    text = rows("C,low", "CC,high", "CCC,", "CCCC, low ")
    dataset, _ = load_table(write(text), targets=["y"], task="multiclass")
    assert (dataset.class_names, dataset.num_classes, dataset.metric) == (["high", "low"], 2, "accuracy")
    assert dataset.y.tolist() == [1, 0, -1, 1]
    dataset, _ = load_table(write(rows("C,10", "CC,2", "CCC,2.0")), task="multiclass")
    assert (dataset.class_names, dataset.y.tolist()) == (["2", "10"], [1, 0, 0])


BAD = rows("CCO,1", "C1CC,2", "CC,3", ",4", "xyz,5", "CCC,6")


def test_bad_molecules_raise(write: Write) -> None:
    with pytest.raises(SmilesError, match="row 1: cannot read SMILES 'C1CC'"):
        load_table(write(BAD))


def test_bad_molecules_are_skipped(write: Write) -> None:
    dataset, report = load_table(write(BAD), on_error="skip")
    assert dataset.smiles == ["CCO", "CC", "CCC"]
    assert dataset.graph_fields["row"].tolist() == [0, 2, 5]
    assert dataset.y[:, 0].tolist() == [1, 3, 6]
    assert [failed.row for failed in report.failed] == [1, 3, 4]
    assert "row 3: '': the string is empty" in str(report)


@pytest.mark.parametrize("task", ["auto", "multiclass"])
def test_bad_molecules_keep_their_place(write: Write, task: str) -> None:
    dataset, _ = load_table(write(BAD), on_error="nan", task=task)
    assert len(dataset) == 6
    assert dataset.node_ptr.diff().tolist() == [3, 0, 2, 0, 0, 3]
    missing = dataset.y == -1 if task == "multiclass" else dataset.y[:, 0].isnan()
    assert missing.tolist() == [False, True, False, True, True, False]
    assert sorted(torch.cat([*dataset.splits.values()]).tolist()) == [0, 2, 5]


@pytest.mark.parametrize("on_error", ["skip", "nan"])
def test_split_by_column(write: Write, on_error: str) -> None:
    parts = ("train", "test", "valid", "nowhere", "Train")
    smiles = ("C", "CC", "CCC", "broken", "CCCC")
    text = rows(*(f"{s},1.5,{p}" for s, p in zip(smiles, parts, strict=True)), header="smiles,y,part")
    dataset, _ = load_table(write(text), split="column", split_column="part", on_error=on_error)
    found = {part: [dataset.smiles[i] for i in rows.tolist()] for part, rows in dataset.splits.items()}
    assert found == {"train": ["C", "CCCC"], "valid": ["CCC"], "test": ["CC"]}


def test_split_column_is_no_target(write: Write) -> None:
    text = rows("C,0.5,train", "CC,1,valid", "CCC,2,test", header="smiles,y,1")
    assert load_table(write(text), split="column", split_column="1")[0].targets == ["y"]


def test_random_and_scaffold_split(write: Write) -> None:
    path = write(rows(*(f"{'C' * n}{ring},{n}" for ring in ("c1ccccc1", "C1CCC1") for n in range(1, 11))))
    first = load_table(path, seed=1)[0].splits
    assert [len(first[part]) for part in ("train", "valid", "test")] == [16, 2, 2]
    assert first["test"].tolist() != load_table(path, seed=2)[0].splits["test"].tolist()
    scaffold = load_table(path, split="scaffold", fractions=(0.5, 0, 0.5))[0].splits
    assert {tuple(range(10)), tuple(range(10, 20))} == {tuple(scaffold[part].tolist()) for part in ("train", "test")}


def test_workers_change_nothing(write: Write) -> None:
    path = write(rows(*(f"{'C' * (n % 30 + 1)}O,{n}" for n in range(1200))))
    here, there = load_table(path)[0], load_table(path, workers=2)[0]
    assert torch.equal(here.x, there.x)
    assert torch.equal(here.edge_index, there.edge_index)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (rows("C,1", header="structure,y"), {}, "no column named smiles"),
        (rows("C,1"), {"smiles_column": "smile"}, "no column 'smile'; did you mean 'smiles'"),
        (rows("C,1"), {"targets": ["z"]}, "no column 'z'"),
        (rows("C,1,2", header="smiles,y,y"), {"targets": ["y"]}, "2 columns have the name 'y'"),
        (rows("C,1,2", header="smiles,smiles,y"), {}, "more than one column named smiles: .* rename"),
        (rows("C,1,2", header="smiles,a,b"), {}, "several columns hold numbers"),
        (rows("C,1", "CC,high"), {"targets": ["y"]}, "column 'y', row 1: 'high' is not a number"),
        (rows("C,no", "CC,yes"), {"targets": ["y"]}, "name the task multiclass if these are classes"),
        (
            rows("C,1700000000.5", "CC,1700000007"),
            {},
            r"column 'y': its values, around 1.7e\+09, differ by .* subtract",
        ),
        (rows("C,1", "CC,1e200"), {}, r"column 'y' holds 1e\+200, which is too large for float32"),
        (rows("C,1", "CC,2"), {"task": "binary"}, "column 'y', row 1: 2 is neither 0 nor 1"),
        (rows("C,", "CC,"), {"targets": ["y"]}, "target 'y' has no value in any row"),
        (rows("C,1"), {"targets": ["y", "y"]}, "target 'y' was named twice"),
        (rows("C,1,2", header="smiles,a,b"), {"targets": ["a", "b"], "task": "multiclass"}, "one target, got 'a', 'b'"),
        (rows("C,1"), {"split": "column", "split_column": "part"}, "no column 'part'"),
    ],
)
def test_wrong_tables(write: Write, text: str, options: dict, message: str) -> None:
    with pytest.raises(TableError, match=message):
        load_table(write(text), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "ranking"}, "task='ranking' does not exist"),
        ({"split": "time"}, "split='time' does not exist"),
        ({"split": "column"}, "go together"),
        ({"split_column": "y"}, "go together"),
        ({"on_error": "ignore"}, "on_error must be one of"),
        ({"fractions": (1, 1, 1)}, "fractions must be three numbers"),
    ],
)
def test_wrong_options(write: Write, options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_table(write(rows("C,1", "CC,2")), **options)


def named_parts(dataset: object) -> dict[str, list[str]]:
    return {part: [dataset.smiles[i] for i in rows.tolist()] for part, rows in dataset.splits.items()}


def test_parts_from_files(write: Write, tmp_path: Path) -> None:
    valid, test = tmp_path / "valid.csv", tmp_path / "test.csv"
    valid.write_text("y,smiles\n1,N\n,O\n")
    test.write_text("smiles,y\nF,0.5\n")
    dataset, _ = load_table(write(rows("C,1", "CC,0", "CCC,1")), targets=["y"], valid_path=valid, test_path=test)
    assert named_parts(dataset) == {"train": ["C", "CC", "CCC"], "valid": ["N"], "test": ["F"]}
    assert dataset.task == "regression"  # 0.5 in one file is enough
    assert dataset.graph_fields["row"].tolist() == [0, 1, 2, 0, 1, 0]
    path = write(rows(*(f"{'C' * n},{n}" for n in range(1, 11))))
    parts = named_parts(load_table(path, test_path=test, fractions=(0.4, 0.1, 0.5))[0])
    assert {part: len(names) for part, names in parts.items()} == {"train": 8, "valid": 2, "test": 1}
    with pytest.raises(ConfigError, match="split='kfold' does not go with files"):
        load_table(path, test_path=test, split="kfold")
    test.write_text("smiles,z\nF,0.5\n")
    with pytest.raises(TableError, match=r"test\.csv: there is no column 'y'"):
        load_table(path, targets=["y"], test_path=test)
    test.write_text("smiles,y\nF,1\nC(,2\n")
    with pytest.raises(SmilesError, match=r"test\.csv: .*row 1") as caught:
        load_table(path, targets=["y"], test_path=test)
    assert caught.value.row == 1


def test_weights_have_mean_one_over_train(write: Write) -> None:
    text = rows("C,1.5,2,train", "CC,1,6,train", "CCC,0,3,valid", "CCCC,0,0,test", header="smiles,y,w,part")
    dataset, _ = load_table(write(text), weight_column="w", split="column", split_column="part")
    assert dataset.targets == ["y"]
    assert dataset.graph_fields["sample_weight"].tolist() == [0.5, 1.5, 0.75, 0]


def test_descriptors_are_kept_as_they_are(write: Write) -> None:
    dataset, _ = load_table(write(rows("C,1,2.5,7", "CC,0,-1,8", header="smiles,y,a,b")), descriptors=["b", "a"])
    assert dataset.targets == ["y"]
    assert dataset.graph_fields["descriptors"].tolist() == [[7, 2.5], [8, -1]]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (rows("C,1,2", "CC,2,-1"), {"weight_column": "w"}, "column 'w', row 1: -1 is negative"),
        (rows("C,1,2", "CC,2,"), {"weight_column": "w"}, "column 'w', row 1 is empty: every row needs a weight"),
        (rows("C,1,0", "CC,2,0"), {"weight_column": "w"}, "all weights of the train part are 0"),
        (rows("C,1,2", "CC,2,NA"), {"descriptors": ["w"]}, "column 'w', row 1 is empty: every row needs a descriptor"),
        (rows("C,1,2", "CC,2,hot"), {"descriptors": ["w"]}, "column 'w', row 1: 'hot' is not a number"),
        (rows("C,1,2", "CC,2,1e39"), {"descriptors": ["w"]}, r"column 'w', row 1 holds 1e\+39, which is too large"),
        (rows("C,1,2"), {"descriptors": ["v"]}, "no column 'v'"),
        (rows("C,1,2"), {"descriptors": ["w", "w"]}, "descriptor 'w' was named twice"),
        (rows("C,1,2"), {"descriptors": ["y"]}, "'y' is named both as a target and as a descriptor"),
        (rows("C,1,2"), {"weight_column": "y"}, "'y' is named both as a target and as the weight"),
    ],
)
def test_wrong_weights_and_descriptors(write: Write, text: str, options: dict, message: str) -> None:
    with pytest.raises(TableError, match=message):
        load_table(write(text.replace("smiles,y", "smiles,y,w")), targets=["y"], **options)
