"""The command on neural architectures: lines, table, figure, resumption; linear figures on a known target."""

from __future__ import annotations

import gzip
import json
import random

import pytest

from benchmarks.dags import architectures
from benchmarks.dags.__main__ import main


@pytest.fixture
def products(tmp_path, monkeypatch):
    """Architectures whose accuracy is a product of two connection bits, plus one bit."""
    monkeypatch.setenv("PLSTM_GRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PLSTM_GRAPH_DATA", str(tmp_path))
    rng, lines = random.Random(0), ["warming up"] * 1000
    for _ in range(4000):
        rows = [[rng.randrange(6)] + [rng.randrange(2) for _ in range(i)] for i in range(6)]
        lines.append(f"{rows}, {0.7 + 0.02 * rows[2][1] * rows[4][3] + 0.01 * rows[5][5]:.4f}")
    (tmp_path / "dvae").mkdir()
    (tmp_path / "dvae/final_structures6.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))


@pytest.mark.usefixtures("products")
def test_pairwise_products_find_what_linear_features_cannot():
    assert architectures.fit_linear(1)["test"] > 0.3
    found = architectures.fit_linear(2)
    assert found["test"] < 0.05
    assert found["pearson"] > 0.99
    assert found["parameters"] == 51 + 51 * 50 // 2 + 1


@pytest.mark.usefixtures("products")
def test_command_writes_lines_table_and_figure_and_goes_on_where_it_stopped(tmp_path, capsys):
    command = ["architectures", "--quick", "--seeds", "1", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    first = (tmp_path / "out/architectures.jsonl").read_text()
    records = [json.loads(line) for line in first.splitlines()]
    assert [r["model"] for r in records] == [*architectures.MODELS, *architectures.LINEAR]
    assert all(r["config"]["seed"] == 0 and r["curves"]["valid"] and "revision" in r for r in records[:4])
    table = (tmp_path / "out/architectures.md").read_text()
    assert table in capsys.readouterr().out
    for r in records:
        assert f"| {r['model']} | {r['parameters']:,} | {r['test']:.3f} | {r['pearson']:.3f} | 1 |" in table
    assert (tmp_path / "out/architectures.png").read_bytes()[:4] == b"\x89PNG"
    (tmp_path / "out/architectures.jsonl").write_text(first[: first.rindex("{") + 20])  # killed in the last line
    assert main(command) == 0
    assert (tmp_path / "out/architectures.jsonl").read_text() == first
