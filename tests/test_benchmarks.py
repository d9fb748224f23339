"""The benchmark suite: its arithmetic, its tables, its card and the peers it compares with."""

from __future__ import annotations

import pytest
import torch

from benchmarks import figures, peers, plots
from benchmarks.card import ROWS, card, needed, verdict
from benchmarks.case import AT
from benchmarks.report import suite_report
from benchmarks.suites import SUITES


def case_record(calls: dict[str, tuple[float, int]], base: str | None = None, axis: str | None = None) -> dict:
    """A case in which every sample of a call is the same."""
    entries = {
        name: {"items": items, "bytes": 0, "samples": {"now": [value] * 3, "before": [2 * value] * 3}}
        for name, (value, items) in calls.items()
    }
    return {"about": "a case", "base": base, "axis": axis, "unit": "s", "rounds": 3, "calls": entries, "failed": {}}


def suite_record(cases: dict[str, dict], against: str | None = None) -> dict:
    machine = {"cpu": "a processor", "cores": 2, "memory_gb": 4.0, "system": "a system"}
    about = {"suite": "ops", "revision": "abc", "against": against, "quick": False, "threads": 2, "device": "cpu"}
    run = {"started": "today", "seconds": 1.0, "load_before": 0.1, "load_after": 0.2, "molecules": "some"}
    return {**about, **run, "machine": machine, "versions": {"torch": "1"}, "cases": cases, "tables": {}}


# --- figures


def test_slope_is_the_exponent():
    x = [10.0, 100.0, 1000.0]
    assert figures.slope(x, [3 * v**1.5 for v in x]) == pytest.approx(1.5)
    assert figures.slope([10.0], [1.0]) is None


def test_crossing_is_interpolated_in_log_log():
    x = [1.0, 10.0, 100.0]
    assert figures.crossing(x, [v**2 for v in x], [30 * v for v in x]) == pytest.approx(30)
    assert figures.crossing(x, [1, 1, 1], [2, 2, 2]) is None
    assert figures.crossing(x, [2, 2, 2], [1, 1, 1]) == 0


def test_ratio_and_rate():
    case = case_record({"slow": (3.0, 6), "fast": (2.0, 40)})
    assert figures.ratio(case, "slow", "fast") == pytest.approx(1.5)
    assert figures.ratio(case, "slow", "fast", per_item=True) == pytest.approx((3 / 6) / (2 / 40))
    assert figures.ratio(case, "slow", "fast", "before") == pytest.approx(1.5)
    assert figures.ratio(case, "slow", "absent") is None
    assert figures.rate(case, "fast") == pytest.approx(20)


# --- the card

PROMISED = """\
fused operator ÷ GINConv (96→192→96) | ≤ 1 | ≤ 0.5
whole PLSTMConv, one direction ÷ GINConv | ≤ 2.5 | ≤ 1.5
pLSTM block (conv + MLP) ÷ GPS block (GINE + attention + MLP) | ≤ 1 | ≤ 0.5
reference engine ÷ fused, per molecule | ≥ 100 | ≥ 500
wavefront ÷ fused | ≥ 8 | ≥ 15
epoch on ogbg-molhiv, 4 pLSTM blocks (one direction, with MLP) ÷ 4-layer GIN of the same width, \
same trainer | ≤ 3 | ≤ 1.5
molecules per second, one core, SMILES → Data, ÷ OGB's smiles2graph | ≥ 2 | ≥ 4
molecules per second, one core, edge_index → LineDAG (line graph, levels, multitree), batch of 500 | \
≥ 20,000 | ≥ 200,000
cost against depth on a path, slope in log-log, 10² to 10⁵ nodes, fused and chunkwise | ≤ 1.05 | ≤ 1"""


def full_records() -> dict[str, dict]:
    depth = {
        f"{name}{AT}{n}": (1e-6 * n**power, 1)
        for n in (100, 1000)
        for name, power in (("fused", 0.9), ("chunkwise", 1.2))
    }
    molecules = {"GINConv": (2.0, 500), "fused": (1.0, 500), "wavefront": (10.0, 500), "reference": (1.0, 5)}
    blocks = {"GPS block": (1.0, 500), "PLSTMBlock, edge features": (2.0, 500)}
    epoch = {"gin": (1.0, 500), "plstm, alternating directions": (2.5, 500), "plstm": (3.5, 500)}
    graphs = {"edge_index → LineDAG": (0.01, 500), "ToLineDAG canonical": (0.02, 500)}
    return {
        "ops": suite_record({"molecules": case_record(molecules), "depth": case_record(depth, axis="nodes")}),
        "layers": suite_record(
            {
                "layers": case_record({"GINConv": (1.0, 500), "PLSTMConv P": (1.7, 500)}),
                "blocks": case_record(blocks),
            }
        ),
        "prep": suite_record(
            {
                "line graph": case_record(graphs),
                "smiles": case_record({"ogb smiles2graph": (1.0, 500), "featurize, list of Data": (0.2, 500)}),
            }
        ),
        "train": suite_record({"epoch": case_record(epoch), "epoch, small batches": case_record(epoch)}),
    }


