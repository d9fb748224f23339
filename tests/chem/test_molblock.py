from __future__ import annotations

import pytest
from rdkit import Chem

from plstm_graph.chem.molblock import molblocks_to_smiles

ALANINE = Chem.MolFromSmiles("C[C@H](N)C(=O)O")


def test_as_rdkit_reads_it() -> None:
    with_hydrogens = Chem.AddHs(ALANINE)
    charged = Chem.MolFromSmiles("[13CH3][N+](C)(C)C.[Cl-]")
    blocks = [Chem.MolToMolBlock(ALANINE), Chem.MolToV3KMolBlock(with_hydrogens), Chem.MolToMolBlock(charged)]
    found = molblocks_to_smiles(blocks)
    assert found == [(Chem.MolToSmiles(mol), "") for mol in (ALANINE, ALANINE, charged)]


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (Chem.MolToMolBlock(ALANINE).replace(" N ", " Xq"), "Element 'Xq' not found"),
        (Chem.MolToMolBlock(ALANINE)[:120], "EOF hit while reading atoms"),
        ("", "it is cut short"),
        (Chem.MolToMolBlock(Chem.Mol()), "the mol block has no atoms"),
    ],
)
def test_reasons(block: str, reason: str, capfd: pytest.CaptureFixture[str]) -> None:
    (smiles, why), (other, _) = molblocks_to_smiles([block, Chem.MolToMolBlock(ALANINE)])
    assert smiles is None
    assert why.endswith(reason)
    assert other == Chem.MolToSmiles(ALANINE)
    assert capfd.readouterr().err == ""


def test_log_of_rdkit_is_as_before(capfd: pytest.CaptureFixture[str]) -> None:
    flat = Chem.MolToMolBlock(ALANINE).replace("0.0000 C", "0.5000 C", 1)  # 2D with a height: RDKit warns
    molblocks_to_smiles([flat])
    assert capfd.readouterr().err == ""
    Chem.MolFromMolBlock(flat)
    assert "tagged as 2D" in capfd.readouterr().err
