from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from itertools import count

import numpy as np
import pandas as pd
import pytest

from plstm_graph.chem import featurize, from_smiles, iter_featurize
from plstm_graph.chem.parse import FailedRow
from plstm_graph.data.demo import make_demo
from plstm_graph.errors import ConfigError, SmilesError

MIXED = ["CCO", "C(", "C", None, "", "c1ccccc1", "c1cccc1", "[Na+].[Cl-]"]
BAD = [1, 3, 4, 6]


def assert_same(packed: dict, expected: dict) -> None:
    assert packed.keys() == expected.keys()
    for name in packed:
        np.testing.assert_array_equal(packed[name], expected[name], err_msg=name)
        assert packed[name].dtype == np.int64


def test_raise_names_the_first_bad_row(capfd):
    with pytest.raises(SmilesError, match=r"row 1: cannot read SMILES 'C\('") as caught:
        featurize(MIXED)
    assert (caught.value.row, caught.value.smiles) == (1, "C(")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_in_place_of_smiles_keep_their_reason(workers):
    given = ["C", SmilesError("unreadable block", None, "unreadable block"), "CC"]
    _, report = featurize(given, on_error="skip", workers=workers)
    assert report.failed == [FailedRow(1, None, "unreadable block")]
    with pytest.raises(SmilesError, match="row 1: there is no SMILES: unreadable block"):
        featurize(given, workers=workers)


def test_skip_leaves_bad_rows_out(capfd):
    packed, report = featurize(MIXED, on_error="skip")
    assert np.diff(packed["node_ptr"]).tolist() == [3, 1, 6, 2]
    assert report.row.tolist() == [0, 2, 5, 7]
    assert report.rows == 8
    assert [(row, smiles) for row, smiles, _ in report.failed] == [(i, MIXED[i]) for i in BAD]
    assert capfd.readouterr().err == ""


def test_nan_keeps_their_places():
    packed, report = featurize(MIXED, on_error="nan")
    assert np.diff(packed["node_ptr"]).tolist() == [3, 0, 1, 0, 0, 6, 0, 2]
    assert np.diff(packed["edge_ptr"]).tolist() == [4, 0, 0, 0, 0, 12, 0, 0]
    assert report.row.tolist() == list(range(8))
    assert [failed.row for failed in report.failed] == BAD


@pytest.mark.parametrize("chunk_size", [1, 2, 3, 8, 100])
@pytest.mark.parametrize("on_error", ["skip", "nan"])
def test_chunks_make_no_difference(chunk_size, on_error):
    expected, report = featurize(MIXED, on_error=on_error)
    packed, other = featurize(MIXED, on_error=on_error, chunk_size=chunk_size)
    assert_same(packed, expected)
    assert other.failed == report.failed
    assert other.row.tolist() == report.row.tolist()


@pytest.mark.parametrize("on_error", ["skip", "nan"])
def test_list_of_data(on_error):
    graphs, report = featurize(MIXED, on_error=on_error, output="list", chunk_size=3)
    kept = [i for i in range(8) if on_error == "nan" or i not in BAD]
    assert report.row.tolist() == kept
    for row, graph in zip(kept, graphs, strict=True):
        if row in BAD:
            assert graph is None
        else:
            expected = from_smiles(MIXED[row])
            assert graph.smiles == MIXED[row]
            for key in ("x", "edge_index", "edge_attr", "canonical_rank"):
                assert graph[key].equal(expected[key])


def test_workers_give_the_same_in_the_same_order():
    strings = [*make_demo(60, seed=1).smiles, "C(", *make_demo(60, seed=2).smiles]
    expected, report = featurize(strings, on_error="nan", chirality="canonical")
    packed, other = featurize(strings, on_error="nan", chirality="canonical", workers=2, chunk_size=7)
    assert_same(packed, expected)
    assert other.failed == report.failed == [FailedRow(60, "C(", report.failed[0].reason)]


def test_workers_report_the_first_bad_row():
    with pytest.raises(SmilesError) as caught:
        featurize(["C"] * 20 + ["x"] + ["C"] * 20 + ["y"], workers=2, chunk_size=4)
    assert (caught.value.row, caught.value.smiles) == (20, "x")


