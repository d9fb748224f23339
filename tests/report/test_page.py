"""The page in a browser: it stands alone, keeps texts as texts, fits a phone, and its numbers are scikit-learn's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from plstm_graph.errors import RunError
from plstm_graph.report import results, write_report
from plstm_graph.train.predictions import Predictions
from plstm_graph.train.task import Task
from tests.explain.browser import CHROMIUM, Browser
from tests.report.conftest import HOSTILE, make_predictions

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
TASKS = {
    "regression": Task("regression", (HOSTILE, "second")),
    "binary": Task("binary", (HOSTILE, "second")),
    "multiclass": Task("multiclass", (HOSTILE,), num_classes=3, class_names=("a", HOSTILE, "x" * 90)),
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile"), width=390, height=844, touch=True) as opened:
        yield opened


def cells(browser: Browser, section: str) -> list[list[list[str]]]:
    """Texts of all tables of a section."""
    rows = "[...t.rows].map(r => [...r.cells].map(c => c.textContent))"
    return browser.run(f"[...document.querySelectorAll('#{section} table')].map(t => {rows})")


@in_browser
@pytest.mark.parametrize("kind", TASKS)
def test_it_stands_alone_fits_a_phone_and_keeps_texts(kind: str, browser: Browser, make_run: Callable) -> None:
    found = make_predictions(TASKS[kind])
    found.smiles[:] = HOSTILE
    page = write_report(make_run(TASKS[kind], found, data=f"{HOSTILE}.csv", split_column=HOSTILE))
    browser.problems.clear()
    browser.requests.clear()
    for mode in ("light", "dark"):
        browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": mode}])
        browser.open(page)
        ground, ink = (browser.run(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color"))
        light = [sum(map(int, re.findall(r"\d+", color))) for color in (ground, ink)]
        assert (light[0] > light[1]) == (mode == "light")
    assert browser.problems == []
    assert set(browser.requests) == {page.resolve().as_uri()}
    assert browser.run("document.documentElement.scrollWidth") <= 390
    wide = (
        "[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, svg') || e.matches('.scroll, svg'))"
    )
    assert browser.run(f"{wide}.filter(e => e.getBoundingClientRect().right > 390).map(e => e.outerHTML)") == []
    assert browser.run("document.title").startswith("script><img")  # what is behind the last slash of the path
    assert HOSTILE in browser.run("document.querySelector('h1').textContent")
    assert browser.run("document.querySelector('.case .smiles').textContent") == HOSTILE
    hostile = [row[1] for row in cells(browser, "settings")[0] if HOSTILE in row[1]]
    assert hostile == [f"{HOSTILE}.csv", ", ".join(TASKS[kind].targets), HOSTILE]
    assert browser.run("document.images.length + document.scripts.length") == 0


@in_browser
@pytest.mark.parametrize("kind", ["regression", "binary"])
def test_scores_are_those_of_scikit_learn(kind: str, browser: Browser, make_run: Callable) -> None:
    task = Task(kind, ("first", "second"))
    found = make_predictions(task)
    browser.open(write_report(make_run(task, found)))
    table, *confusions = cells(browser, "results")
    shown = {(row[0], row[1]): [float(cell.replace(",", "")) for cell in row[2:]] for row in table[1:]}
    assert len(shown) == 6
    for part, name in (("train", "training"), ("valid", "validation"), ("test", "test")):
        for j, target in enumerate(task.targets):
            chosen = (found.part == part) & ~np.isnan(found.true[:, j])
            y, p = found.true[chosen, j], found.predicted[chosen, j]
            if kind == "regression":
                expected = [np.sqrt(metrics.mean_squared_error(y, p)), metrics.mean_absolute_error(y, p)]
                expected = [len(y), *expected, metrics.r2_score(y, p)]
            else:
                said = p >= 0.5
                expected = [len(y), y.sum(), metrics.roc_auc_score(y, p), metrics.average_precision_score(y, p)]
                expected += [np.mean(said == y), (said[y == 1].mean() + (~said)[y == 0].mean()) / 2]
                expected += [metrics.f1_score(y, said), metrics.matthews_corrcoef(y, said)]
            np.testing.assert_allclose(shown[target, name], expected, rtol=1e-3)
            if kind == "binary" and part == "test":
                rows = [[int(cell) for cell in row[1:]] for row in confusions[j][2:]]
                assert rows == metrics.confusion_matrix(y, said).tolist()
                labels = browser.run("[...document.querySelectorAll('.chart')].map(c => c.getAttribute('aria-label'))")
                assert any(f"test area {metrics.roc_auc_score(y, p):.3f}" in label for label in labels)
                area = metrics.average_precision_score(y, p)
                assert any(f"test average precision {area:.3f}" in label for label in labels)


@in_browser
def test_classes_are_scored_as_scikit_learn_does(browser: Browser, make_run: Callable) -> None:
    task = Task("multiclass", ("colour",), num_classes=3, class_names=("red", "green", "blue"))
    found = make_predictions(task)
    browser.open(write_report(make_run(task, found)))
    by_part, by_class, matrix = cells(browser, "results")
    chosen = (found.part == "test") & (found.true >= 0)
    y, said = found.true[chosen], found.predicted[chosen].argmax(axis=1)
    assert [row[0] for row in by_part[1:]] == ["training", "validation", "test"]
    expected = [len(y), np.mean(y == said), metrics.balanced_accuracy_score(y, said)]
    expected += [metrics.f1_score(y, said, average="macro"), metrics.log_loss(y, found.predicted[chosen])]
    np.testing.assert_allclose([float(cell) for cell in by_part[3][1:]], expected, rtol=1e-3)
    assert [row[0] for row in by_class[1:]] == list(task.class_names)
    precision, recall, f1, count = metrics.precision_recall_fscore_support(y, said)
    shown = np.array([[float(cell) for cell in row[1:]] for row in by_class[1:]])
    np.testing.assert_allclose(shown, np.stack([count, precision, recall, f1], axis=1), rtol=1e-3)
    assert [[int(cell) for cell in row[1:]] for row in matrix[2:]] == metrics.confusion_matrix(y, said).tolist()


@in_browser
def test_keyboard_and_screen_reader(browser: Browser, make_run: Callable) -> None:
    browser.open(write_report(make_run(TASKS["binary"], make_predictions(TASKS["binary"]))))
    assert browser.run("document.querySelectorAll('h1').length") == 1
    levels = browser.run("[...document.querySelectorAll('h1, h2, h3')].map(h => Number(h.tagName[1]))")
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for wrong in (
        "table:not(:has(caption))",
        "th:not([scope])",
        ".scroll:not([tabindex='0'][role='region'][aria-labelledby])",
        ".chart:not([role='img'][aria-label])",
        ".drawing:not([role='img'][aria-label]):has(svg)",
        "section:not([aria-labelledby])",
    ):
        assert browser.run(f"document.querySelectorAll({wrong!r}).length") == 0, wrong
    ids = browser.run("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    links = browser.run("[...document.querySelectorAll('nav a')].map(a => a.getAttribute('href').slice(1))")
    assert set(links) <= set(ids)
    browser.press("Tab")
    browser.press("Enter")
    assert browser.run("location.hash") == "#" + links[0]


class Tags(HTMLParser):
    """Every element in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found.append(tag)


