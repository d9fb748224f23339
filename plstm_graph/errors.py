"""Every error that the library raises on purpose.

All of them derive from :class:`PLSTMGraphError`, and each also derives from the built-in exception that a caller
would guess (``ValueError``, ``ImportError``, ...), so both ``except ValueError`` and ``except GraphError`` work.
Messages say which value, row, graph, node or edge was wrong and what to do about it.
"""

from __future__ import annotations


class PLSTMGraphError(Exception):
    """Base class of all errors raised on purpose by this library."""


class GraphError(PLSTMGraphError, ValueError):
    """The given graph cannot become a line graph: wrong shape, dtype, index, boundary or orientation."""


class SelfLoopError(GraphError):
    """The graph has an edge from a node to itself."""


class CycleError(GraphError):
    """The directed graph has a cycle.

    Attributes:
        graph: position of the graph in the batch.
        nodes: nodes of one cycle in order, numbered within that graph; the last one has an edge to the first.
    """

    def __init__(self, message: str, graph: int = 0, nodes: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.graph = graph
        self.nodes = nodes


class CycleWarning(UserWarning):
    """Edges of a cyclic graph were dropped or turned round, as the caller asked; the message says how many."""


class FeatureError(PLSTMGraphError, ValueError):
    """Node or edge features (or gates) have a wrong shape or dtype, or hold NaN."""


class EngineError(PLSTMGraphError, ValueError):
    """The chosen engine is unknown or cannot serve the call; the message names one that can."""


class ConfigError(PLSTMGraphError, ValueError):
    """An option has a value that does not exist or does not fit the others."""


class SmilesError(PLSTMGraphError, ValueError):
    """A SMILES string cannot be read.

    Attributes:
        smiles: the string as given.
        reason: what RDKit said about it.
        row: its row in the table or list, if it came from one.
    """

    def __init__(self, message: str, smiles: object = None, reason: str = "", row: int | None = None) -> None:
        super().__init__(message)
        self.smiles = smiles
        self.reason = reason
        self.row = row


class TableError(PLSTMGraphError, ValueError):
    """A table lacks a column, names one twice, or holds a value that cannot be used."""


class DatasetNotFoundError(PLSTMGraphError, FileNotFoundError):
    """A data set is not under the data root; the message says which file to put where."""


class RunError(PLSTMGraphError, RuntimeError):
    """A run folder cannot be written, resumed or read."""


class MissingDependencyError(PLSTMGraphError, ImportError):
    """A package that this call needs is not installed; the message names the extra that brings it."""
