from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from plstm_graph.data.arrow_pointing import make_arrow_pointing, patches
from plstm_graph.errors import ConfigError


def disc_and_arrow(picture: np.ndarray) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Middle and radius of the disc, middle and direction of the arrow, measured on the picture.

    The larger piece of ink is the disc. The arrow's direction is its longer axis, pointing to the end with the barbs,
    where there is more ink.
    """
    labels, count = ndimage.label(picture > 0, structure=np.ones((3, 3)))
    assert count == 2
    small, large = sorted((np.argwhere(labels == i)[:, ::-1] for i in (1, 2)), key=len)
    middle = large.mean(axis=0)
    radius = math.sqrt(len(large) / math.pi)
    center = (small.min(axis=0) + small.max(axis=0)) / 2
    axis = np.linalg.svd(small - small.mean(axis=0))[2][0]
    along = (small - center) @ axis
    return middle, radius, center, axis * np.sign(along.mean())


@pytest.mark.parametrize(("size", "cell"), [(192, None), (384, None), (210, 30)])
def test_labels_follow_from_the_picture(size, cell):
    pictures, labels = make_arrow_pointing(200, size, cell=cell, seed=1)
    right = measured = 0
    for picture, label in zip(pictures.numpy(), labels.tolist(), strict=True):
        middle, radius, arrow, direction = disc_and_arrow(picture)
        between = middle - arrow
        ahead, aside = between @ direction, abs(between[0] * direction[1] - between[1] * direction[0])
        measured += 1
        right += int(ahead > 0 and aside < radius) == label
    assert right / measured > 0.96  # short thick arrows have no axis that could be measured to a degree
    assert 60 < labels.sum() < 140


def test_what_is_drawn():
    pictures, _ = make_arrow_pointing(100, 384, seed=0)
    assert pictures.dtype == torch.uint8
    assert pictures.shape == (100, 384, 384)
    assert set(pictures.unique().tolist()) == {0, 255}
    for picture in pictures.numpy():
        middle, radius, arrow, _ = disc_and_arrow(picture)
        assert 14 < radius < 31.5
        assert (np.abs(middle - arrow) > 2 * radius - 4).all()
        assert min(*middle, *arrow) > 28
        assert max(*middle, *arrow) < 356


def test_half_scale_is_the_same_scene_at_half_the_size():
    large, labels = make_arrow_pointing(20, 192, seed=3)
    small, again = make_arrow_pointing(20, 96, scale=0.5, seed=3)
    assert torch.equal(labels, again)
    coarse = large.view(20, 96, 2, 96, 2).float().mean((2, 4))
    assert ((coarse - small.float()).abs() > 200).float().mean() < 0.01


def test_cells_hold_the_middles_of_arrow_and_disc():
    free, _ = make_arrow_pointing(100, 210, seed=0)
    pictures, _ = make_arrow_pointing(100, 210, cell=30, seed=0)
    for before, picture in zip(free.numpy(), pictures.numpy(), strict=True):
        middle, _, arrow, _ = disc_and_arrow(picture)
        assert np.abs(middle % 30 - 15).max() < 1
        assert np.abs(arrow % 30 - 15).max() < 6  # of the box around the arrow, whose barbs are at one end
        assert (middle // 30 != arrow // 30).all()
        assert np.abs(disc_and_arrow(before)[0] - middle).max() < 16


@pytest.mark.parametrize("cell", [0, 16])
def test_cells_that_arrow_and_disc_could_share(cell):
    with pytest.raises(ConfigError, match=f"cells at scale 0.5 have 1 to 15 pixels, got {cell}"):
        make_arrow_pointing(1, 96, scale=0.5, cell=cell)


def test_seeds():
    one, again, other = (make_arrow_pointing(5, 192, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one[0], again[0])
    assert torch.equal(one[1], again[1])
    assert not torch.equal(one[0], other[0])


def test_patches():
    picture = torch.arange(64, dtype=torch.uint8).view(1, 8, 8)
    cut = patches(picture.repeat(2, 1, 1), 4)
    assert cut.shape == (2, 4, 16)
    assert cut[1, 1].view(4, 4).tolist() == picture[0, :4, 4:].tolist()
    assert cut[0, 2].view(4, 4).tolist() == picture[0, 4:, :4].tolist()
    with pytest.raises(ConfigError, match="8 × 8 pixels cannot be cut in patches of 3 × 3"):
        patches(picture, 3)


@pytest.mark.parametrize(("size", "scale"), [(180, 1.0), (90, 0.5), (96, 0.0)])
def test_too_small(size, scale):
    with pytest.raises(ConfigError, match=f"pictures at scale {scale} need a size of at least .* got {size}"):
        make_arrow_pointing(1, size, scale=scale)


def test_smallest():
    assert len(make_arrow_pointing(1, 181)[0]) == 1
