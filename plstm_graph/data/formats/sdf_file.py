"""SD files: each record is a mol block, which becomes SMILES, and properties, which become columns of text."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

import pyarrow as pa

from plstm_graph.chem.molblock import molblocks_to_smiles
from plstm_graph.data.formats.chunk import Chunk
from plstm_graph.errors import TableError

_HEADER = re.compile(r"^>[^<]*<(.*)>")


class SdRecord(NamedTuple):
    """One record as text: its title (the first line), its mol block, and its properties."""

    title: str
    block: str
    properties: dict[str, str]


class SdfReader:
    """An SD file, gzipped if it ends in .gz.

    The columns are the SMILES that RDKit makes of the mol block, the titles of the records if any has one, and all
    properties in order of first appearance; the file is read through once to find them. A record that RDKit cannot
    read has no SMILES, but its title and properties. The columns are called ``smiles`` and ``title``, or, where a
    property has that name in any case, ``smiles_of_record`` and ``title_of_record``.

    Raises:
        TableError: the file is damaged, or has no records.
    """

    made: int | None = 0

    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path
        count, titled = 0, False
        properties: dict[str, None] = {}
        for record in self._records():
            count += 1
            titled = titled or bool(record.title)
            properties.update(dict.fromkeys(record.properties))
        if not count:
            raise TableError(f"{path} has no records")
        self.total: int | None = count
        self._properties = list(properties)
        self._titled = titled
        own = [_free(name, self._properties) for name in ("smiles", "title")[: 1 + titled]]
        self.schema = pa.schema([pa.field(name, pa.string()) for name in [*own, *self._properties]])

    def chunks(self, rows: int) -> Iterator[Chunk]:
        records = self._records()
        while piece := list(islice(records, rows)):
            found = molblocks_to_smiles(record.block for record in piece)
            columns = [[smiles for smiles, _ in found]]
            if self._titled:
                columns.append([record.title for record in piece])
            columns += [[record.properties.get(name) for record in piece] for name in self._properties]
            arrays = [pa.array(cells, pa.string()) for cells in columns]
            unreadable = {row: reason for row, (smiles, reason) in enumerate(found) if smiles is None}
            yield Chunk(pa.Table.from_arrays(arrays, schema=self.schema), unreadable)

    def _records(self) -> Iterator[SdRecord]:
        opener = gzip.open if self._path.suffix.lower() == ".gz" else open
        count = 0
        try:
            with opener(self._path, "rb") as file:
                lines: list[str] = []
                for raw in file:
                    line = _decode(raw).rstrip("\r\n")
                    if line.startswith("$$$$"):
                        yield read_record(lines)
                        lines, count = [], count + 1
                    else:
                        lines.append(line)
                if any(line.strip() for line in lines):
                    yield read_record(lines)
        except (OSError, EOFError, zlib.error) as error:
            raise TableError(f"{self.name} is damaged after record {count}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Every pass over the file opens and closes it."""


def read_record(lines: list[str]) -> SdRecord:
    """Title, mol block and properties of a record, also where the mol block is broken.

    A value ends at a blank line that another property or the end of the record follows; blank lines before other text
    belong to it. A property that stands twice has both values, one per line.
    """
    ends = (i + 1 for i, line in enumerate(lines) if line.startswith("M  END"))
    starts = (i for i, line in enumerate(lines) if i >= 3 and line.startswith(">"))
    end = next(ends, None)
    if end is None:
        end = next(starts, len(lines))
    properties: dict[str, str] = {}
    name: str | None = None
    value: list[str] = []
    for line in [*lines[end:], "", ">"]:
        if line.startswith(">") and (name is None or (value and not value[-1].strip())):
            if name is not None:
                while value and not value[-1].strip():
                    value.pop()
                text = "\n".join(value)
                properties[name] = f"{properties[name]}\n{text}" if name in properties else text
            found = _HEADER.match(line)
            name, value = (found[1] if found else line[1:]).strip(), []
        elif name is not None:
            value.append(line)
    return SdRecord(lines[0].strip() if lines else "", "\n".join([*lines[:end], ""]), properties)


def _free(name: str, properties: list[str]) -> str:
    taken = {other.lower() for other in properties}
    while name in taken:
        name += "_of_record"
    return name


def _decode(line: bytes) -> str:
    """UTF-8, else Latin-1, in which most programs that know no UTF-8 write degrees and micro signs."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")
