"""The benchmark on DAGs of a million edges, on a few hundred."""

from __future__ import annotations

import json

import networkx as nx
import pytest
import torch

from benchmarks.million import CASES, count_line_edges, main
from tests.oracles import brute_line_graph


@pytest.mark.parametrize("case", CASES)
def test_generators_make_seeded_dags_of_the_size_asked_for(case):
    edges, num_nodes = CASES[case](400, 0)
    graph = nx.MultiDiGraph(edges.T.tolist())
    assert nx.is_directed_acyclic_graph(graph)
    assert 200 < edges.size(1) <= 420  # early papers have few to cite
    assert edges.max() < num_nodes
    assert torch.equal(edges, CASES[case](400, 0)[0])
    assert not torch.equal(edges[0], CASES[case](400, 1)[0][0])
    assert count_line_edges(edges, num_nodes) == len(brute_line_graph(edges))


def test_citations_are_preferential_and_fan_in_is_bounded():
    edges, num_nodes = CASES["citation"](20_000, 0)
    cited = torch.bincount(edges[0], minlength=num_nodes)
    assert cited.max() > 20 * cited.float().mean(), "no hubs: nothing is preferential"
    assert torch.bincount(edges[1]).max() == 10
    fan_in = torch.bincount(CASES["circuit"](20_000, 0)[0][1])
    assert set(fan_in.tolist()) == {0, 2}


def test_command_writes_seconds_and_memory(tmp_path, capsys, monkeypatch):
    monkeypatch.delitem(CASES, "circuit")  # one process is slow enough
    assert main(["--edges", "500", "--out", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "million.json").read_text())
    assert [case["case"] for case in record["cases"]] == list(CASES)
    for case in record["cases"]:
        assert case["finite"]
        assert case["backward_peak_mb"] >= case["start_mb"] > 0
        assert case["forward_seconds"] > 0
    text = (tmp_path / "million.md").read_text()
    assert text in capsys.readouterr().out
    assert "| citation | 51 |" in text
