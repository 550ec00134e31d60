"""From questions to replies: one batch through `generate`, each reply handed over as soon as its row has ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from vlmd.core.answers import Finish, Token, bounded
from vlmd.core.errors import Code, Failure, WorkerError
from vlmd.core.loops import LoopWatch
from vlmd.core.messages import ModelSpec, Ready
from vlmd.core.recipe import Recipe
from vlmd.worker import models
from vlmd.worker.frames import FrameCache
from vlmd.worker.loading import FLOATS, Checkpoint, architecture
from vlmd.worker.models.base import Asked, Family, Inputs
from vlmd.worker.offsets import text_and_offsets
from vlmd.worker.questions import Question, Reply
from vlmd.worker.sizing import Sizing

OnReply = Callable[[int, Reply], None]
"""(row, reply)"""


class Unprepared(Exception):
    """A question that the checkpoint's processor or chat template does not take."""


class Engine:
    """A resident model. `answer` is all there is to it."""

    def __init__(self, family: Family, spec: ModelSpec, device: str, precision: str, load_ms: int) -> None:
        self._family = family
        self._frames = FrameCache(family)
        self._sizing = Sizing(family, spec.path)
        self.spec = spec
        self.device = device
        self.precision = precision
        self._load_ms = load_ms

    @classmethod
    def load(cls, spec: ModelSpec, device: str, progress: Callable[[str], None]) -> Engine:
        """Load a checkpoint onto a device; raises `WorkerError` where a second try would fail the same way."""
        begun = time.monotonic()
        torch.set_num_threads(spec.threads)
        _quieten_transformers()
        _check_device(device)
        best = _best_float(device)
        precision = best if spec.precision == "auto" else spec.precision
        progress("transformers")
        family = models.family(architecture(spec.path))
        checkpoint = Checkpoint(
            path=spec.path,
            precision=precision,
            dtype=FLOATS.get(precision, FLOATS[best]),
            device=device,
            attention=spec.attention,
            adapter=spec.adapter,
        )
        try:
            loaded = family.load(checkpoint, progress)
            return cls(loaded, spec, device, precision, int((time.monotonic() - begun) * 1000))
        except (OSError, ValueError, ImportError, SafetensorError) as error:
            raise WorkerError(Code.MODEL_CANNOT_LOAD, f"{spec.path}: {error}") from error

    def ready(self) -> Ready:
        model = self._family.model
        return Ready(
            device=self.device,
            model=self.spec.name,
            precision=self.precision,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            memory_bytes=sum(parameter.nbytes for parameter in model.parameters()),
            load_ms=self._load_ms,
            versions={"torch": str(torch.__version__), "transformers": str(transformers.__version__)},
        )

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def answer(self, questions: Sequence[Question], on_step: Callable[[int], None], on_reply: OnReply) -> None:
        """Generate greedily for a batch; `on_reply` hears of every row that has ended.

        `on_step` hears how many rows got another token; none while their frames are encoded.
        """
        inputs = self._prepare(questions, on_step)
        limits = [question.run.recipe.generation.max_new_tokens for question in questions]
        recorder = _Recorder(self._family, inputs, limits, on_step, on_reply)
        output = self._family.generate(
            inputs,
            max_new_tokens=max(limits),
            do_sample=False,
            num_beams=1,
            logits_processor=LogitsProcessorList([recorder]),
            stopping_criteria=StoppingCriteriaList([_Ended(recorder)]),
        )
        recorder.finish(output)

    def edge(self, recipe: Recipe) -> int:
        """Longest edge, in pixels, of the pictures that a recipe wants decoded."""
        return recipe.frame_edge or self._sizing.of(recipe).edge

    def forget(self, lease: int) -> None:
        """The lease has ended: its frames are not shown again."""
        self._frames.forget(lease)

    def _prepare(self, questions: Sequence[Question], on_step: Callable[[int], None]) -> Inputs:
        """What goes wrong before the device is used says nothing about the device."""
        size = self._sizing.of(questions[0].run.recipe)
        try:
            frames = self._frames.of(questions, size, lambda: on_step(0))
            rows = [Asked(question.prompt, shown) for question, shown in zip(questions, frames, strict=True)]
            return self._family.prepare(rows)
        except (ValueError, TypeError, LookupError) as error:
            raise Unprepared(f"{type(error).__name__}: {error}"[:500]) from error

    def explain(self, error: BaseException) -> Failure | None:
        """What an error of `answer` means for its windows; None when the device is lost with it.

        On a GPU every error but out-of-memory counts as the device's: after an illegal access or an assertion in
        a kernel all later results of the process are wrong, and the messages are not a closed list.
        """
        if _is_out_of_memory(error):
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            return Failure(Code.OUT_OF_MEMORY, "the device ran out of memory")
        if isinstance(error, Unprepared):
            return Failure(Code.GENERATION_FAILED, f"the question could not be put to the model: {error}")
        if self.device != "cpu":
            return None
        return Failure(Code.GENERATION_FAILED, f"{type(error).__name__}: {error}"[:500])


