"""Mol block (the molecule of an SDF record) to SMILES, with the reason when it cannot be done."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rdkit import Chem, rdBase

from plstm_graph.chem.parse import quiet_errors

_ERROR = re.compile(r"ERROR: (?!Could not sanitize|moving to the)(.+)")


def molblocks_to_smiles(blocks: Iterable[str]) -> list[tuple[str | None, str]]:
    """RDKit's canonical SMILES of every mol block, or None with the reason.

    The blocks are read as ``Chem.SDMolSupplier`` reads them: V2000 or V3000, sanitised, hydrogen atoms counted on
    their neighbours, stereochemistry from wedges or coordinates.

    Returns:
        For every block its SMILES and an empty string, or None and why it cannot be read.
    """
    with rdBase.BlockLogs():  # RDKit's warnings, one a record, are about coordinates, which nothing here uses
        return [_read(block) for block in blocks]


def _read(block: str) -> tuple[str | None, str]:
    supplier = Chem.SDMolSupplier()
    with quiet_errors() as log:
        try:
            supplier.SetData(block)
            mol = supplier[0] if len(supplier) else None
            smiles = None if mol is None else Chem.MolToSmiles(mol)
        except (ValueError, RuntimeError) as error:
            return None, f"the mol block cannot be read: {str(error).strip().partition(chr(10))[0]}"
        messages = getattr(log, "messages", "")
    if smiles:
        return smiles, ""
    if smiles == "":
        return None, "the mol block has no atoms"
    found = _ERROR.search(messages)
    return None, f"the mol block cannot be read: {found[1].strip() if found else 'it is cut short'}"
