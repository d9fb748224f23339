"""Import a heavy package where it is used, or say which extra brings it."""

from __future__ import annotations

import importlib
from types import ModuleType

from plstm_graph.errors import MissingDependencyError

_EXTRA_OF = {
    "igraph": "canonical",
    "optuna": "tune",
    "torch_scatter": "scatter",
    "triton": "gpu",
}


def require(name: str, purpose: str) -> ModuleType:
    """Import module ``name``, needed for ``purpose``.

    Raises:
        MissingDependencyError: the package is not installed; the message has the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        root = name.partition(".")[0]
        extra = _EXTRA_OF.get(root)
        target = f"'plstm-graph[{extra}]'" if extra else f"'{root}'"
        raise MissingDependencyError(f"{purpose} needs the package {root!r}: pip install {target} ({error})") from error
