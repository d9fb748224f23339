"""One file for the fields of a data set: tensors, and the rest as JSON; no pickled class."""

from __future__ import annotations

import json
import os
import pickle
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from plstm_graph.errors import DatasetNotFoundError, TableError

FORMAT = "plstm-graph-data/2"


def write_fields(path: Path, fields: Mapping[str, Any]) -> None:
    """Write tensors, dictionaries of tensors, and plain values; ``torch.load(weights_only=True)`` reads them.

    The file appears whole or not at all, whoever else writes it at the same time.
    """
    plain: dict[str, Any] = {}
    tensors: dict[str, dict[str, Tensor]] = {}
    for name, value in fields.items():
        if isinstance(value, Tensor):
            tensors[name] = {"": value}
        elif isinstance(value, dict) and all(isinstance(entry, Tensor) for entry in value.values()):
            tensors[name] = value
            plain[name] = {}
        else:
            plain[name] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        torch.save({"format": FORMAT, "json": json.dumps(plain), "tensors": tensors}, part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def read_fields(path: Path) -> dict[str, Any]:
    """Read what :func:`write_fields` wrote; tensors stay on disk until they are used.

    Raises:
        DatasetNotFoundError: there is no such file.
        TableError: the file is damaged or of another form.
    """
    if not path.is_file():
        raise DatasetNotFoundError(f"there is no file {path}")
    try:
        content = torch.load(path, weights_only=True, mmap=True)
    except (RuntimeError, ValueError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise TableError(f"{path} is damaged or no packed data set, delete it: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise TableError(f"{path} is not a packed data set of the form {FORMAT!r}")
    fields = json.loads(content["json"])
    for name, group in content["tensors"].items():
        fields[name] = group.get("", group)
    return fields
