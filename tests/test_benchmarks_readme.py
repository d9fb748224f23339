"""The tables of README.md come from results/ alone."""

import json

import pytest

from benchmarks import readme
from benchmarks.errors import BenchmarkError


def test_the_tables_are_up_to_date():
    assert readme.main(["--check"]) == 0


def test_a_table_holds_what_the_lines_say(tmp_path):
    (tmp_path / "ogb").mkdir()
    part = {"data": "ogbg-molesol", "name": "plstm", "key": "k", "metric": "rmse", "fold": 0, "valid": 1.0}
    part |= {"parameters": 1234, "seconds_per_epoch": 1.0, "peak_memory_mb": 1.0, "revision": "r"}
    lines = [json.dumps(part | {"seed": seed, "test": test}) for seed, test in ((0, 0.75), (1, 1.25))]
    (tmp_path / "ogb" / "ogbg-molesol.jsonl").write_text("\n".join(lines) + "\n")
    text = readme.fill("a\n<!-- table: scores -->\nold\n<!-- end -->\nb\n", tmp_path)
    assert "| ogbg-molesol | rmse | plstm | 1,234 | 2 | 1.0000 | 0.2500 |" in text
    assert "old" not in text
    assert text.startswith("a\n")
    assert text.endswith("<!-- end -->\nb\n")
    assert readme.fill(text, tmp_path) == text


def test_an_unknown_table_is_named(tmp_path):
    with pytest.raises(BenchmarkError, match="table 'scors' does not exist"):
        readme.fill("<!-- table: scors --><!-- end -->", tmp_path)