def count(page: Path, tag: str) -> int:
    found = Tags()
    found.feed(page.read_text(encoding="utf-8"))
    return found.found.count(tag)


def test_points_and_charts_have_a_limit(make_run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_TARGETS", 2)
    monkeypatch.setattr(results, "MOST_POINTS", 240)
    task = Task("regression", ("a", "b", "c"))
    page = write_report(make_run(task, make_predictions(task, 400)))
    text = page.read_text(encoding="utf-8")
    assert text.count("shown are 40 of ") == 2  # 240 points on two targets and three parts
    assert "Charts are shown for the first 2 of 3 targets." in text
    assert count(page, "figure") == 6
    assert 240 <= count(page, "use") < 240 + 6 * 40  # points, and the ticks of six charts
    assert count(page, "li") - count(page, "a") == 12  # cases beside the list of contents


def test_many_classes_have_a_limit(make_run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_CLASSES", 3)
    monkeypatch.setattr(results, "MOST_SCORED", 4)
    task = Task("multiclass", ("y",), num_classes=6)
    found = make_predictions(task, 200)
    page = write_report(make_run(task, found)).read_text(encoding="utf-8")
    assert "the first 4 of 6 classes" in page
    assert "3 most frequent of 6 classes" in page
    chosen = (found.part == "test") & (found.true >= 0)
    y, said = found.true[chosen], found.predicted[chosen].argmax(axis=1)
    table = results.confusion(y, said, tuple("abcdef"))
    kept = ["abcdef".index(name) for name in table.columns[1:4]]
    counts = np.bincount(y, minlength=6)
    assert min(counts[kept]) >= max(np.delete(counts, kept))
    matrix = metrics.confusion_matrix(y, said)
    assert [[int(cell) for cell in row[1:4]] for row in table.rows[:3]] == matrix[np.ix_(kept, kept)].tolist()
    assert sum(int(cell) for row in table.rows for cell in row[1:]) == len(y)


def test_what_is_not_there_is_left_out(make_run: Callable, tmp_path: Path) -> None:
    folder = make_run(Task("binary", ("y",)))
    text = write_report(folder, tmp_path / "new" / "page.html").read_text(encoding="utf-8")
    assert re.findall(r'<section class="card" id="(\w+)"', text) == ["learning", "settings"]
    assert "left no predictions.csv" in text
    assert "script-src" not in text  # the page's policy lets no script run
    assert text == write_report(folder).read_text(encoding="utf-8")
    assert (folder / "report.html").is_file()


def test_sequences_have_headline_and_curves(make_run: Callable) -> None:
    task = Task("sequence", ("word 0", "word 1"), num_classes=3, class_names=("get", "name", "end"))
    found = Predictions(np.arange(2), np.array(["valid", "test"]), None, np.array([[0, 1]] * 2), np.array([[0, 2]] * 2))
    text = write_report(make_run(task, found)).read_text(encoding="utf-8")
    assert re.findall(r'<section class="card" id="(\w+)"', text) == ["learning", "settings"]
    assert "Test F1" in text


def test_labels_of_one_class_or_none(make_run: Callable) -> None:
    task = Task("binary", ("ones", "none"))
    found = make_predictions(task)
    found.true[:, 0], found.true[:, 1] = 1, np.nan
    text = write_report(make_run(task, found)).read_text(encoding="utf-8")
    assert "–" in text
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL).lower().split("<main>")[1]


def test_graphs_that_are_no_molecules_have_a_table_instead_of_drawings(make_run: Callable) -> None:
    task = Task("regression", ("y",))
    text = write_report(make_run(task, make_predictions(task, molecules=False))).read_text(encoding="utf-8")
    assert 'class="case"' not in text
    assert ">Rows with the largest errors</caption>" in text


def test_other_folders_are_refused(make_run: Callable, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"nowhere is not the folder of a finished run: config\.yaml is missing"):
        write_report(tmp_path / "nowhere")
    folder = make_run(Task("regression", ("y",)))
    (folder / "metrics.json").write_text("{")
    with pytest.raises(RunError, match=r"metrics\.json is damaged"):
        write_report(folder)
