"""Molecules that several tests share, and OGB's own featurisation to compare with."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

import pytest

SPECIAL = r"""
C  O  *  [H]  [H+]  [H-]  [H][H]  [2H][2H]  [2H]O[2H]  [3H]C  [1H]C  [13CH4]  [999C]  [0C]  [#6]  [#1]C  [2#1]C  [CH3]
[CH2]  [CH]  [C]  [CH3-]  [CH3+]  [CH4]  [C-6]  [C+5]  [C+20]  [N+](C)(C)(C)C  [O-][N+](=O)c1ccccc1  CN(=O)=O
O=[N+]([O-])O  CS(C)(=O)=O  C[S@](=O)CC  FS(F)(F)(F)(F)F  F[P-](F)(F)(F)(F)F  O=[Xe](=O)=O  FI(F)(F)(F)F  [Na+].[Cl-]
[Na+].[O-]C(=O)C  CC(=O)O.CC(=O)O  [K+].[K+].[O-]S(=O)(=O)[O-]  [Cu+2].[Cl-].[Cl-]  [NH4+].[OH-]  C.C.C.C  [Fe]
[Pt](Cl)(Cl)([NH3])[NH3]  C->[Cu]  [NH3]->[Cu+2]  [Fe+2]  C[Mg]Br  C[Hg]C  [Li]CCCC  C[Si](C)(C)C  B(O)O  [BH4-]
[CH-]1C=CC=C1.[CH-]1C=CC=C1.[Fe+2]  F[Pt@SP1](Cl)(Br)I  F[Pt@SP2](Cl)(Br)I  C[Co@OH3](F)(Cl)(Br)(I)S
S[As@TB1](F)(Cl)(Br)N  [C@TH1](C)(F)(Cl)Br  C[C@H](F)Cl  C[C@@H](F)Cl  [C@](F)(Cl)(Br)I  C[C@@](O)F  CC=[C@]=CC
C[Si@@](F)(Cl)Br  C[P@](=O)(O)CC  C[C@H](O)[C@@H](O)C  C[C@H](O)[C@H](O)C  C[C@H]1CC[C@@H](C)CC1  C[C@H]1CC[C@H](C)CC1
C[C@@H]1C[C@H](C)C1  F/C=C/F  F/C=C\F  FC=CF  C/C=C/C=C\C  C/C(F)=C(/C)F  F/N=C/C  C/C=C1/CC[C@H](C)CC1  CC(C)=NO
C/C=N/O  C1CCCCCCC/C=C/1  c1ccccc1  C1=CC=CC=C1  c1cc[nH]c1  c1ccncc1  n1ccccc1  c1ccsc1  c1ccoc1  [o+]1ccccc1
c1cc[se]c1  c1cc[te]c1  b1ccccc1  c1ccc2ccccc2c1  c1ccc2c(c1)ccc1ccccc12  c1cc2cccc3ccc4cccc1c4c32  C1=CC=CC=CC=C1
O=C1C=CC(=O)C=C1  c1ccccc1-c1ccccc1  O=c1cc[nH]cc1  Cn1cnc2c1c(=O)n(C)c(=O)n2C  c1nc[nH]n1  c1cc[n+]([O-])cc1
c1ccc[n+](C)c1  [O-]c1cccc[nH+]1  C1#CCCCCCC1  C#C  C#N  [C-]#[O+]  [N-]=[N+]=N  N#N  O=O  S=C=S  C=C=C  O=C=O
[O-][O]  [O][O]  [N]=O  C[N]C  CC[O]  [CH2]C=C  C~C  C:C  C$C  C1CC1  C1CC2CC1CC2  C12C3C4C1C5C2C3C45
C1C2CC3CC1CC(C2)C3  C1CCC2(CC1)CCCC2  C%10CCCC%10  C%(100)CC%(100)  C1CCCCCCCCCCCCC1  [C:1]  [CH3:7][OH:8]
[*:1]CC[*:2]  *c1ccccc1  [1*]C  CC |$a;b$|  CC |^1:0|  CCO ethanol  C[C@H](F)Cl |o1:1|  CC |(0,0,;1,0,)|
CC(=O)Oc1ccccc1C(=O)O  CN1C=NC2=C1C(=O)N(C(=O)N2C)C  CC(C)Cc1ccc(cc1)[C@@H](C)C(=O)O
O=C1NC(=O)C(c2ccccc2)(c2ccccc2)N1  C[C@]12CC[C@H]3[C@@H](CCc4cc(O)ccc34)[C@@H]1CC[C@@H]2O
OC[C@H]1O[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O  FC(F)(F)c1ccccc1  CC1(C)S[C@@H]2[C@H](NC(=O)Cc3ccccc3)C(=O)N2[C@H]1C(=O)O
CN1CC[C@]23c4c5ccc(O)c4O[C@H]2[C@@H](O)C=C[C@H]3[C@H]1C5  N[C@@H](CS)C(=O)N[C@@H](Cc1c[nH]c2ccccc12)C(=O)O
O[C@H]1CC[C@@](C)(O)CC1  N[C@@]1(C[C@@H](C1)N2OC(=O)NC2=O)C(=O)O
"""


@pytest.fixture(scope="session")
def tricky() -> list[str]:
    """Some 390 strings that RDKit reads: special cases, every element alone and charged, one long chain."""
    from rdkit import Chem

    special = re.split(r"  |\n", SPECIAL.strip())
    symbols = [Chem.GetPeriodicTable().GetElementSymbol(z) for z in range(1, 119)]
    elements = [form.format(symbol) for symbol in symbols for form in ("[{}]", "[{}+]")]
    return [*special, *elements, "C" * 300, "C" * 250 + "C1CCCCC1", "C(" * 150 + "C" + ")" * 150]


@pytest.fixture(scope="session")
def smiles2graph() -> Callable[[str], dict]:
    """OGB's own; its look for a newer version on the network, in a thread, is kept from starting."""
    sys.modules.setdefault("outdated", None)  # type: ignore[arg-type]
    from ogb.utils.mol import smiles2graph

    return smiles2graph
