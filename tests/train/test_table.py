"""Tables: numbers by hand, and nothing that is not in the records."""

from __future__ import annotations

import math

import pytest

from plstm_graph.train.table import long_table, report, summarise, wide_table


def record(data: str, name: str, fold: int, test: float, **more: object) -> dict:
    values = {"data": data, "name": name, "key": name, "fold": fold, "seed": 0, "metric": "accuracy"}
    numbers = {"parameters": 1234, "valid": test + 0.1, "test": test, "seconds_per_epoch": 2.0}
    return values | numbers | {"peak_memory_mb": 500.0 + fold, "revision": "abc"} | more


RECORDS = [record("A", "gin", f, t) for f, t in enumerate((0.5, 0.7, 0.9))] + [record("B", "gin", 0, 0.3)]


def test_mean_and_unbiased_deviation() -> None:
    first, second = summarise(RECORDS)
    assert (first.parts, first.test, first.test_std) == (3, pytest.approx(0.7), pytest.approx(0.2))
    assert first.standard_error == pytest.approx(0.2 / math.sqrt(3))
    assert first.peak_memory_mb == 502
    assert math.isnan(second.test_std)
    assert "0.7000 ± 0.2000" in report(first)
    assert "1,234 parameters" in report(first)
    assert "revisions" not in report(first)
    (mixed,) = summarise([record("A", "gin", 0, 0.5), record("A", "gin", 1, 0.6, revision="def")])
    assert "parts of several revisions: abc, def" in report(mixed)


def test_a_repeated_part_counts_once() -> None:
    (summary,) = summarise([record("A", "gin", 0, 0.1), record("A", "gin", 0, 0.5)])
    assert (summary.parts, summary.test) == (1, 0.5)


def test_markdown() -> None:
    lines = long_table(summarise(RECORDS)).split("\n")
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
    assert "0.7000 ± 0.2000" in lines[2]
    assert "0.3000" in lines[3]
    assert "±" not in lines[3].split("|")[7]


def test_wide_table_has_a_mean_where_complete() -> None:
    lines = wide_table(summarise([*RECORDS, record("A", "gcn", 0, 0.4)])).split("\n")
    assert lines[2].endswith("| 0.5000 |")
    assert lines[3].endswith("| – |")


def test_two_configurations_of_one_name_stay_apart() -> None:
    table = wide_table(summarise([record("A", "gin", 0, 0.1), record("A", "gin", 0, 0.2, key="other")]))
    assert "| gin (other) |" in table


def test_the_wide_table_never_averages_two_configurations_of_one_name() -> None:
    plain, walks = {"config": {"lr": 0.5}}, {"config": {"lr": 0.5, "model_options": {"rwse_dim": 16}}}
    records = [record("A", "plstm", 0, 0.1, key="a1", **plain), record("A", "plstm", 0, 0.3, key="a2", **walks)]
    records.append(record("B", "plstm", 0, 0.5, key="b2", **walks))
    lines = wide_table(summarise(records)).split("\n")
    assert lines[2].endswith("| 0.1000 | – | – |")
    assert lines[3].endswith("| 0.3000 | 0.5000 | 0.4000 |")


def test_averaged_orders_have_a_column_of_their_own() -> None:
    averaged = [record("A", "plstm", f, t, test_averaged=t + 0.05, test_orders=10) for f, t in enumerate((0.5, 0.7))]
    found = summarise([*averaged, *RECORDS])
    lines = long_table(found).split("\n")
    assert len({line.count("|") for line in lines}) == 1
    assert "| test, orders averaged |" in lines[0]
    assert "| 0.6000 ± 0.1414 | 0.1000 | 0.6500 ± 0.1414 (10 orders) |" in lines[2]
    assert "| 0.1155 | – | 2.00 |" in lines[3]
    assert "test, orders averaged: 0.6500 ± 0.1414 (10 orders)" in report(found[0])
    assert "averaged" not in report(found[1])
