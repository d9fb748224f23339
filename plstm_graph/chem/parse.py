"""SMILES to RDKit molecule, as ``Chem.MolFromSmiles`` does it, with the reason when it cannot be done."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from numbers import Real
from typing import Any, NamedTuple

from rdkit import Chem, rdBase

from plstm_graph.chem.features import BOND_FEATURES
from plstm_graph.errors import SmilesError

_raw = Chem.SmilesParserParams()
_raw.sanitize = False
_raw.removeHs = False
_raw.allowCXSMILES = False
_raw.parseName = False

_ALL_STEPS = int(Chem.SanitizeFlags.SANITIZE_ALL)
_WITHOUT_METALS = _ALL_STEPS & ~int(getattr(Chem.SanitizeFlags, "SANITIZE_CLEANUP_ORGANOMETALLICS", 0))
_hydrogen_atom = re.compile(r"\[\d*(?:H|#1(?!\d))").search
_TIMESTAMP = re.compile(r"^\[\d\d:\d\d:\d\d\] ", re.MULTILINE)
_PARSE_ERROR = re.compile(r"(SMILES Parse Error: .*?)(?: while parsing: | for input: ).*(?:\n.*?(position \d+))?")
_capture = getattr(rdBase, "CaptureErrorLog", nullcontext)  # RDKit 2026.03; before, its messages stay on stderr
_one_at_a_time = threading.RLock()


def _fresh_lock() -> None:
    global _one_at_a_time
    _one_at_a_time = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fresh_lock)  # a forked worker must not wait for a thread that it lacks


class FailedRow(NamedTuple):
    """A row without a molecule: its number in the input, the value found there, and why it cannot be read."""

    row: int
    smiles: object
    reason: str


@contextmanager
def quiet_errors() -> Iterator[Any]:
    """Keep what RDKit writes to its error log meanwhile (``.messages``) instead of showing it.

    RDKit has one error log for all threads, and captures must end in the order in which they began: hence the lock.
    Log levels and other logs stay as they are.
    """
    with _one_at_a_time, _capture() as log:
        yield log


def parse_smiles(smiles: object, row: int | None = None) -> Chem.Mol:
    """The sanitised molecule that ``Chem.MolFromSmiles(smiles)`` gives, or an error instead of None.

    RDKit's log level and destination stay as they are; only what RDKit says about this very string is kept from the
    log and goes into the error.

    Args:
        smiles: the string; CXSMILES extensions and a name after a blank are allowed as in RDKit. In its place may
            stand the error of whoever failed to make it.
        row: its row in the table or list it came from, for the message.

    Raises:
        SmilesError: not a string, missing or empty, not readable by RDKit, or without any atom.
    """
    mol, problem = None, None
    if isinstance(smiles, str) and smiles.strip():
        with _one_at_a_time, _capture() as log:
            try:
                mol = _parse(smiles)
            except (ValueError, RuntimeError) as error:  # RDKit's own, and of strings that cannot become bytes
                problem = error
            messages = getattr(log, "messages", "")
        if mol is not None and mol.GetNumAtoms() > 0:
            return mol
        reason = "it has no atoms" if mol is not None else _reason(problem, messages)
    elif isinstance(smiles, SmilesError):
        smiles, reason = smiles.smiles, smiles.reason
    elif isinstance(smiles, str):
        reason = "the string is empty"
    else:
        reason = "the value is missing" if _is_missing(smiles) else f"a {type(smiles).__name__} is not a string"
    raise smiles_error(smiles, reason, row) from problem


def parse_rows(rows: Iterable[tuple[int, object]], failed: list[FailedRow]) -> Iterator[Chem.Mol]:
    """The molecules of the rows that can be read, in order; the others are added to ``failed``.

    To be used up inside :func:`quiet_errors`.
    """
    for row, smiles in rows:
        try:
            mol = _parse(smiles) if isinstance(smiles, str) else None
        except (ValueError, RuntimeError):
            mol = None  # read once more below, for the reason
        if mol is not None and mol.GetNumAtoms() > 0:
            yield mol
            continue
        try:
            yield parse_smiles(smiles, row)
        except SmilesError as error:
            failed.append(FailedRow(row, error.smiles, error.reason))


def _parse(smiles: str) -> Chem.Mol | None:
    """``Chem.MolFromSmiles`` without those of its steps that cannot change anything for this string.

    RDKit reads the string, removes hydrogen atoms, sanitises and assigns stereochemistry. Removing hydrogens copies
    the molecule even if it has none, there is no metal outside brackets to look for when sanitising, and there is no
    stereochemistry to assign where no mark asks for it.
    """
    if " " in smiles or not smiles.isprintable() or _hydrogen_atom(smiles):  # a blank starts a name or an extension
        mol = Chem.MolFromSmiles(smiles)
        if mol is not None and "|" in smiles and _has_unknown_stereo(mol):
            raise ValueError("it has an atropisomer bond, which no bond feature can tell; leave out the extension")
        return mol
    mol = Chem.MolFromSmiles(smiles, _raw)
    if mol is not None:
        Chem.SanitizeMol(mol, _ALL_STEPS if "[" in smiles else _WITHOUT_METALS)
        if "@" in smiles or "/" in smiles or "\\" in smiles:
            Chem.AssignStereochemistry(mol, cleanIt=True, force=True)
    return mol


def _has_unknown_stereo(mol: Chem.Mol) -> bool:
    return any(bond.GetStereo().name not in BOND_FEATURES["stereo"] for bond in mol.GetBonds())


def _is_missing(value: object) -> bool:
    """None, any NaN, pandas.NA or NaT, without importing pandas."""
    if isinstance(value, Real):
        return bool(value != value)
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _reason(problem: Exception | None, log: str) -> str:
    if problem is not None:
        return str(problem).strip().partition("\n")[0]
    text = _TIMESTAMP.sub("", log).strip()
    found = _PARSE_ERROR.search(text)
    if found:
        return found[1] + (f" near {found[2]}" if found[2] else "")
    if text:
        return text.partition("\n")[0]
    if _capture is nullcontext:
        return "SMILES Parse Error (this RDKit says more on stderr only)"
    return "RDKit gave no reason (is what follows the blank a broken CXSMILES extension?)"


def smiles_error(smiles: object, reason: str, row: int | None) -> SmilesError:
    where = "" if row is None else f"row {row}: "
    shown = repr(smiles)
    shown = shown if len(shown) <= 200 else f"{shown[:150]} ... ({len(shown)} characters)"
    what = "there is no SMILES" if smiles is None else f"cannot read SMILES {shown}"
    return SmilesError(f"{where}{what}: {reason}", smiles, reason, row)
