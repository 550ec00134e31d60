"""Models that people run, by their names on the hub: what they take is known before anything of them is here.

Each has a folder, `<owner>--<name>`, with the config.json and preprocessor_config.json it is published with.
`figures.json` holds what they come to; `tools/make_figures.py` makes it, a test compares. No weights, no code.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path

import msgspec

from vlmd.core.figures import Figures

FIGURES = "figures.json"
DEMO = "vlmd-demo"
"""The toy model that comes with vlmd; its folder lies elsewhere, and it is not listed."""


class Entry(msgspec.Struct, frozen=True):
    """A model of `figures.json`."""

    configuration: str
    """Digest of the files the figures were made from: see `vlmd.catalog.figures.configuration`."""
    figures: Figures


def home() -> Path:
    """Where the catalog lies."""
    return Path(str(resources.files("vlmd.catalog")))


def folders() -> dict[str, Path]:
    """Every model's folder by its name on the hub, in the order of names."""
    found = {path.name.replace("--", "/", 1): path for path in home().iterdir() if (path / "config.json").is_file()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


@cache
def entries() -> Mapping[str, Entry]:
    """What is known of each, the demo model among them."""
    return msgspec.json.decode((home() / FIGURES).read_bytes(), type=dict[str, Entry])


def listed() -> dict[str, Figures]:
    """The figures of every model of the catalog, by name."""
    return {name: entry.figures for name, entry in entries().items() if name != DEMO}


def find(name: str) -> str | None:
    """The full name of a model of the catalog, which may be given without its owner and in any case."""
    wanted = name.lower()
    names = [each.lower() for each in listed()]
    by_alias = dict(zip((each.partition("/")[2] for each in names), listed(), strict=True))
    return dict(zip(names, listed(), strict=True)).get(wanted) or by_alias.get(wanted)


def closest(name: str, others: Iterable[str] = ()) -> list[str]:
    """Up to three names, of the catalog or of `others`, that may have been meant."""
    known = {each.lower(): each for each in [*listed(), *others]}
    aliases = {key.partition("/")[2]: full for key, full in known.items() if "/" in key}
    meant = difflib.get_close_matches(name.lower(), [*known, *aliases], n=6, cutoff=0.5)
    parts = [full for key, full in known.items() if name.lower() in key]
    return list(dict.fromkeys([*((known | aliases)[key] for key in meant), *parts]))[:3]


def written(entries: Mapping[str, Entry]) -> str:
    """`figures.json` as it stands in the repository."""
    return json.dumps(msgspec.to_builtins(dict(entries)), indent=1) + "\n"
