"""Nested plain values and tensors ↔ one JSON text and a flat dictionary of tensors.

A file of this form holds no pickled class: ``torch.load(weights_only=True)`` reads it, and so does any other program
that can read tensors and JSON.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from plstm_graph.errors import RunError

FORMAT = "plstm-graph/1"


def save(path: Path, value: Any) -> None:
    """Write ``value`` to ``path``; the file is complete or not there, whenever the program is killed.

    Raises:
        RunError: ``value`` holds something other than plain values and tensors.
    """
    tensors: dict[str, Tensor] = {}
    text = json.dumps(_take_out(value, tensors))
    part = path.with_name(path.name + ".part")
    torch.save({"format": FORMAT, "json": text, "tensors": tensors}, part)
    os.replace(part, path)


def load(path: Path) -> Any:
    """Read what :func:`save` wrote, all tensors on the CPU.

    Raises:
        RunError: there is no such file, or it is of another form.
    """
    if not path.is_file():
        raise RunError(f"there is no file {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is not its own
        raise RunError(f"{path} cannot be read as a checkpoint: {type(error).__name__}: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise RunError(f"{path} is not a checkpoint of the form {FORMAT!r}: found {found!r}")
    return _put_in(json.loads(content["json"]), content["tensors"])


def _take_out(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        name = f"{len(tensors)}"
        tensors[name] = value.detach()
        return {"$": "tensor", "name": name}
    if isinstance(value, dict):
        if all(isinstance(k, str) for k in value) and "$" not in value:
            return {k: _take_out(v, tensors) for k, v in value.items()}
        return {"$": "items", "items": [[_take_out(k, tensors), _take_out(v, tensors)] for k, v in value.items()]}
    if isinstance(value, tuple):
        return {"$": "tuple", "items": [_take_out(v, tensors) for v in value]}
    if isinstance(value, list):
        return [_take_out(v, tensors) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise RunError(f"a checkpoint holds plain values and tensors only, got {type(value).__name__}: {value!r}")


def _put_in(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_put_in(v, tensors) for v in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("$")
    if kind == "tensor":
        return tensors[value["name"]]
    if kind == "tuple":
        return tuple(_put_in(v, tensors) for v in value["items"])
    if kind == "items":
        return {_put_in(k, tensors): _put_in(v, tensors) for k, v in value["items"]}
    return {k: _put_in(v, tensors) for k, v in value.items()}
