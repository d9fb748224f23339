from __future__ import annotations

import math
import pickle
import threading

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem, rdBase

from plstm_graph.chem.parse import FailedRow, parse_rows, parse_smiles, quiet_errors
from plstm_graph.errors import SmilesError

BROKEN = {
    "C(C": "extra open parentheses near position 2",
    "C1CC": "unclosed ring",
    "C[Xx]": "syntax error near position 3",
    "C>>C": "syntax error",
    "Ć": "syntax error",
    "C\x00C": "syntax error",
    "c1cccc1": "Can't kekulize mol.  Unkekulized atoms: 0 1 2 3 4",
    "c:c": "non-ring atom 0 marked aromatic",
    "CN(C)(C)(C)C": "Explicit valence for atom # 1 N, 5, is greater than permitted",
    "C[H]C": "Explicit valence for atom # 1 H, 2, is greater than permitted",
    "[H]C(C)(C)(C)C": "Explicit valence for atom # 0 C",
    "CC |$;$": "RDKit gave no reason",
    "C\ud800": "surrogates not allowed",
    "": "the string is empty",
    " \t": "the string is empty",
}


def test_gives_the_molecule_of_rdkit(tricky):
    for smiles in tricky:
        ours, expected = parse_smiles(smiles), Chem.MolFromSmiles(smiles)
        assert ours.ToBinary(0) == expected.ToBinary(0), smiles
        assert list(Chem.CanonicalRankAtoms(ours)) == list(Chem.CanonicalRankAtoms(expected)), smiles


@pytest.mark.parametrize(("smiles", "reason"), BROKEN.items(), ids=map(repr, BROKEN))
def test_says_what_is_wrong(smiles, reason, capfd):
    with pytest.raises(SmilesError) as caught:
        parse_smiles(smiles, row=7)
    error = caught.value
    assert reason in error.reason
    assert error.reason in str(error)
    assert str(error).startswith(f"row 7: cannot read SMILES {smiles!r}: ")
    assert (error.smiles, error.row) == (smiles, 7)
    assert isinstance(error, ValueError)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("missing", [None, math.nan, np.float32("nan"), pd.NA, pd.NaT], ids=repr)
def test_missing_values(missing):
    with pytest.raises(SmilesError, match="the value is missing"):
        parse_smiles(missing)


@pytest.mark.parametrize("value", [3, b"C", 1.5, ["C"], True], ids=repr)
def test_other_types(value):
    with pytest.raises(SmilesError, match=f"a {type(value).__name__} is not a string"):
        parse_smiles(value)


def test_a_string_type_of_numpy_is_a_string():
    assert parse_smiles(np.str_("CC")).GetNumAtoms() == 2


def test_long_strings_are_cut_in_the_message():
    with pytest.raises(SmilesError) as caught:
        parse_smiles("C" * 5000 + "(")
    assert len(str(caught.value)) < 400
    assert "(5003 characters)" in str(caught.value)
    assert caught.value.smiles == "C" * 5000 + "("


def test_no_atoms(monkeypatch):
    monkeypatch.setattr("plstm_graph.chem.parse._parse", lambda smiles: Chem.Mol())
    with pytest.raises(SmilesError, match="it has no atoms"):
        parse_smiles("name only")


def test_an_atropisomer_is_refused():
    coordinates = (
        "-3.5,1.5,;-2.2,0.75,;-2.2,-0.75,;-0.9,-1.5,;0.4,-0.75,;0.4,0.75,;1.7,1.5,;-0.9,1.5,"
        ";-0.9,3,;-2.1,3.9,;-3.6,3.4,;-1.65,5.3,;-0.15,5.3,;0.3,3.9,;1.7,3.4,"
    )
    with pytest.raises(SmilesError, match="atropisomer"):
        parse_smiles(f"CC1=CC=CC(I)=C1N1C(C)=CC=C1Br |({coordinates}),wU:7.6|")
    assert parse_smiles(f"CC1=CC=CC(I)=C1N1C(C)=CC=C1Br |({coordinates})|").GetNumAtoms() == 15


def test_the_log_of_rdkit_stays_as_it_is(capfd):
    before = rdBase.LogStatus()
    with pytest.raises(SmilesError):
        parse_smiles("C((")
    assert rdBase.LogStatus() == before
    assert capfd.readouterr().err == ""
    assert Chem.MolFromSmiles("C((") is None
    assert "SMILES Parse Error" in capfd.readouterr().err


def test_a_log_that_is_switched_off_stays_off(capfd):
    with rdBase.BlockLogs():
        with pytest.raises(SmilesError, match="extra open parentheses"):
            parse_smiles("C(C")
        Chem.MolFromSmiles("C(C")
    assert capfd.readouterr().err == ""


def test_threads_get_their_own_reasons():
    strings = ["N" * n + "(" for n in (1, 2, 3, 4)]
    wrong = []

    def work(smiles: str) -> None:
        for _ in range(100):
            try:
                parse_smiles(smiles)
            except SmilesError as error:
                if f"near position {len(smiles)}" not in error.reason:
                    wrong.append((smiles, error.reason))

    threads = [threading.Thread(target=work, args=(smiles,)) for smiles in strings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_rows_that_fail_are_listed_and_the_others_given(capfd):
    failed: list[FailedRow] = []
    rows = list(enumerate(["C", "C(", None, "c1cccc1", "CC", "", "[H][H]"], start=10))
    with quiet_errors():
        mols = list(parse_rows(rows, failed))
    assert [mol.GetNumAtoms() for mol in mols] == [1, 2, 2]
    assert [(row, smiles) for row, smiles, _ in failed] == [(11, "C("), (12, None), (13, "c1cccc1"), (15, "")]
    assert "Parse Error" in failed[0].reason
    assert "kekulize" in failed[2].reason
    assert capfd.readouterr().err == ""


def test_the_error_survives_pickling():
    error = pickle.loads(pickle.dumps(SmilesError("text", "C(", "why", 3)))
    assert (str(error), error.smiles, error.reason, error.row) == ("text", "C(", "why", 3)
