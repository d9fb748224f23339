"""The state-tracking generator against a walk that moves items one by one, and what sums of numbers cannot tell."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch

from plstm_graph.data.state_tracking import make_state_tracking, state_tracking_tokens
from plstm_graph.errors import ConfigError
from plstm_graph.testing import assert_valid


@pytest.mark.parametrize("items", [2, 3, 5])
@pytest.mark.parametrize("width", [1, 3])
def test_targets_are_those_of_a_walk_from_the_root(items, width):
    pairs = list(combinations(range(items), 2))
    for data in make_state_tracking(3, 7, items=items, width=width, seed=items):
        parent = dict(data.edge_index.flip(0).T.tolist())
        assert len(parent) == data.num_nodes - 1 == 7 * width
        token = data.x.argmax(-1).tolist()
        assert token[0] == 0
        assert all(token[1:])
        for node in range(data.num_nodes):
            way = [node]
            while way[0]:
                way.insert(0, parent[way[0]])
            assert len(way) - 1 == data.depth[node]
            shelf = list(range(items))  # which item stands at every place
            for passed in way[:-1]:
                if token[passed] >= 2:
                    a, b = pairs[token[passed] - 2]
                    shelf[a], shelf[b] = shelf[b], shelf[a]
            assert [shelf.index(item) for item in range(items)] == data.y[node].tolist()


def test_graphs_are_valid_and_every_level_has_its_width():
    for data in make_state_tracking(4, 9, items=3, width=2):
        assert_valid(data.dag)
        assert data.dag.multitree.all()  # D-mode keeps a tree whole
        assert torch.bincount(data.depth).tolist() == [1] + [2] * 9
        assert data.x.shape == (19, state_tracking_tokens(3))
        assert (data.x.sum(1) == 1).all()


def test_seeds_decide():
    first, again, other = (make_state_tracking(5, 6, items=4, width=2, seed=seed) for seed in (1, 1, 2))
    assert all(
        torch.equal(a.x, b.x) and torch.equal(a.edge_index, b.edge_index) for a, b in zip(first, again, strict=True)
    )
    assert not all(torch.equal(a.x, b.x) for a, b in zip(first, other, strict=True))


def test_all_states_are_about_equally_frequent_far_from_the_root():
    data = make_state_tracking(400, 40, items=3, seed=5)
    far = torch.stack([graph.y[-1] for graph in data])
    counts = far.unique(dim=0, return_counts=True)[1]
    assert len(counts) == 6
    assert counts.min() > 35  # 67 expected
    parity = torch.stack([graph.y[-1, 0] for graph in make_state_tracking(400, 40, seed=5)])
    assert 160 < parity.sum() < 240


@pytest.mark.parametrize("wrong", [{"count": -1}, {"depth": 0}, {"items": 1}, {"width": 0}])
def test_numbers_too_small(wrong):
    options = {"count": 1, "depth": 2, **wrong}
    with pytest.raises(ConfigError, match=f"{next(iter(wrong))} must be at least"):
        make_state_tracking(**options)


def test_nothing_is_made_of_nothing():
    assert make_state_tracking(0, 3) == []
