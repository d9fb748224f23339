"""RMSNorm against torch's own, in value, gradient and second derivative."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from plstm_graph.nn.head_norm import rms_norm

EPS = 1e-5


@pytest.mark.parametrize("shape", [(5, 4, 24), (3, 1, 1), (0, 4, 8), (7, 5)])
def test_values_and_gradients_are_those_of_torch(shape):
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(shape, dtype=torch.float64)
    ours, theirs = rms_norm(x, EPS), F.rms_norm(x, shape[-1:], eps=EPS)
    torch.testing.assert_close(ours, theirs)
    (grad,), (expected,) = (torch.autograd.grad((y * weight).sum(), x) for y in (ours, theirs))
    torch.testing.assert_close(grad, expected)


def test_zero_rows_stay_zero_with_finite_gradients():
    x = torch.zeros(2, 3, requires_grad=True)
    y = rms_norm(x, EPS)
    y.sum().backward()
    assert not y.any()
    torch.testing.assert_close(x.grad, torch.full((2, 3), EPS**-0.5))


def test_differentiable_twice():
    x = torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: rms_norm(t, EPS), x)
    assert torch.autograd.gradgradcheck(lambda t: rms_norm(t, EPS), x)


def test_the_kernel_agrees_with_torch_operations(monkeypatch):
    x, weight = torch.randn(6, 3, 8, requires_grad=True), torch.randn(6, 3, 8)
    found = []
    for _ in range(2):
        y = rms_norm(x, EPS)
        found.append((y, *torch.autograd.grad((y * weight).sum(), x)))
        monkeypatch.setattr("plstm_graph.nn.head_norm.has_kernel", lambda x: False)
    torch.testing.assert_close(*found)


def test_compiles_whole():
    x = torch.randn(3, 2, 4, requires_grad=True)
    torch.testing.assert_close(torch.compile(rms_norm, fullgraph=True, backend="aot_eager")(x, EPS), rms_norm(x, EPS))
