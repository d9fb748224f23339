from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from plstm_graph import from_smiles
from plstm_graph.data.ogb import describe, load_ogb, names
from plstm_graph.data.packed import PackedDataset
from plstm_graph.errors import ConfigError, DatasetNotFoundError, GraphError, TableError
from tests.data.conftest import MOLECULES, cut_off, drop_last_line

# name → graphs, train / valid / test, nodes, directed edges
REAL = {
    "ogbg-molhiv": (41127, (32901, 4113, 4113), 1049163, 2259376),
    "ogbg-molbace": (1513, (1210, 151, 152), 51577, 111536),
    "ogbg-molesol": (1128, (902, 113, 113), 14991, 30856),
    "ogbg-molfreesolv": (642, (513, 64, 65), 5600, 10770),
    "ogbg-mollipo": (4200, (3360, 420, 420), 113568, 247798),
}


@pytest.fixture
def read_by_ogb(capsys: pytest.CaptureFixture) -> Callable[[Path], list[dict]]:
    """OGB's own reader of raw files; its look for a newer version on the network is kept from starting."""
    sys.modules.setdefault("outdated", None)  # type: ignore[arg-type]
    from ogb.io.read_graph_raw import read_csv_graph_raw

    return lambda raw: read_csv_graph_raw(str(raw), add_inverse_edge=True)


def check_equal(dataset: PackedDataset, graphs: list[dict], raw: Path) -> None:
    """Graphs and labels are those that OGB's own code reads."""
    assert len(dataset) == len(graphs)
    assert torch.equal(dataset.x.long(), torch.from_numpy(np.concatenate([g["node_feat"] for g in graphs])))
    edge_index = np.concatenate([g["edge_index"] for g in graphs], axis=1)
    assert torch.equal(dataset.edge_index.long(), torch.from_numpy(edge_index))
    assert torch.equal(dataset.edge_attr.long(), torch.from_numpy(np.concatenate([g["edge_feat"] for g in graphs])))
    assert dataset.node_ptr.diff().tolist() == [g["num_nodes"] for g in graphs]
    assert dataset.edge_ptr.diff().tolist() == [g["edge_index"].shape[1] for g in graphs]
    label = pd.read_csv(raw / "graph-label.csv.gz", header=None).to_numpy(np.float32)
    np.testing.assert_array_equal(dataset.y.numpy(), label)


def test_small_set(ogb_molecules: Callable[..., Path], read_by_ogb: Callable[[Path], list[dict]]) -> None:
    root = ogb_molecules()
    dataset = load_ogb("ogbg-molesol", root)
    check_equal(dataset, read_by_ogb(root / "ogb/ogbg_molesol/raw"), root / "ogb/ogbg_molesol/raw")
    assert (dataset.task, dataset.metric, dataset.num_tasks) == ("regression", "rmse", 1)
    assert (dataset.node_kind, dataset.edge_kind, dataset.chirality) == ("atom", "bond", "written")
    assert dataset.targets == ["solubility"]
    assert dataset.smiles == list(MOLECULES)
    assert [dataset.splits[part].tolist() for part in ("train", "valid", "test")] == [[0, 1, 2], [3, 4, 5], [6, 7]]


def test_stored_features_are_kept_and_ranks_are_those_of_the_smiles(ogb_molecules: Callable[..., Path]) -> None:
    dataset = load_ogb("ogbg-molesol", ogb_molecules())
    assert (dataset.x[:, 1] == 3).all()
    for graph, smiles in zip((dataset[i] for i in range(len(dataset))), MOLECULES, strict=True):
        assert torch.equal(graph.canonical_rank, from_smiles(smiles).canonical_rank)


def test_missing_labels_and_many_tasks(ogb_molecules: Callable[..., Path]) -> None:
    labels = np.arange(24.0).reshape(8, 3) % 2
    labels[1, 2] = np.nan
    dataset = load_ogb("ogbg-moltox21", ogb_molecules("ogbg-moltox21", labels=labels))
    assert (dataset.task, dataset.metric, dataset.num_tasks) == ("binary", "rocauc", 3)
    assert dataset.y.isnan().nonzero().tolist() == [[1, 2]]
    assert dataset.targets == ["target_0", "target_1", "target_2"]