def _dies(start: int, piece: list, **options: object) -> None:
    os._exit(1)


@pytest.mark.skipif(multiprocessing.get_start_method() != "fork", reason="only a forked worker knows the stand-in")
def test_a_worker_that_dies_is_reported_with_the_rows(monkeypatch):
    monkeypatch.setattr("plstm_graph.chem.batch._featurize", _dies)
    with pytest.raises(BrokenProcessPool) as caught:
        featurize(["C"] * 10, workers=2, chunk_size=4)
    assert any("rows 0 to 3 or later" in note for note in caught.value.__notes__)


def test_chirality_is_passed_on():
    column = [featurize(["C[C@H](F)Cl"], chirality=c)[0]["x"][1, 1] for c in ("written", "canonical")]
    assert column == [from_smiles("C[C@H](F)Cl", chirality=c).x[1, 1] for c in ("written", "canonical")]


@pytest.mark.parametrize("workers", [0, 2])
def test_iterator_reads_no_further_than_it_must(workers):
    taken = []

    def endless():
        for i in count():
            taken.append(i)
            yield "C" if i % 5 else "broken"

    chunks = iter_featurize(endless(), on_error="skip", chunk_size=10, workers=workers)
    first, second = next(chunks), next(chunks)
    chunks.close()
    assert len(taken) <= 10 * (2 + 2 * workers)
    assert (second.start, second.size) == (10, 10)
    assert second.row.tolist() == [11, 12, 13, 14, 16, 17, 18, 19]
    assert [failed.row for failed in second.failed] == [10, 15]
    assert len(first.packed["node_ptr"]) == 9


def test_empty_input():
    packed, report = featurize([])
    assert packed["node_ptr"].tolist() == [0]
    assert (report.rows, len(report.row), report.failed) == (0, 0, [])
    assert featurize([], output="list")[0] == []
    assert list(iter_featurize([])) == []


def test_only_bad_rows():
    packed, report = featurize(["x", None], on_error="skip")
    assert packed["x"].shape == (0, 9)
    assert len(report.failed) == 2
    assert featurize(["x", None], on_error="nan")[0]["node_ptr"].tolist() == [0, 0, 0]


def test_takes_a_column_of_a_table():
    column = pd.DataFrame({"smiles": ["CC", None, "C"]}, index=[7, 8, 9])["smiles"]
    report = featurize(column, on_error="skip")[1]
    assert report.row.tolist() == [0, 2]
    assert report.failed[0][0] == 1
    assert report.failed[0].reason == "the value is missing"


def test_report_as_table_and_text():
    report = featurize(MIXED * 4, on_error="skip")[1]
    table = report.to_frame()
    assert table.columns.tolist() == ["row", "smiles", "reason"]
    assert len(table) == 16
    text = str(report)
    assert text.startswith("16 of 32 rows read, ")
    assert "  row 1: 'C(': SMILES Parse Error" in text
    assert text.endswith("and 6 more")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_error": "ignore"}, "on_error must be one of 'raise', 'skip', 'nan', got 'ignore'"),
        ({"chirality": "rs"}, "chirality must be"),
        ({"workers": -1}, "workers must be 0 or more"),
        ({"chunk_size": 0}, "chunk_size 1 or more"),
        ({"output": "dict"}, "output must be 'packed' or 'list', got 'dict'"),
    ],
)
def test_unknown_options(options, message):
    with pytest.raises(ConfigError, match=message):
        featurize(["C"], **options)


def test_a_single_string_is_refused():
    with pytest.raises(ConfigError, match="put it in a list"):
        featurize("CCO")
    with pytest.raises(ConfigError, match="got the single"):
        iter_featurize("CCO")


def test_bar_shows_rows_and_rate_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    featurize(["C"] * 10, chunk_size=3)
    shown = capsys.readouterr().err
    assert "10/10" in shown
    assert "molecules/s" in shown


def test_no_bar_elsewhere(capsys):
    featurize(["C"] * 10)
    assert capsys.readouterr().err == ""


def test_packed_work_needs_no_torch():
    code = "import sys; from plstm_graph.chem import featurize; featurize(['C']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
