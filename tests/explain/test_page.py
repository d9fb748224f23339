"""The page as text, and in a browser: hostile names stay text, and touching an atom changes the picture."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plstm_graph.errors import ConfigError
from plstm_graph.explain import explain_molecule, page, render_page, write_page
from plstm_graph.train.task import Task
from tests.explain.browser import CHROMIUM, Browser

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">{{ 7*7 }}"
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture
def written(make_predictor: Callable, tmp_path: Path) -> Path:
    """A page with two molecules, whose names, targets and title try to become markup."""
    predictor = make_predictor(Task("regression", (HOSTILE, "second")))
    found = [
        explain_molecule(predictor, "CC(=O)Oc1ccccc1C(=O)O", name=HOSTILE),
        explain_molecule(predictor, "CN1C=NC2=C1C(=O)N(C(=O)N2C)C"),
    ]
    return write_page(found, tmp_path / "new" / "page.html", title=HOSTILE)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile") as opened:
        yield opened


def test_texts_are_escaped_and_nothing_is_loaded(written):
    text = written.read_text(encoding="utf-8")
    assert HOSTILE not in text
    assert text.count(html.escape(HOSTILE, quote=False)[:30]) >= 4
    assert "<img" not in text
    assert len(re.findall(r"<script\b", text)) == 3  # two molecules and the program
    urls = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s'\"<>]*", text))
    assert all("w3.org" in url or "rdkit.org" in url for url in urls), urls  # names of XML formats


def test_the_page_is_the_same_every_time(make_predictor):
    found = explain_molecule(make_predictor(), "CCO")
    assert render_page([found]) == render_page([found])


def test_nothing_to_show_and_too_much(make_predictor, monkeypatch):
    with pytest.raises(ConfigError, match="no molecule"):
        render_page([])
    monkeypatch.setattr(page, "LARGEST", 2)
    with pytest.raises(ConfigError, match="'CCO' has 3 atoms"):
        render_page([explain_molecule(make_predictor(), "CCO")])


def colors(browser: Browser) -> list[str]:
    """What every atom of the first molecule is filled with."""
    return browser.run("[...document.querySelectorAll('#molecule-1 [data-atom]')].map(c => getComputedStyle(c).fill)")


def text(browser: Browser, part: str) -> str:
    return browser.run(f"document.querySelector('#molecule-1 [data-part={part}]').innerText")


def choose(browser: Browser, name: str, value: int) -> None:
    browser.run(
        f"(() => {{ const s = document.querySelector('#molecule-1 [data-choice={name}]');"
        f"s.value = '{value}'; s.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
    )


@in_browser
def test_a_click_changes_the_picture_and_the_sums_agree(browser, written):
    browser.open(written)
    start = colors(browser)
    assert "Added to" in text(browser, "tables")
    browser.click("#molecule-1 [data-atom='7']")
    heard = colors(browser)
    assert heard != start
    assert "Heard by C7" in text(browser, "tables")
    seen = set()
    for layer in range(2):
        choose(browser, "layer", layer)
        for head in range(2):
            choose(browser, "head", head)
            sums = re.findall(r"Sum\s+(\S+ %)", text(browser, "tables"))
            assert sums == ["100.0 %", "100.0 %"]
            seen.add(tuple(colors(browser)))
    assert len(seen) == 4
    browser.click("#molecule-1 [data-partner]")
    assert "the sum agrees" in text(browser, "tables")
    assert browser.run("document.querySelector('.bad')") is None
    browser.click("#molecule-1 [data-action=release]")
    assert colors(browser) == start
    assert browser.problems == []
    assert browser.requests == [written.resolve().as_uri()]


@in_browser
def test_hostile_texts_stay_texts(browser, written):
    browser.open(written)
    assert browser.run("document.title") == HOSTILE
    assert browser.run("document.querySelector('h2').textContent") == HOSTILE
    assert HOSTILE in browser.run("document.querySelector('#molecule-1 .predictions').textContent")
    assert browser.run("document.querySelector('#molecule-1 [data-choice=target]').options[0].text") == HOSTILE
    assert HOSTILE in browser.run("document.querySelector('#molecule-1 [data-part=tables] h3').textContent")
    assert browser.run("document.images.length") == 0
    browser.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=1\">')")
    assert browser.run("new Promise(done => setTimeout(() => done(document.title), 200))") == HOSTILE


@in_browser
def test_keyboard(browser, written):
    browser.open(written)
    start = colors(browser)
    browser.run("document.querySelector('#molecule-1 [data-choice=head]').focus()")
    browser.press("Tab")
    assert browser.run("document.activeElement.dataset.atom") == "0"
    browser.press("ArrowRight")
    browser.press("ArrowRight")
    assert browser.run("document.activeElement.dataset.atom") == "2"
    assert "Heard by O2" in text(browser, "tables")
    assert colors(browser) != start
    browser.press("Enter")
    assert browser.run("document.activeElement.getAttribute('aria-pressed')") == "true"
    browser.press("Tab")
    assert "Heard by O2" in text(browser, "tables")
    assert browser.run("document.activeElement.getAttribute('aria-label')") == "Heard by O2"
    browser.press("Escape")
    assert colors(browser) == start
    assert browser.problems == []


@in_browser
def test_wavefronts_of_both_directions(browser, written):
    browser.open(written)
    forward = browser.run("document.querySelector('#molecule-1 [data-part=dag]').innerHTML")
    choose(browser, "step", 1)
    later = "document.querySelectorAll('#molecule-1 [data-part=dag] .later').length"
    assert browser.run(later) > 0
    assert "level 1" in text(browser, "step")
    choose(browser, "direction", 1)
    assert browser.run(later) == 0
    assert browser.run("document.querySelector('#molecule-1 [data-part=dag]').innerHTML") != forward
    assert browser.problems == []


@in_browser
def test_phone(tmp_path, written):
    with Browser(tmp_path / "profile", width=360, height=740, touch=True) as browser:
        browser.open(written)
        start = colors(browser)
        browser.click("#molecule-1 [data-atom='7']", touch=True)
        assert browser.run("new Promise(done => setTimeout(() => done(true), 400))")
        assert colors(browser) != start
        wide = "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, svg') || e.matches('svg'))"
        assert browser.run(f"{wide}.filter(e => e.getBoundingClientRect().right > 360).map(e => e.outerHTML)") == []
        assert browser.run("document.documentElement.scrollWidth") <= 360
        assert browser.problems == []
