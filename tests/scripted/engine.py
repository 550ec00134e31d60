"""A scripted model for fault tests and simulated devices. The real worker runs it; only the engine is another.

Its answers depend on the pixels alone, so any run over the same video says the same. VLMD_SCRIPT names a JSON
file: {"load_seconds", "load_parts", "seconds" per window, "faults": {"<start_ms>": {"kind", "times"}}, "folder"}.
A fault happens `times` times, counted in `folder` across processes, for the window that starts at that time.

In `folder` it keeps two diaries, a line of JSON each time: `loads.jsonl`, with what its environment shows it,
and `asked.jsonl`, with every batch of windows it is asked, also those it is asked again.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import replace

from vlmd.core.answers import Token
from vlmd.core.errors import Code, Failure, WorkerError
from vlmd.core.messages.worker import LoadModel, Ready
from vlmd.core.recipe import Recipe
from vlmd.worker.questions import Question, Reply

LABELS = ["Goal", "Yellow card", "Substitution"]


class DeviceLost(Exception):
    """What a poisoned CUDA context looks like from outside."""


class ScriptedEngine:
    precision = "none"

    def __init__(self, message: LoadModel, script: dict) -> None:
        self.device = message.device
        self._message = message
        self._script = script
        self._poisoned = False

    def ready(self) -> Ready:
        return Ready(
            device=self.device,
            model=self._message.model.name,
            precision="none",
            parameters=0,
            memory_bytes=0,
            load_ms=0,
            versions={},
        )

    def edge(self, recipe: Recipe) -> int:
        return recipe.frame_edge or 448

    def most_at_once(self, recipe: Recipe) -> int:
        return 1000

    def coarser(self, recipe: Recipe) -> Recipe | None:
        """One size below what the family decides, where the script has "coarser" tokens for it."""
        tokens = self._script.get("coarser")
        return replace(recipe, frame_tokens=tokens) if tokens and recipe.frame_tokens is None else None

    def release(self) -> None:
        """There is nothing to give back."""

    def forget(self, lease: int) -> None:
        """It keeps nothing of a lease."""

    def answer(
        self,
        questions: Sequence[Question],
        on_step: Callable[[int], None],
        on_reply: Callable[[int, Reply], None],
    ) -> None:
        self._note_questions(questions)
        if self._poisoned:
            raise DeviceLost("CUDA error: an illegal memory access was encountered")
        for row, question in enumerate(questions):
            kind = self._fault(question)
            if kind is not None:
                self._misbehave(kind, question, row, on_reply)
                if kind in ("babble", "garbage", "nan"):
                    continue
            time.sleep(self._script.get("seconds", 0.0))
            on_step(len(questions) - row)
            on_reply(row, reply(question.frame_digest()))

    def explain(self, error: BaseException) -> Failure | None:
        if isinstance(error, MemoryError):
            return Failure(Code.OUT_OF_MEMORY, "the script ran out of memory")
        if isinstance(error, DeviceLost):
            self._poisoned = True
            return None
        return Failure(Code.GENERATION_FAILED, str(error))

    def _note_questions(self, questions: Sequence[Question]) -> None:
        asked = [
            {"job": question.run.job, "window": question.window.index, "start_ms": question.window.start_ms}
            for question in questions
        ]
        note(self._script, "asked", windows=asked)

    def _fault(self, question: Question) -> str | None:
        """The fault for this window, while it has not happened often enough."""
        fault = self._script.get("faults", {}).get(str(question.window.start_ms))
        if fault is None:
            return None
        folder = Path(self._script["folder"])
        for number in range(fault["times"]):
            try:
                (folder / f"fault-{question.window.start_ms}-{number}").touch(exist_ok=False)
                return str(fault["kind"])
            except FileExistsError:
                continue
        return None

    def _misbehave(self, kind: str, question: Question, row: int, on_reply: Callable[[int, Reply], None]) -> None:
        match kind:
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                time.sleep(3600)
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "oom":
                raise MemoryError
            case "raise":
                raise ValueError("the script fails here")
            case "device":
                raise DeviceLost("CUDA error: device-side assert triggered")
            case "nan":
                on_reply(row, Reply("", [], 1, "stop", finite=False))
            case "babble":
                text = '{"label": "Goal", "team": "home", "details": "Player ' + "20" * 400
                on_reply(row, Reply(text, [Token(0, -0.1)], 1, "length"))
            case "garbage":
                os.write(_link_fd(), b"\x00\x00\x00\x05hello")
            case "late":
                time.sleep(self._script.get("late_seconds", 1.0))
            case _:
                raise AssertionError(kind)


def reply(frame_digest: str) -> Reply:
    """What the script says of pictures with this digest: mostly nothing, sometimes one or two events."""
    dice = hashlib.sha256(frame_digest.encode()).digest()
    count = 0 if dice[0] < 150 else 2 if dice[0] > 240 else 1
    events = [
        {
            "label": LABELS[dice[1 + i] % len(LABELS)],
            "team": ("home", "away")[dice[3 + i] % 2],
            "confidence": 0.5 + dice[5 + i] / 512,
            "details": f"pictures {frame_digest[:8]}",
        }
        for i in range(count)
    ]
    text = "\n".join(json.dumps(event) for event in events) or "None"
    tokens = [Token(offset, -dice[offset % 32] / 1024) for offset in range(0, len(text), 4)]
    return Reply(text, tokens, prompt_tokens=100, finish="stop")


def note(script: dict, diary: str, **entry: object) -> None:
    """Append a line to a diary: one write, so that lines of several processes never mix."""
    if "folder" in script:
        line = json.dumps({"pid": os.getpid(), **entry}) + "\n"
        fd = os.open(Path(script["folder"]) / f"{diary}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(fd, line.encode())
        finally:
            os.close(fd)


def load(message: LoadModel, progress: Callable[[str], None]) -> ScriptedEngine:
    name = os.environ.get("VLMD_SCRIPT")
    script = json.loads(Path(name).read_text()) if name else {}
    shown = {name: os.environ.get(name) for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "HF_HUB_OFFLINE")}
    told = {"device": message.device, "devices": message.devices, "model": message.model.name}
    note(script, "loads", **told, environment=shown)
    if script.get("cannot_load") or message.model.name in script.get("unloadable", []):
        raise WorkerError(Code.MODEL_CANNOT_LOAD, "the script says so")
    if script.get("gpu_unusable"):
        raise WorkerError(Code.GPU_UNUSABLE, "torch is a CPU build")
    if script.get("die_at_load"):
        os.kill(os.getpid(), signal.SIGKILL)
    progress("script")
    parts = script.get("load_parts", 1)
    for part in range(1, parts + 1):
        time.sleep(script.get("load_seconds", 0.0) / parts)
        progress(f"weights {part} of {parts}")
    return ScriptedEngine(message, script)


def _link_fd() -> int:
    import sys

    return int(sys.argv[sys.argv.index("--link-fd") + 1])
