"""The process that measures: sets up one case after the other and takes a sample whenever it is asked to.

Started by :mod:`benchmarks.session` as ``python -P -m benchmarks.worker MODULE SETTING``; questions and answers are
lines of JSON. The revision of the library is the one that comes first on the path.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

import torch

from benchmarks import clock
from benchmarks.case import Call, Setting

Answer = dict[str, Any]


class Worker:
    """Answers questions about one suite.

    Args:
        suite: module with ``CASES`` and perhaps ``TABLES``.
        setting: what cases are set up with.
    """

    def __init__(self, suite: ModuleType, setting: Setting) -> None:
        self.suite, self.setting = suite, setting
        self.calls: dict[str, tuple[Call, int]] = {}

    def setup(self, case: str) -> Answer:
        """Set up a case and warm up its calls; those that fail are named with their error and left out."""
        self.calls.clear()
        gc.unfreeze()
        failed, items, bytes_ = {}, {}, {}
        for name, call in self.suite.CASES[case].setup(self.setting).items():
            try:
                repeats = clock.warm_up(call, self.setting.device)
            except Exception as error:  # whatever a revision of the library may raise is a result of its own
                traceback.print_exc()
                failed[name] = f"{type(error).__name__}: {error}"
                continue
            self.calls[name] = (call, repeats)
            items[name], bytes_[name] = call.items, call.bytes
        gc.collect()
        gc.freeze()
        return {"calls": list(self.calls), "items": items, "bytes": bytes_, "failed": failed}

    def sample(self, call: str) -> Answer:
        """Measure one call once."""
        return {"value": clock.sample(*self.calls[call], self.setting.device)}

    def table(self, name: str) -> Answer:
        """Make one of the suite's tables."""
        self.calls.clear()
        return self.suite.TABLES[name](self.setting)

    def about(self) -> Answer:
        """Where the library that is measured lies."""
        import plstm_graph

        return {"library": str(Path(plstm_graph.__file__).parent)}


def answer(worker: Worker, question: dict[str, Any]) -> Answer:
    """The answer to one question, or the error that came up."""
    ask: Callable[..., Answer] = getattr(worker, question.pop("ask"))
    try:
        return ask(**question)
    except Exception as error:
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


def main(suite: str, setting: str) -> None:
    """Answer until the questions end."""
    answers = _own_stdout()
    options = Setting(**json.loads(setting))
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    worker = Worker(importlib.import_module(suite), options)
    for line in sys.stdin:
        print(json.dumps(answer(worker, json.loads(line))), file=answers, flush=True)


def _own_stdout() -> TextIO:
    """Keep stdout for the answers; whatever else prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    main(*sys.argv[1:])
