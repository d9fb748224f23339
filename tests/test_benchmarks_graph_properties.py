"""The command on graph properties: parts, scores, orders, table and figure, resumption."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from benchmarks.dags import graph_properties
from benchmarks.dags.__main__ import main

SMALL = graph_properties.settings(1, quick=True)


def test_command_writes_what_is_asked_for_and_goes_on_where_it_stopped(tmp_path, capsys):
    command = ["graph-properties", "--quick", "--seeds", "1", "--out", str(tmp_path), "--only"]
    assert main([*command, "gin", "gps", "diameter"]) == 0
    first = (tmp_path / "graph-properties.jsonl").read_text()
    records = [json.loads(line) for line in first.splitlines()]
    assert [(r["task"], r["model"]) for r in records] == [("diameter", "gin"), ("diameter", "gps")]
    assert main([*command, "source", "plstm", "gin", "diameter", "sssp", "none"]) == 0
    records = [json.loads(line) for line in (tmp_path / "graph-properties.jsonl").read_text().splitlines()]
    assert (tmp_path / "graph-properties.jsonl").read_text().startswith(first)  # nothing is done again
    assert {(r["task"], r["model"], r["order"]) for r in records} == {
        ("diameter", "gin", "none"), ("diameter", "gps", "none"), ("sssp", "plstm", "source"), ("sssp", "gin", "none"),
    }  # fmt: skip
    table = (tmp_path / "graph-properties.md").read_text()
    for r in records:
        row = (
            f"| {r['task']} | {r['model']} | {r['order']} | {r['parameters']:,} | {r['hops']:.3f} | {r['scaled']:.3f} |"
        )
        assert row in table
        assert r["hops"] - r["scaled"] == pytest.approx(2 * math.log10(r["scale"]), abs=1e-3)
    assert table in capsys.readouterr().out
    assert (tmp_path / "graph-properties.png").read_bytes()[:4] == b"\x89PNG"


def test_unknown_names_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["graph-properties", "--out", str(tmp_path), "--only", "gcn"])
    assert "--only gcn: there is no such part; names are sssp, eccentricity, diameter; plstm" in capsys.readouterr().err


def test_every_model_is_in_every_task():
    parts = graph_properties.settings(2, False)
    for task in graph_properties.PROPERTIES:
        models = {part.model for part in parts if part.task == task}
        assert models == {"plstm", "plstm-local", "gin", "gps", "dagnn"}
    assert {part.order for part in parts if part.task == "sssp"} == {"source", "canonical", "none"}
    assert len({tuple(vars(part).items()) for part in parts}) == len(parts)


def test_a_model_that_went_astray_has_no_score():
    dataset = graph_properties.load((32, 16, 16), 0)
    batch = graph_properties._prepare(dataset.collate(slice(0, 4)), "sssp", 1.0, None)
    astray = graph_properties.score(lambda batch: torch.full((batch.num_nodes, 1), math.nan), [batch], node=True)
    assert math.isnan(astray)


@pytest.mark.parametrize("task", graph_properties.PROPERTIES)
def test_score_is_the_mean_over_graphs_of_the_mean_over_nodes(task):
    dataset = graph_properties.load((32, 16, 16), 0)
    scale = graph_properties.largest(dataset, task)
    seen = []

    class Watch(nn.Module):
        def forward(self, data):
            seen.append(data)
            return torch.zeros(data.num_graphs if task == "diameter" else data.num_nodes, 1)

    setting = next(s for s in SMALL if s.task == task and s.model == "gin")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph_properties, "make_model", lambda *_, **__: Watch())
        patch.setattr(graph_properties, "fit", lambda *_: {})
        record = graph_properties.train_and_test(setting)
    values = []
    for i in dataset.splits["test"].tolist():
        target = dataset[i][graph_properties.PROPERTIES[task]].flatten().double()
        values.append(float((target**2).mean()))
    assert record["hops"] == pytest.approx(math.log10(sum(values) / len(values)), abs=1e-3)
    assert record["scale"] == scale
    assert all(batch.x.size(1) == (2 if task == "sssp" else 1) for batch in seen)


def test_sources_come_first_in_their_order():
    dataset = graph_properties.load((32, 16, 16), 0)
    batch = graph_properties._prepare(
        dataset.collate(range(20)), "sssp", 1.0, graph_properties.ToLineDAG("source_rank")
    )
    tail, head = batch.dag.edge_index
    reached = (batch.distance > 0) | (batch.x[:, 1] == 1)
    assert (batch.distance[head] >= batch.distance[tail])[reached[tail]].all()
    assert (batch.x[head, 1] == 0).all()  # nothing leads to a source


def test_best_epoch_is_kept():
    setting = replace(next(s for s in SMALL if s.model == "gin"), epochs=3, patience=3)
    torch.manual_seed(0)
    record = graph_properties.train_and_test(setting)
    assert len(record["curve"]) == 3
    assert record["valid"] == pytest.approx(min(record["curve"]), abs=1e-6)
    assert record["curve"].index(min(record["curve"])) == record["best_epoch"]
