"""Pin every package that the project and its extras need, at the version installed in this environment.

    python tools/constraints.py            write constraints.txt
    python tools/constraints.py --check    exit with 1 if an installed package differs from its pin

Local version labels (``torch 2.13.0+cpu``) are left out, so that each machine may take the build that suits it.
Packages that are not installed here (an extra that needs a compiler or a GPU) keep the pin that the file already has.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "constraints.txt"
HEADER = """\
# One known set of versions: pip install -c constraints.txt -e .
# Written by `make constraints` from the packages that are installed; do not edit.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    before = read_pins(TARGET)
    found, absent = closure(roots(ROOT / "pyproject.toml"))
    pins = found | {name: before[name] for name in absent if name in before}
    if arguments.check:
        differing = [
            f"{name}: pinned {before.get(name)}, installed {found[name]}"
            for name in found
            if before.get(name) != found[name]
        ]
        print("\n".join(differing) or f"{len(found)} installed packages agree with {TARGET.name}")
        return 1 if differing else 0
    TARGET.write_text(HEADER + "".join(f"{name}=={pins[name]}\n" for name in sorted(pins)))
    print(f"wrote {len(pins)} pins to {TARGET.name}; not installed here: {', '.join(sorted(absent)) or 'none'}")
    return 0


def roots(pyproject: Path) -> list[Requirement]:
    """Requirements of the build, of the project and of all its extras."""
    project = tomllib.loads(pyproject.read_text())
    own = canonicalize_name(project["project"]["name"])
    lines = project["build-system"]["requires"] + project["project"]["dependencies"]
    lines += [line for extra in project["project"]["optional-dependencies"].values() for line in extra]
    return [requirement for line in lines if canonicalize_name((requirement := Requirement(line)).name) != own]


def closure(requirements: list[Requirement]) -> tuple[dict[str, str], set[str]]:
    """Version of every package that is needed and installed, and the names of those that are not installed."""
    found: dict[str, str] = {}
    absent: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [(requirement, extra) for requirement in requirements for extra in ("", *requirement.extras)]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            absent.add(name)
            continue
        found[name] = package.version.partition("+")[0]
        for line in package.requires or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                waiting += [(needed, more) for more in ("", *needed.extras)]
    return found, absent


def read_pins(path: Path) -> dict[str, str]:
    """Pins of an existing constraints file."""
    if not path.exists():
        return {}
    lines = [line.strip() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


if __name__ == "__main__":
    sys.exit(main())