def test_smiles_that_today_s_rdkit_refuses(ogb_molecules: Callable[..., Path]) -> None:
    root = ogb_molecules(smiles=[*["CCO"] * 120, "CC(C)O"])
    mapping = root / "ogb/ogbg_molesol/mapping/mol.csv.gz"
    table = pd.read_csv(mapping, dtype=str, keep_default_na=False)
    table.loc[120, "smiles"] = "FB(F)(F)(F)(F)F.C"
    table.to_csv(mapping, index=False)
    dataset = load_ogb("ogbg-molesol", root)
    rank = dataset[120].canonical_rank
    assert sorted(rank.tolist()) == [0, 1, 2, 3]
    assert abs(int(rank[0] - rank[2])) == 1  # the two methyl groups are alike in the stored graph
    assert torch.equal(dataset[5].canonical_rank, from_smiles("CCO").canonical_rank)


@pytest.mark.parametrize("swap", [("CCO", "CCN"), ("CCO", "CCOC")])
def test_mapping_of_another_set(ogb_molecules: Callable[..., Path], swap: tuple[str, str]) -> None:
    root = ogb_molecules()
    mapping = root / "ogb/ogbg_molesol/mapping/mol.csv.gz"
    table = pd.read_csv(mapping, dtype=str, keep_default_na=False)
    table["smiles"] = table["smiles"].replace(*swap)
    table.to_csv(mapping, index=False)
    with pytest.raises(TableError, match=rf"does not belong to the graphs: 1 of 8 rows .* first is row 0, '{swap[1]}'"):
        load_ogb("ogbg-molesol", root)


def test_ppa(tmp_path: Path, write_gz: Callable[..., None]) -> None:
    base = tmp_path / "ogb/ogbg_ppa"
    edges = np.array([[0, 1], [1, 2], [0, 1]])
    features = np.arange(21).reshape(3, 7) / 7
    raw = {"num-node-list": [3, 2, 1], "num-edge-list": [2, 1, 0], "edge": edges, "edge-feat": features}
    for name, rows in {**raw, "graph-label": [36, 0, 5]}.items():
        write_gz(base / f"raw/{name}.csv.gz", rows)
    for i, part in enumerate(("train", "valid", "test")):
        write_gz(base / f"split/species/{part}.csv.gz", [i])
    dataset = load_ogb("ogbg-ppa", tmp_path)
    assert dataset.y.tolist() == [36, 0, 5]
    assert (dataset.task, dataset.metric, dataset.num_classes) == ("multiclass", "accuracy", 37)
    assert (dataset.node_kind, dataset.edge_kind, dataset.node_categories) == ("category", "number", [1])
    assert dataset.x.tolist() == [[0]] * 6
    assert dataset[0].edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    np.testing.assert_array_equal(dataset[1].edge_attr, features[[2, 2]].astype(np.float32))
    assert dataset.smiles is None


