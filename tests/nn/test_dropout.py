"""Dropout with cheap random numbers does what torch's does."""

import numpy as np
import pytest
import torch

from plstm_graph.nn.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.25, 0.9])
def test_share_scale_and_independence(p):
    torch.manual_seed(0)
    drop = Dropout(p)
    out = torch.stack([drop(torch.ones(1001, 3)) for _ in range(30)])
    kept = out > 0
    assert torch.allclose(out[kept], torch.tensor(1 / (1 - p)), rtol=1e-6)
    assert kept.float().mean().item() == pytest.approx(1 - p, abs=0.005)
    share = kept.float() - (1 - p)  # neighbours in a row, in a column, and the same place in other calls
    for a, b in ((share[:, :, 0], share[:, :, 1]), (share[:, :-1], share[:, 1:]), (share[:-1], share[1:])):
        assert abs((a * b).mean().item()) / (p * (1 - p)) < 0.02


def test_masks_are_as_random_as_they_should_be():
    """Counts over runs of 64 elements, and over one place in many calls, spread as binomial ones do."""
    torch.manual_seed(1)
    drop = Dropout(0.5)
    kept = np.stack([(drop(torch.ones(4096)) > 0).numpy() for _ in range(256)])
    for counts, size in ((kept.reshape(256, 64, 64).sum(-1), 64), (kept.sum(0), 256)):
        assert counts.var() == pytest.approx(size / 4, rel=0.08)


def test_gradients_are_those_of_what_was_kept():
    x = torch.rand(64, 5, dtype=torch.float64, requires_grad=True)
    out = Dropout(0.3)(x)
    (grad,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(grad * x, out)

    def again(x):
        torch.manual_seed(1)
        return Dropout(0.3)(x)

    assert torch.autograd.gradgradcheck(again, (torch.rand(5, 3, dtype=torch.float64, requires_grad=True),))


def test_seeds_repeat_and_evaluation_passes_through():
    x, drop = torch.ones(7, 3), Dropout(0.5)
    torch.manual_seed(3)
    first = drop(x)
    torch.manual_seed(3)
    assert torch.equal(first, drop(x))
    assert drop.eval()(x) is x
    assert torch.equal(Dropout(1.0)(x), torch.zeros(7, 3))
    assert Dropout(0.5)(torch.ones(0, 4)).shape == (0, 4)
    assert Dropout(0.5)(torch.ones(3, 4).t()).shape == (4, 3)
    assert Dropout(0.5)(torch.ones(3, 4, dtype=torch.bfloat16)).dtype == torch.bfloat16
