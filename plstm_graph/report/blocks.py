"""What sections of the report are made of; the template has one macro for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from plstm_graph.report.svg import Chart
from plstm_graph.report.worst import Case


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Heading:
    """A heading below that of the section, such as the name of a target."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Charts:
    """Charts side by side where they fit."""

    kind: ClassVar[str] = "charts"
    charts: Sequence[Chart]


@dataclass(frozen=True)
class Table:
    """A table whose first ``headers`` columns name the rows.

    Attributes:
        caption: what it shows.
        columns: names of the columns.
        rows: cells as texts.
        headers: number of columns that are headings of their row.
        shades: for every cell from 0 to 1 how dark it is, or ``None``.
        above: heading above all columns but the row headings, or nothing.
        wrap: cells hold words and may take several lines.
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    headers: int = 1
    shades: Sequence[Sequence[float]] | None = None
    above: str = ""
    wrap: bool = False


@dataclass(frozen=True)
class Cases:
    """Single predictions."""

    kind: ClassVar[str] = "cases"
    cases: Sequence[Case]
    several_targets: bool


@dataclass(frozen=True)
class Pictures:
    """PNG pictures of the run folder, as data URLs with what they show."""

    kind: ClassVar[str] = "pictures"
    pictures: Sequence[tuple[str, str]]


Block = Text | Heading | Charts | Table | Cases | Pictures


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading and a place in the list of contents."""

    name: str
    heading: str
    blocks: list[Block] = field(default_factory=list)