def test_second_load_comes_from_the_cache(ogb_molecules: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    root = ogb_molecules()
    first = load_ogb("ogbg-molesol", root)
    monkeypatch.setattr("plstm_graph.data.ogb._read", lambda *args: pytest.fail("read again"))
    assert torch.equal(load_ogb("ogbg-molesol", root).x, first.x)


FILES = ("edge", "node-feat", "edge-feat", "graph-label", "num-node-list", "num-edge-list")


@pytest.mark.parametrize("file", [*(f"raw/{name}" for name in FILES), "mapping/mol", "split/scaffold/train"])
def test_file_that_is_cut_off(ogb_molecules: Callable[..., Path], file: str) -> None:
    root = ogb_molecules()
    cut_off(root / f"ogb/ogbg_molesol/{file}.csv.gz")
    with pytest.raises(TableError, match=rf"{file}\.csv\.gz cannot be read"):
        load_ogb("ogbg-molesol", root)


@pytest.mark.parametrize("file", [*(f"raw/{name}" for name in FILES), "mapping/mol"])
def test_file_without_its_last_row(ogb_molecules: Callable[..., Path], file: str) -> None:
    root = ogb_molecules()
    drop_last_line(root / f"ogb/ogbg_molesol/{file}.csv.gz")
    with pytest.raises(TableError, match=r"csv\.gz has \d+ rows, but (the other files say|there are) \d+"):
        load_ogb("ogbg-molesol", root)


def test_words_among_numbers(ogb_molecules: Callable[..., Path], write_gz: Callable[..., None]) -> None:
    root = ogb_molecules()
    write_gz(root / "ogb/ogbg_molesol/raw/graph-label.csv.gz", ["1.5", "active", *["0"] * 6])
    with pytest.raises(TableError, match=r"graph-label\.csv\.gz cannot be read as a table of numbers: .*active"):
        load_ogb("ogbg-molesol", root)


def test_edge_to_a_node_that_does_not_exist(ogb_molecules: Callable[..., Path], write_gz: Callable[..., None]) -> None:
    root = ogb_molecules(smiles=["CCO", "CC", "CO"])
    write_gz(root / "ogb/ogbg_molesol/raw/edge.csv.gz", [[0, 1], [1, 2], [0, 2], [0, 1]])
    with pytest.raises(GraphError, match=r"ogbg-molesol, graph 1: edge 0 joins the nodes \[0, 2\], but .* 2 nodes"):
        load_ogb("ogbg-molesol", root)


def test_split_beyond_the_set(ogb_molecules: Callable[..., Path], write_gz: Callable[..., None]) -> None:
    root = ogb_molecules()
    write_gz(root / "ogb/ogbg_molesol/split/scaffold/test.csv.gz", [3, 8])
    with pytest.raises(TableError, match=r"test\.csv\.gz names graph 8, but there are 8 graphs"):
        load_ogb("ogbg-molesol", root)


def test_names_and_descriptions() -> None:
    assert {"ogbg-molhiv", "ogbg-molpcba", "ogbg-ppa", "ogbg-code2", "ogbg-molmuv", "ogbg-mollipo"} <= set(names())
    assert describe("ogbg-molpcba")["num tasks"] == "128"
    with pytest.raises(ConfigError, match=r"no graph-property data set 'ogbg-molhiw'; it has ogbg-molbace"):
        load_ogb("ogbg-molhiw")


def test_missing_set(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetNotFoundError, match=r"ogbg-molpcba is not complete: .*pcba\.zip there, so that .*raw/edge"
    ):
        load_ogb("ogbg-molpcba", tmp_path)


def test_ogb_is_never_imported(ogb_molecules: Callable[..., Path]) -> None:
    code = (
        f"import sys; from plstm_graph.data import load; load('ogbg-molesol', {str(ogb_molecules())!r});"
        "print([name for name in sys.modules if name.split('.')[0] in ('ogb', 'outdated')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_set_as_published(data_root: Path, name: str) -> None:
    dataset = load_ogb(name, data_root)
    graphs, parts, nodes, edges = REAL[name]
    assert (len(dataset), dataset.x.size(0), dataset.edge_index.size(1)) == (graphs, nodes, edges)
    assert tuple(len(dataset.splits[part]) for part in ("train", "valid", "test")) == parts
    for part, rows in dataset.splits.items():
        file = data_root / f"ogb/{name.replace('-', '_')}/split/scaffold/{part}.csv.gz"
        assert rows.tolist() == pd.read_csv(file, header=None)[0].tolist()
    assert dataset.metric == describe(name)["eval metric"]
    sizes = dataset.node_ptr.diff()
    start = dataset.node_ptr[:-1].repeat_interleave(sizes)
    order = (dataset.node_fields["canonical_rank"].long() + start).sort().values
    assert torch.equal(order, torch.arange(nodes)), "canonical_rank is no permutation within every graph"


@pytest.mark.data
@pytest.mark.parametrize("name", ["ogbg-molbace", "ogbg-molesol", "ogbg-molfreesolv", "ogbg-mollipo"])
def test_real_set_as_ogb_reads_it(data_root: Path, read_by_ogb: Callable[[Path], list[dict]], name: str) -> None:
    raw = data_root / f"ogb/{name.replace('-', '_')}/raw"
    check_equal(load_ogb(name, data_root), read_by_ogb(raw), raw)


@pytest.mark.data
def test_molhiv_against_its_raw_files(data_root: Path) -> None:
    dataset = load_ogb("ogbg-molhiv", data_root)
    raw = data_root / "ogb/ogbg_molhiv/raw"
    x = pd.read_csv(raw / "node-feat.csv.gz", header=None).to_numpy()
    bonds = pd.read_csv(raw / "edge.csv.gz", header=None).to_numpy()
    np.testing.assert_array_equal(dataset.x.numpy(), x)
    np.testing.assert_array_equal(dataset.edge_index[:, ::2].numpy(), bonds.T)
    np.testing.assert_array_equal(dataset.edge_index[:, 1::2].numpy(), bonds[:, ::-1].T)
    assert torch.equal(dataset.edge_attr[::2], dataset.edge_attr[1::2])
    assert int(dataset.y.sum()) == 1443
    for i in (0, 5000, 41126):
        assert torch.equal(dataset[i].canonical_rank, from_smiles(dataset.smiles[i]).canonical_rank)
