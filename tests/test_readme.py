"""What README and docs tell the reader to type is true."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """Line number and text of every fenced block of ``language``."""
    text = page.read_text()
    found = re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(text[: match.start(1)].count("\n"), match.group(1)) for match in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_blocks_run_in_order(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__readme__"}
    for line, code in blocks(page, "python"):
        exec(compile("\n" * line + code, str(page), "exec"), names)


def test_readme_has_a_quick_start() -> None:
    assert len(blocks(README, "python")) >= 2


def commands() -> list[str]:
    found = []
    for page in PAGES:
        for _, text in blocks(page, "(?:console|bash|sh)"):
            joined = text.replace("\\\n", " ")
            found += [line.removeprefix("$ ") for line in joined.splitlines() if "plstm-graph " in line]
    return found


@pytest.mark.parametrize("command", commands())
def test_commands_use_options_that_exist(command: str) -> None:
    from plstm_graph.cli.app import app

    words = shlex.split(command, comments=True)
    verb = words[words.index("plstm-graph") + 1]
    result = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "300", "TERM": "dumb", "NO_COLOR": "1"})
    assert result.exit_code == 0, result.output
    for option in (word.split("=")[0] for word in words if word.startswith("--")):
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", result.output), f"{option} is not an option of {verb}"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z]+)", README.read_text()))))
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / link).exists(), link