def _is_out_of_memory(error: BaseException) -> bool:
    """Also true for what torch's CPU allocator raises, a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "not enough memory" in str(error)


class _Recorder(LogitsProcessor):  # type: ignore[misc]
    """Changes nothing; writes down what greedy decoding chooses and reports rows as they end."""

    def __init__(
        self,
        family: Family,
        inputs: Inputs,
        limits: list[int],
        on_step: Callable[[int], None],
        on_reply: OnReply,
    ) -> None:
        self._tokenizer = family.tokenizer
        self._ends = _end_tokens(family.generator)
        self._prompt = inputs["input_ids"].shape[1]
        self._prompt_tokens = inputs["attention_mask"].sum(dim=1).tolist()
        self._limits = limits
        self._logprobs: list[list[float]] = [[] for _ in limits]
        self._open = set(range(len(limits)))
        self._loops = [LoopWatch() for _ in limits]
        self._on_step = on_step
        self._on_reply = on_reply

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """`input_ids` (rows, prompt and tokens so far), `scores` (rows, vocabulary): the logits of the next token."""
        best = torch.log_softmax(scores.float(), dim=-1).amax(dim=-1).tolist()
        for row in self._open:
            self._logprobs[row].append(best[row])
        self._on_step(len(self._open))
        return scores

    def finish(self, output: torch.Tensor) -> None:
        """Report the rows that were still open when generation ended."""
        for row in sorted(self._open):
            self._close(row, output[row, self._prompt :].tolist(), Finish.LENGTH)

    def report(self, ids: torch.Tensor) -> list[bool]:
        """Hear of one more token in every row; hand over the rows that end with it. Says of each whether it has."""
        count, last = ids.shape[1] - self._prompt, ids[:, -1].tolist()
        for row in sorted(self._open):
            if finish := self._finish(row, last[row], count):
                self._close(row, ids[row, self._prompt :].tolist(), finish)
        return [row not in self._open for row in range(len(self._limits))]

    def _finish(self, row: int, token: int, count: int) -> Finish | None:
        looping = self._loops[row].add(token)
        if token in self._ends:
            return Finish.STOP
        if looping:
            return Finish.LOOP
        return Finish.LENGTH if count >= self._limits[row] else None

    def _close(self, row: int, generated: list[int], finish: str) -> None:
        self._open.discard(row)
        logprobs = self._logprobs[row][: len(generated)]
        text, offsets = text_and_offsets(lambda ids: self._tokenizer.decode(ids, skip_special_tokens=True), generated)
        tokens = [Token(offset, logprob) for offset, logprob in zip(offsets, logprobs, strict=False)]
        text, tokens, finish = bounded(text, tokens, finish)
        finite = all(logprob == logprob and logprob > float("-inf") for logprob in logprobs)
        self._on_reply(row, Reply(text, tokens, int(self._prompt_tokens[row]), finish, finite))


class _Ended(StoppingCriteria):  # type: ignore[misc]
    """Ends rows one by one: those that loop, and those whose own limit is below the batch's."""

    def __init__(self, recorder: _Recorder) -> None:
        self._recorder = recorder

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **options: Any) -> torch.Tensor:
        return torch.tensor(self._recorder.report(input_ids), device=input_ids.device)


def _end_tokens(model: Any) -> set[int]:
    end = model.generation_config.eos_token_id
    return set(end) if isinstance(end, list) else {end}


def _quieten_transformers() -> None:
    """No bars, and its log goes where ours goes."""
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_default_handler()
    transformers.utils.logging.enable_propagation()


def _best_float(device: str) -> str:
    """bf16 where the GPU computes it, fp16 on older ones, fp32 on a CPU."""
    if device == "cpu":
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def _check_device(device: str) -> None:
    """A GPU that torch cannot use is an error with a remedy, never a reason to compute on the CPU."""
    if device == "cpu" or torch.cuda.is_available():
        return
    build = (
        f"torch {torch.__version__} is built for CUDA {torch.version.cuda}"
        if torch.version.cuda
        else (f"torch {torch.__version__} is a CPU build")
    )
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    raise WorkerError(Code.GPU_UNUSABLE, f"the driver shows GPU {visible}, but torch cannot use it: {build}")
