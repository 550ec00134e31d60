"""Words and numbers as tables show them."""

from __future__ import annotations

import pytest

from vlmd.cli.words import nearest


@pytest.mark.parametrize(("path", "told"), [
    ("match/a.mp4", "match/a.mp4"),
    ("soccer/england_epl/2015-2016/City 3 - 0 Town/1_720p.mp4", "…/2015-2016/City 3 - 0 Town/1_720p.mp4"),
    ("folder/" + "x" * 60 + ".mp4", "…/" + "x" * 60 + ".mp4"),
    ("/absolute/a.mp4", "/absolute/a.mp4"),
    ("x" * 60, "x" * 60),
])  # fmt: skip
def test_a_long_path_is_told_by_its_end(path: str, told: str) -> None:
    assert nearest(path) == told
