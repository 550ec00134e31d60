"""A resident model: loaded once, asked batch by batch. How answers are generated lies in `generation`."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
import transformers
from msgspec import structs

from vlmd.core import plans
from vlmd.core.abilities import Wishes, lacking
from vlmd.core.errors import Code, Failure, WorkerError
from vlmd.core.figures import Figures
from vlmd.core.messages.worker import ModelSpec, Ready
from vlmd.core.recipe import Recipe
from vlmd.core.verification import Verification
from vlmd.weights import installed
from vlmd.worker import models
from vlmd.worker.counting import counted
from vlmd.worker.figures import figures_of
from vlmd.worker.frames import FrameCache
from vlmd.worker.generation import OnReply, end_tokens, generate, own_settings_only
from vlmd.worker.generation.guides import Grammars, Guide, UnusableGrammar
from vlmd.worker.generation.options import Options, UnusableOptions
from vlmd.worker.load_failures import load_explained, refuse
from vlmd.worker.loading import FLOATS, Checkpoint, architecture, card_of
from vlmd.worker.models.base import Asked, Family, Frame, Inputs
from vlmd.worker.questions import Question, Reply
from vlmd.worker.room import CudaMemory, Memory, NoMemory, Room, device_bytes, is_out_of_memory
from vlmd.worker.sizing import Sizing

logger = logging.getLogger("vlmd.worker")


class Unprepared(Exception):
    """A question that the checkpoint's processor, chat template or tokenizer does not take."""


