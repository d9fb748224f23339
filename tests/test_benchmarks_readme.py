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
    assert "| ogbg-molesol | rmse | plstm | 1,234 | 2 | 1.0000 ± 0.2500 | – |" in text
    assert "old" not in text
    assert text.startswith("a\n")
    assert text.endswith("<!-- end -->\nb\n")
    assert readme.fill(text, tmp_path) == text


def test_the_four_tudatasets_have_a_mean_once_all_folds_are_there(tmp_path):
    (tmp_path / "tu").mkdir()
    part = {"key": "k", "metric": "accuracy", "seed": 0, "valid": 1.0, "parameters": 5, "seconds_per_epoch": 1.0}
    part |= {"peak_memory_mb": 1.0, "revision": "r", "test_orders": 3}
    for data, mean in zip(readme.TU_SETS, (0.9, 0.8, 0.7, 0.6), strict=True):
        both = ({"name": "a", "test": mean, "test_averaged": mean + 0.04}, {"name": "b", "test": mean})
        lines = [
            json.dumps(part | model | {"data": data, "fold": fold, "test": mean + (fold % 2 - 0.5) / 10})
            for model in both
            for fold in range(10)
            if model["name"] == "a" or data != "NCI1" or fold < 9
        ]
        (tmp_path / "tu" / f"{data}.jsonl").write_text("\n".join(lines) + "\n")
    table = readme.fill("<!-- table: tudatasets --><!-- end -->", tmp_path).splitlines()
    error = 0.05 * (10 / 9) ** 0.5 / 10**0.5
    cells = " | ".join(f"{mean:.4f} ± {error:.4f}" for mean in (0.9, 0.8, 0.7, 0.6))
    assert f"| a | 5 | {cells} | 0.7500 ± {error / 2:.4f} |" in table
    assert any(line.startswith("| a, 3 orders averaged at test |") and "0.7900 ± 0.0000 |" in line for line in table)
    assert any(line.startswith("| b |") and line.endswith("| – |") and line.count("–") == 2 for line in table)


def test_every_configuration_is_listed_with_what_its_file_says(tmp_path):
    table = readme.fill("<!-- table: configurations --><!-- end -->", tmp_path).splitlines()
    for file in (readme.ROOT / "plstm_graph" / "configs").glob("*.yaml"):
        row = next(line for line in table if line.startswith(f"| `{file.stem}` |"))
        first = file.read_text(encoding="utf-8").splitlines()[0]
        assert first.strip("# ") in row


def test_an_unknown_table_is_named(tmp_path):
    with pytest.raises(BenchmarkError, match="table 'scors' does not exist"):
        readme.fill("<!-- table: scors --><!-- end -->", tmp_path)
