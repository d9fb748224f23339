from __future__ import annotations

import pytest
import torch

from plstm_graph.errors import ConfigError
from plstm_graph.nn.norms import NORMS, make_norm

X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
EXPECTED = {
    "layer": (X - X.mean(1, keepdim=True)) / X.var(1, correction=0, keepdim=True).sqrt(),
    "rms": X / X.square().mean(1, keepdim=True).sqrt(),
    "batch": (X - X.mean(0)) / X.var(0, correction=0).sqrt(),
    "none": X,
}


@pytest.mark.parametrize("name", NORMS)
def test_norms_by_their_formulas(name):
    norm = make_norm(name, 4).double()
    torch.testing.assert_close(norm(X), EXPECTED[name], atol=1e-4, rtol=1e-4)
    assert norm(X[:1]).isfinite().all()  # a batch may be a single atom


def test_an_unknown_norm():
    with pytest.raises(ConfigError, match="instance"):
        make_norm("instance", 4)