class Engine:
    """A resident model. `answer` is all there is to it."""

    def __init__(
        self,
        family: Family,
        spec: ModelSpec,
        device: str,
        precision: str,
        load_ms: int,
        figures: Figures | None = None,
    ) -> None:
        self._family = family
        self._frames = FrameCache(family)
        self._sizing = Sizing(family, spec.path)
        self._figures = figures
        self._memory: Memory = NoMemory() if device == "cpu" else CudaMemory()
        self._room = Room(figures, self._sizing.of, precision, self._memory)
        self.spec = spec
        self.device = device
        self.precision = precision
        self._load_ms = load_ms
        self.verification: Verification | None = None
        """What canary windows showed of it, where they were asked for."""
        own_settings_only(family.model)
        self._grammars = Grammars(family.tokenizer, end_tokens(family.generator))
        self._options = Options(family.tokenizer)

    @classmethod
    def load(cls, spec: ModelSpec, device: str, progress: Callable[[str], None], devices: int = 1) -> Engine:
        """Load a checkpoint onto a device, or over all GPUs it sees.

        Raises `WorkerError` where a second try would fail the same way.
        """
        begun = time.monotonic()
        torch.set_num_threads(spec.threads)
        _quieten_transformers()
        _check_device(device)
        wishes = Wishes(spec.precision, spec.attention, spec.adapter is not None)
        refuse(spec.path, *lacking(wishes, card_of(device), installed()))
        progress("transformers")
        best = _best_float(device)
        figures = _figures(spec.path)
        precision = _automatic(figures, spec, device, best) if spec.precision == "auto" else spec.precision
        family = models.family(architecture(spec.path))
        checkpoint = Checkpoint(
            path=spec.path,
            precision=precision,
            dtype=FLOATS.get(precision, FLOATS[best]),
            device=device,
            devices=1 if device == "cpu" else devices,
            attention=spec.attention,
            adapter=spec.adapter,
        )
        with counted(progress):
            loaded = load_explained(family, checkpoint, progress)
        return cls(loaded, spec, device, precision, int((time.monotonic() - begun) * 1000), figures)

    def ready(self) -> Ready:
        model = self._family.model
        return Ready(
            device=self.device,
            model=self.spec.name,
            precision=self.precision,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            memory_bytes=self._memory.model() or sum(parameter.nbytes for parameter in model.parameters()),
            memory_planned=None if self._figures is None else plans.weights(self._figures, self.precision),
            load_ms=self._load_ms,
            versions={"torch": str(torch.__version__), "transformers": str(transformers.__version__)},
            verification=self.verification,
        )

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def answer(self, questions: Sequence[Question], on_step: Callable[[int], None], on_reply: OnReply) -> None:
        """Generate for a batch; `on_reply` hears of every row that has ended.

        `on_step` hears how many rows got another token; none while their frames are encoded.
        """
        with self._room.watching(questions) as watch:

            def reply(row: int, said: Reply) -> None:
                watch.heard(said)
                on_reply(row, replace(said, memory_planned=watch.planned, memory_used=watch.used))

            inputs = self._prepare(questions, on_step)
            generate(self._family, inputs, questions, on_step, reply, *self._held(questions[0].run.recipe))

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def first_logits(self, questions: Sequence[Question]) -> torch.Tensor:
        """(rows, vocabulary): what the model makes of each question before its answer begins."""
        inputs = self._prepare(questions, lambda rows: None)
        options = {"max_new_tokens": 1, "do_sample": False, "return_dict_in_generate": True, "output_logits": True}
        logits: torch.Tensor = self._family.generate(inputs, **options).logits[0].float()
        return logits

    def edge(self, recipe: Recipe) -> int:
        """Longest edge, in pixels, of the pictures that a recipe wants decoded."""
        return recipe.frame_edge or self._sizing.of(recipe).edge

    def most_at_once(self, recipe: Recipe) -> int:
        """How many windows that a recipe asks fit into the memory that is free."""
        return self._room.most(recipe)

    def coarser(self, recipe: Recipe) -> Recipe | None:
        """The same question with fewer tokens for each frame; None where a frame takes the fewest already."""
        size = self._sizing.coarser(recipe)
        return None if size is None else structs.replace(recipe, frame_tokens=size.most)

    def release(self) -> None:
        """After running out of memory, once nothing of the batch is held any more: all but the model is given back."""
        self._frames.clear()
        gc.collect()
        if self.device != "cpu":
            torch.cuda.empty_cache()

    def forget(self, lease: int) -> None:
        """The lease has ended: its frames are not shown again."""
        self._frames.forget(lease)

    def _prepare(self, questions: Sequence[Question], on_step: Callable[[int], None]) -> Inputs:
        """What goes wrong before the device is used says nothing about the device."""
        size = self._sizing.of(questions[0].run.recipe)
        try:
            frames = self._frames.of(questions, size, lambda: on_step(0))
            return self._family.prepare([_asked(*row) for row in zip(questions, frames, strict=True)])
        except (ValueError, TypeError, LookupError) as error:
            raise Unprepared(f"{type(error).__name__}: {error}"[:500]) from error

    def _held(self, recipe: Recipe) -> tuple[Guide | None, list[list[int]]]:
        """What answers are held to, and the tokens of what is chosen between."""
        try:
            return self._grammars.guide(recipe.grammar), self._options.tokens(recipe.options)
        except (UnusableGrammar, UnusableOptions) as error:
            raise Unprepared(str(error)) from error

    def explain(self, error: BaseException) -> Failure | None:
        """What an error of `answer` means for its windows; None when the device is lost with it.

        On a GPU every error but out-of-memory counts as the device's: after an illegal access or an assertion in
        a kernel all later results of the process are wrong, and the messages are not a closed list.
        """
        if is_out_of_memory(error):
            return Failure(Code.OUT_OF_MEMORY, "the device ran out of memory")
        if isinstance(error, Unprepared):
            return Failure(Code.GENERATION_FAILED, f"the question could not be put to the model: {error}")
        if self.device != "cpu":
            return None
        return Failure(Code.GENERATION_FAILED, f"{type(error).__name__}: {error}"[:500])


def _figures(path: str) -> Figures | None:
    """None where its configuration does not tell: then nothing is planned, and it is loaded all the same."""
    try:
        return figures_of(path)
    except WorkerError as error:
        logger.warning("what it takes is not known: %s", error.failure.reason)
        return None


def _automatic(figures: Figures | None, spec: ModelSpec, device: str, best: str) -> str:
    """The device's best float where the model and one window fit its memory, else nf4."""
    if device == "cpu" or figures is None:
        return best
    return plans.automatic(figures, spec.shape, device_bytes(), best)


def _asked(question: Question, frames: Sequence[Frame]) -> Asked:
    return Asked(question.prompt, frames, question.run.recipe.generation.max_new_tokens)


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
