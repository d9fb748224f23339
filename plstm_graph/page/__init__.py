"""Pages of one file: no network, no other file, and texts of users are never markup.

What the pages of :mod:`plstm_graph.explain` and :mod:`plstm_graph.report` share: escaping, the policy that keeps a
browser from loading anything, and the style.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any


def render(
    package: str, template: str, *, styles: tuple[str, ...], scripts: tuple[str, ...] = (), **values: Any
) -> str:
    """A page as a string.

    Args:
        package: where template, styles and scripts are, such as ``"plstm_graph.explain"``.
        template: name of a jinja2 template that extends ``base.html``; all its values are escaped.
        styles: names of CSS files, in order; they come after ``base.css``.
        scripts: names of JavaScript files, run in this order; a browser runs nothing else on the page.
        values: what the template shows, with ``title`` among them.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package, "."), jinja2.PackageLoader(__name__, ".")]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = "\n".join(_read(package, name) for name in scripts)
    return environment.get_template(template).render(
        style="\n".join([_read(__name__, "base.css"), *(_read(package, name) for name in styles)]),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        **values,
    )


def write(text: str, path: str | Path) -> Path:
    """Write a page to a file, whose folder is made if need be; returns its path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _read(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")
