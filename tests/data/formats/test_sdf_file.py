"""SD files against RDKit's own reader, and the records that it gives up."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from rdkit import Chem

from plstm_graph.data import make_demo
from plstm_graph.data.formats import open_table
from plstm_graph.data.formats.chunk import Chunk
from plstm_graph.data.formats.sdf_file import read_record
from plstm_graph.errors import TableError

ETHANOL = Chem.MolToMolBlock(Chem.MolFromSmiles("CCO"))
PENTAVALENT = ETHANOL.replace("  2  3  1  0", "  2  3  3  0").replace("  1  2  1  0", "  1  2  3  0")


def record(block: str, **properties: str) -> str:
    return block + "".join(f"> <{name}>\n{value}\n\n" for name, value in properties.items()) + "$$$$\n"


def read(path: Path, rows: int = 100) -> tuple[dict[str, list], list[Chunk]]:
    with open_table(path) as table:
        chunks = list(table.chunks(rows))
        cells = {name: [] for name in table.schema.names}
        for chunk in chunks:
            for name, values in chunk.cells.to_pydict().items():
                cells[name] += values
        assert table.total == len(next(iter(cells.values())))
    return cells, chunks


def test_as_rdkit_reads_it(tmp_path: Path) -> None:
    demo = make_demo(30)
    with Chem.SDWriter(str(tmp_path / "x.sdf")) as writer:
        for i, row in enumerate(demo.itertuples()):
            mol = Chem.MolFromSmiles(row.smiles)
            mol.SetProp("_Name", f"molecule {i}")
            mol.SetProp("family", row.family)
            if i % 2:
                mol.SetDoubleProp("logp", row.logp)
            if i % 3 == 0:
                mol.SetProp("note", f"first line {i}\n  second, line")
            writer.SetForceV3000(i % 5 == 0)
            writer.write(mol)
    cells, chunks = read(tmp_path / "x.sdf", rows=7)
    assert [len(chunk.cells) for chunk in chunks] == [7, 7, 7, 7, 2]
    assert list(cells) == ["smiles", "title", "family", "note", "logp"]
    for i, mol in enumerate(Chem.SDMolSupplier(str(tmp_path / "x.sdf"))):
        assert cells["smiles"][i] == Chem.MolToSmiles(mol)
        assert cells["title"][i] == mol.GetProp("_Name")
        for name in ("family", "note", "logp"):
            assert cells[name][i] == (mol.GetProp(name) if mol.HasProp(name) else None)
    text = (tmp_path / "x.sdf").read_text()
    (tmp_path / "y.SDF.gz").write_bytes(gzip.compress(text.replace("\n", "\r\n").encode()))
    assert read(tmp_path / "y.SDF.gz")[0] == cells


def test_unreadable_records_keep_row_and_properties(tmp_path: Path) -> None:
    broken = "\n".join(ETHANOL.splitlines()[:5]) + "\n"  # no M  END
    text = record(ETHANOL, id="1") + record(PENTAVALENT, id="2", low=">10") + record(broken, id="3") + "$$$$\n"
    (tmp_path / "x.sdf").write_text(text + record(ETHANOL, id="5")[: -len("$$$$\n")])
    cells, (chunk,) = read(tmp_path / "x.sdf")
    assert cells["smiles"] == ["CCO", None, None, None, "CCO"]
    assert cells["id"] == ["1", "2", "3", None, "5"]
    assert cells["low"] == [None, ">10", None, None, None]
    assert sorted(chunk.unreadable) == [1, 2, 3]
    assert "valence" in chunk.unreadable[1]
    assert "EOF" in chunk.unreadable[2]
    assert all(reason.startswith("the mol block cannot be read: ") for reason in chunk.unreadable.values())


def test_names_of_own_columns_give_way(tmp_path: Path) -> None:
    (tmp_path / "x.sdf").write_text(record("name" + ETHANOL, SMILES="given", title="given"))
    cells, _ = read(tmp_path / "x.sdf")
    assert cells == {"smiles_of_record": ["CCO"], "title_of_record": ["name"], "SMILES": ["given"], "title": ["given"]}


@pytest.mark.parametrize(
    ("lines", "properties"),
    [
        (["> <a>", "1", "", ">  25 <b c> (x)", "2", ""], {"a": "1", "b c": "2"}),
        (["> <a>", "", "> <b>", ""], {"a": "", "b": ""}),
        (["> <a>", "> 10", "", "> <b>", "x"], {"a": "> 10", "b": "x"}),
        (["> <a>", "x", "", "y ", "", "", "> <b>", "z"], {"a": "x\n\ny ", "b": "z"}),
        (["> <a>", "x", "", "> <a>", "y"], {"a": "x\ny"}),
        (["> DT12", "x"], {"DT12": "x"}),
        ([], {}),
    ],
)
def test_properties(lines: list[str], properties: dict[str, str]) -> None:
    found = read_record([*ETHANOL.splitlines(), *lines])
    assert found.properties == properties
    assert found.block == ETHANOL


def test_letters_beyond_ascii(tmp_path: Path) -> None:
    text = record(ETHANOL, utf="5 µM", latin="5 µM")
    first, second = text.split("> <latin>")
    (tmp_path / "x.sdf").write_bytes(first.encode() + b"> <latin>" + second.encode("latin-1"))
    cells, _ = read(tmp_path / "x.sdf")
    assert cells["utf"] == cells["latin"] == ["5 µM"]


def test_files_without_records(tmp_path: Path) -> None:
    (tmp_path / "x.sdf").write_text("\n\n")
    with pytest.raises(TableError, match=r"x\.sdf has no records"):
        open_table(tmp_path / "x.sdf")
    (tmp_path / "x.sdf.gz").write_bytes(gzip.compress(record(ETHANOL).encode() * 999)[:-20])
    with pytest.raises(TableError, match=r"x\.sdf\.gz is damaged after record \d+"):
        open_table(tmp_path / "x.sdf.gz")
