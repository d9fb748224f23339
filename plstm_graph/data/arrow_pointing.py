"""Arrow pointing: pictures of an arrow and a disc; does the arrow point at the disc?

Section 5 of arXiv 2506.11997, whose generator is github.com/ml-jku/arrow_pointing_dataset, with the settings of
``config/dataset/arrow_pointing_extrapolation.yaml`` in github.com/ml-jku/plstm_experiments: in larger pictures arrow
and disc have the same sizes, so they stand further apart. The pictures here are drawn anew.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from plstm_graph.errors import ConfigError

RADIUS = (15.0, 30.0)
LENGTH = (15.0, 30.0)
THICKNESS = (2.0, 4.0)
PADDING = 30.0
MARGIN = 1.2
"""Arrows that point at the disc point at one this factor smaller, the others miss one this factor larger."""


def make_arrow_pointing(
    count: int, size: int, *, scale: float = 1.0, cell: int | None = None, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Draw pictures; half of the arrows, by chance, point at the disc.

    Middles of arrow and disc are at least 30 pixels from the border, and two radii from each other along both axes;
    ``cell`` then moves each by up to half a cell along both.
    The disc's radius and the arrow's length are 15 to 30 pixels, its strokes 2 to 4 pixels thick.

    Args:
        count: number of pictures.
        size: height and width in pixels, at least 181 times ``scale``.
        scale: factor of all these lengths, but not of ``size``.
        cell: put both middles in the middles of squares of this many pixels, so that an arrow no longer than that lies
            in one patch; ``None`` leaves them where they were drawn.
        seed: of all random choices.

    Returns:
        uint8 ``[count, size, size]``, 255 for ink, 0 for paper; int64 ``[count]``, 1 where the arrow points at the
        disc.

    Raises:
        ConfigError: no such picture is large enough, or cells are so large that arrow and disc could share one.
    """
    room = size - 2 * PADDING * scale
    if scale <= 0 or room <= 4 * RADIUS[1] * scale:
        least = math.floor(scale * (2 * PADDING + 4 * RADIUS[1])) + 1
        raise ConfigError(
            f"pictures at scale {scale} need a size of at least {least} pixels and a scale > 0, got {size}"
        )
    if cell is not None and not 1 <= cell <= 2 * RADIUS[0] * scale:
        raise ConfigError(f"cells at scale {scale} have 1 to {2 * RADIUS[0] * scale:g} pixels, got {cell}")
    rng = np.random.default_rng(seed)
    points = rng.random(count) < 0.5
    radius = rng.uniform(*RADIUS, count) * scale
    length = rng.uniform(*LENGTH, count) * scale
    thickness = np.maximum(1, rng.integers(THICKNESS[0], THICKNESS[1], count, endpoint=True) * scale).astype(int)
    arrow = rng.uniform(0, room, (count, 2))
    apart = 2 * radius[:, None] + rng.random((count, 2)) * (room - 4 * radius[:, None])
    disc = (arrow + apart) % room
    shift = PADDING * scale
    if cell is not None:
        arrow, disc = ((np.floor((middle + shift) / cell) + 0.5) * cell - shift for middle in (arrow, disc))
    between = disc - arrow
    seen = np.arcsin(radius * np.where(points, 1 / MARGIN, MARGIN) / np.hypot(*between.T))
    turn = np.where(points, rng.uniform(-1, 1, count) * seen, rng.uniform(seen, 2 * np.pi - seen))
    angle = np.arctan2(between[:, 1], between[:, 0]) + turn
    pictures = [
        _draw(size, *one) for one in zip(arrow + shift, angle, length, thickness, disc + shift, radius, strict=True)
    ]
    return torch.from_numpy(np.stack(pictures)), torch.from_numpy(points.astype(np.int64))


def _draw(
    size: int, arrow: np.ndarray, angle: float, length: float, thickness: int, disc: np.ndarray, radius: float
) -> np.ndarray:
    from PIL import Image, ImageDraw

    picture = Image.new("L", (size, size))
    pen = ImageDraw.Draw(picture)
    half = length / 2 * np.array([math.cos(angle), math.sin(angle)])
    tip = tuple(arrow + half)
    pen.line([tuple(arrow - half), tip], fill=255, width=int(thickness))
    for side in (-0.5, 0.5):
        barb = length / 2.5 * np.array([math.cos(angle + side), math.sin(angle + side)])
        pen.line([tuple(arrow + half - barb), tip], fill=255, width=int(thickness))
    pen.ellipse([*(disc - radius), *(disc + radius)], fill=255)
    return np.asarray(picture)


def patches(pictures: Tensor, patch: int) -> Tensor:
    """Cut pictures in squares: ``[G, S, S]`` to ``[G, rows * columns, patch * patch]``, row by row.

    Raises:
        ConfigError: the size of the pictures is no multiple of ``patch``.
    """
    count, height, width = pictures.shape
    if height % patch or width % patch:
        raise ConfigError(f"pictures of {height} × {width} pixels cannot be cut in patches of {patch} × {patch}")
    cut = pictures.view(count, height // patch, patch, width // patch, patch).transpose(2, 3)
    return cut.reshape(count, -1, patch * patch)
