"""Result documents with whatever text, for tests of formats."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

ORIGIN = {
    "schema": "vlmd.result/1",
    "pipeline": "soccer",
    "model": {"name": "qwen", "family": "Qwen", "revision": "r" * 64, "precision": "nf4"},
    "recipe": {"digest": "d" * 64},
}
BODIES = {"events": "events", "ensemble": "events", "caption": "captions", "text": "texts", "feedback": "feedback"}
FIVE_HOURS_MS = 5 * 3_600_000 + 7 * 60_000

HOSTILE = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=40),
    st.sampled_from(
        [
            *(
                "=1+1",
                "+a",
                "-2",
                "@SUM(A1)",
                "\t=1",
                "\r=1",
                "'=1",
                "''",
                "a\n\nb",
                "\n",
                "",
                "   ",
                "1\n00:00:01,000",
            ),
            *(
                "00:00:01.000 --> 00:00:02.000",
                "--->",
                "a\r\n\r\n2\r\n",
                "\x1b[2J",
                "\0",
                "\u202eabc",
                "\u2028",
                "\x85",
            ),
            *('"quoted", with a comma', "<b>bold</b>", "{\\an8}", "&lt;", "WEBVTT", "NOTE", "ảnh 图", "\ufeff", "]]>"),
        ]
    ),
)


def document(task: str, body: Any = None, name: str = "soccer/match.mkv", **fields: Any) -> dict[str, Any]:
    """A whole result; `body` is the list of its moments, or its choice."""
    body = [] if body is None else body
    return {
        **ORIGIN,
        "video": {"name": name, "sha256": "f" * 64, "duration_s": FIVE_HOURS_MS / 1000, "pictures": 460_500},
        "task": {"name": task},
        "inputs": None,
        "coverage": {"windows": 1, "answered": 1, "failed": 0, "pending": 0},
        BODIES.get(task, "choice"): body,
        "run": {},
        **fields,
    }


def moment(start_ms: int, end_ms: int, **fields: Any) -> dict[str, Any]:
    return {"start_s": start_ms / 1000, "end_s": end_ms / 1000, **fields}


def event(start_ms: int, end_ms: int, label: str = "Goal", **fields: Any) -> dict[str, Any]:
    said = {"team": "home", "confidence": 0.9, "stated_confidence": None, "details": "", "label_known": True}
    return moment(start_ms, end_ms, label=label, **{**said, **fields})


@st.composite
def spans(draw: st.DrawFn) -> list[tuple[int, int]]:
    starts = draw(st.lists(st.integers(0, FIVE_HOURS_MS - 1), max_size=5))
    return [(start, min(start + draw(st.integers(1, 60_000)), FIVE_HOURS_MS)) for start in starts]


@st.composite
def events_documents(draw: st.DrawFn) -> dict[str, Any]:
    sure = st.none() | st.floats(0, 1)
    events = [
        event(*span, draw(HOSTILE), team=draw(st.none() | HOSTILE), confidence=draw(sure), details=draw(HOSTILE))
        for span in draw(spans())
    ]
    return document("events", events, name=f"soccer/{draw(HOSTILE)}")


@st.composite
def caption_documents(draw: st.DrawFn) -> dict[str, Any]:
    return document("caption", [moment(*span, text=draw(HOSTILE), confidence=None) for span in draw(spans())])
