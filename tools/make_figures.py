"""Makes vlmd/catalog/figures.json anew: the figures of every model of the catalog, from its configuration alone."""

from __future__ import annotations

import sys
from pathlib import Path

from vlmd import catalog
from vlmd.catalog.figures import configuration, worked_out
from vlmd.core.figures import Figures

DEMO_FOLDER = Path(__file__).parents[1] / "vlmd" / "demo" / "model"


def main() -> int:
    folders = {**catalog.folders(), catalog.DEMO: DEMO_FOLDER}
    answers = worked_out(list(folders.values()), lambda words: print(words, file=sys.stderr))
    problems = [answer for answer in answers.values() if isinstance(answer, str)]
    for problem in problems:
        print(problem, file=sys.stderr)
    entries = {
        name: catalog.Entry(configuration(folder), figures)
        for name, folder in folders.items()
        if isinstance(figures := answers[folder], Figures)
    }
    (catalog.home() / catalog.FIGURES).write_text(catalog.written(entries))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