def test_card_has_exactly_the_promised_rows_and_judges_them():
    lines = [line for line in card(full_records()).splitlines() if line.startswith("| ")][1:]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert [" | ".join(row[:3]) for row in cells] == PROMISED.splitlines()
    assert [row[3].split()[0] for row in cells] == ["0.5", "1.7", "2", "100", "10", "2.5", "5", "50,000", "1.2"]
    assert [row[4] for row in cells] == [
        *("hit, aim too", "hit", "miss", "hit", "hit", "hit", "hit, aim too", "hit", "miss"),
    ]


def test_card_says_what_was_not_measured():
    records = full_records()
    del records["train"], records["ops"]["cases"]["molecules"]["calls"]["reference"]
    text = card(records)
    assert text.count("not measured") == 2


def test_verdict_at_the_limits():
    assert [verdict(ROWS[0], value) for value in (0.5, 0.51, 1.0, 1.01)] == ["hit, aim too", "hit", "hit", "miss"]
    assert [verdict(ROWS[3], value) for value in (500, 499, 100, 99)] == ["hit, aim too", "hit", "hit", "miss"]


def test_card_needs_cases_that_exist():
    from importlib import import_module

    for row in ROWS:
        assert set(row.cases) <= set(import_module(SUITES[row.suite]).CASES)
        assert all(needed(row.suite, case) for case in row.cases)
    assert not needed("ops", "heads")


# --- reports


def test_report_compares_with_the_base_and_with_the_other_revision():
    record = suite_record({"all": case_record({"a": (0.004, 10), "b": (0.002, 10)}, base="b")}, against="old")
    text = suite_report(record)
    assert "| a | 4 | 4 – 4 | 10 | 2,500 | 2 | 8 | 0.500 |" in text
    assert "revision abc against old" in text


def test_report_of_a_sweep_has_slopes_and_a_plot(tmp_path):
    sweep = case_record({f"fused{AT}{n}": (1e-5 * n, 1) for n in (100, 1000, 10_000)}, axis="nodes")
    record = suite_record({"sweep": sweep})
    text = suite_report(record)
    assert "| 1000 | 10 |" in text
    assert "| fused | 100 – 10000 | 1.00 | 1.00 |" in text
    assert plots.draw_sweeps(record, tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").stat().st_size > 5000


def test_report_names_failures():
    case = case_record({"a": (0.004, 10)})
    case["failed"] = {"b": {"before": "ValueError: too old\nmore"}}
    assert "| b | before | ValueError: too old |" in suite_report(suite_record({"all": case}))


# --- peers


def diamond() -> tuple[torch.Tensor, list[list[int]]]:
    """A DAG with levels of different sizes, and the predecessors of every node."""
    edges = [(0, 2), (1, 2), (2, 3), (0, 3), (3, 5), (4, 5)]
    return torch.tensor(edges).T, [[t for t, h in edges if h == n] for n in range(6)]


def test_levels_come_in_order():
    edge_index, before = diamond()
    plan = peers.levels(edge_index, 6)
    assert [level.nodes.tolist() for level in plan] == [[0, 1, 4], [2], [3], [5]]
    for level in plan:
        heads = level.nodes[level.place].tolist()
        for node in level.nodes.tolist():
            tails = [t for t, h in zip(level.tail.tolist(), heads, strict=True) if h == node]
            assert sorted(tails) == sorted(before[node])


def test_tree_lstm_is_the_recurrence_node_by_node():
    edge_index, before = diamond()
    layer, x = peers.LevelwiseTreeLSTM(5), torch.randn(6, 5)
    hidden, cell = torch.zeros(6, 5), torch.zeros(6, 5)
    with torch.no_grad():
        for n in (0, 1, 4, 2, 3, 5):
            gates, forget = layer.input(x[n]).split((15, 5))
            i, o, u = (gates + layer.gates(hidden[before[n]].sum(0))).chunk(3)
            cell[n] = i.sigmoid() * u.tanh()
            for b in before[n]:
                cell[n] += (forget + layer.forget(hidden[b])).sigmoid() * cell[b]
            hidden[n] = o.sigmoid() * cell[n].tanh()
    out = layer(x, peers.levels(edge_index, 6))
    torch.testing.assert_close(out.detach(), hidden)
    out.sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in layer.parameters())


def test_dag_gnn_is_the_recurrence_node_by_node():
    edge_index, before = diamond()
    layer, x = peers.LevelwiseDAGGNN(5), torch.randn(6, 5)
    state = torch.zeros(6, 5)
    with torch.no_grad():
        for n in (0, 1, 4, 2, 3, 5):
            message = torch.zeros(5)
            if before[n]:
                score = torch.cat([layer.score(torch.cat([x[n], state[b]])) for b in before[n]])
                message = (score.softmax(0).unsqueeze(-1) * state[before[n]]).sum(0)
            state[n] = layer.cell(x[n].unsqueeze(0), message.unsqueeze(0))[0]
    out = layer(x, peers.levels(edge_index, 6))
    torch.testing.assert_close(out.detach(), state)
    out.sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in layer.parameters())
