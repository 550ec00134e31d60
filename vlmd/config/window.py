"""[pipelines.NAME.window]: which stretches of a video are shown to the model, and which pictures of each.

What means nothing under the section's plan is refused, so that nobody waits for an effect that never comes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from vlmd.config.section import Section
from vlmd.core.video import seconds_to_ms
from vlmd.core.windows import FrameRule, ScenesPlan, SlidingPlan, SpansPlan, WholePlan, WindowPlan

WINDOW_PICTURES = 1000
"""Most pictures one window may show."""
WINDOW_OVERLAP = 100
"""Most windows one picture may be part of."""

PlanName = Literal["sliding", "scenes", "whole", "spans"]

_PLANS_OF: dict[str, tuple[PlanName, ...]] = {
    "length": ("sliding",),
    "step": ("sliding",),
    "fps": ("sliding", "whole", "spans"),
    "from_": ("sliding", "scenes", "whole"),
    "until": ("sliding", "scenes", "whole"),
    "frames": ("scenes", "whole", "spans"),
    "min_frames": ("whole", "spans"),
    "max_frames": ("whole", "spans"),
    "context": ("spans",),
    "around": ("spans",),
    "threshold": ("scenes",),
    "shortest": ("scenes",),
}
"""Under which plans a key means something."""
_FRAMES = {"scenes": 2, "whole": 8, "spans": 8}
"""Pictures of a window where neither `frames` nor bounds are given."""

Frames = Annotated[int, Field(ge=1, le=WINDOW_PICTURES)]


class WindowSettings(Section):
    """All in seconds, but for `fps`, numbers of frames and `threshold`."""

    plan: PlanName = "sliding"
    length: Annotated[float, Field(ge=0.04, le=3600)] = 3.0
    step: Annotated[float, Field(ge=0.04, le=3600)] = 2.0
    fps: Annotated[float, Field(ge=0.001, le=120)] = 5.0
    from_: Annotated[float, Field(ge=0, le=1_000_000, alias="from")] = 0.0
    until: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    frames: Frames | None = None
    min_frames: Frames | None = None
    max_frames: Frames | None = Field(default=None, validate_default=True)
    context: Annotated[float, Field(ge=0, le=3600)] = 0.5
    around: str | None = None
    """The pipeline whose findings are looked at again; None takes the moments that came with the video."""
    threshold: Annotated[float, Field(gt=0, le=255)] = 27.0
    shortest: Annotated[float, Field(ge=0.04, le=3600)] = 2.0

    @field_validator("*")
    @classmethod
    def _means_something(cls, value: object, info: ValidationInfo) -> object:
        """What is not its default has to belong to the plan."""
        plans, plan = _PLANS_OF.get(str(info.field_name)), info.data.get("plan")
        if plans and plan and plan not in plans and value != cls.model_fields[str(info.field_name)].default:
            raise ValueError(f'means nothing where plan = "{plan}"; it belongs to {" and ".join(plans)}; leave it out')
        return value

    @field_validator("step")
    @classmethod
    def _bounded_overlap(cls, step: float, info: ValidationInfo) -> float:
        length = info.data.get("length")
        if length is not None and length > step * WINDOW_OVERLAP:
            raise ValueError(
                f"expected at least a hundredth of the length ({length / WINDOW_OVERLAP:g}), not {step:g}: "
                f"every picture would be shown in more than {WINDOW_OVERLAP} windows"
            )
        return step

    @field_validator("fps")
    @classmethod
    def _bounded_pictures(cls, fps: float, info: ValidationInfo) -> float:
        length = info.data.get("length")
        if length is not None and length * fps > WINDOW_PICTURES:
            raise ValueError(
                f"{length:g} seconds at {fps:g} pictures per second are more than the {WINDOW_PICTURES} "
                "pictures a window may show; lower fps or length"
            )
        return fps

    @field_validator("until")
    @classmethod
    def _after_from(cls, until: float | None, info: ValidationInfo) -> float | None:
        begin = info.data.get("from_")
        if until is not None and begin is not None and seconds_to_ms(until) <= seconds_to_ms(begin):
            raise ValueError(f"expected a time after from ({begin:g}), not {until:g}")
        return until

    @field_validator("min_frames", "max_frames")
    @classmethod
    def _bounds_or_number(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("frames") is not None:
            raise ValueError("frames says exactly how many pictures a window shows; leave one of the two out")
        least = info.data.get("min_frames")
        if info.field_name == "max_frames" and (value is None) != (least is None):
            raise ValueError(
                "min_frames and max_frames go together: between them, fps says how many pictures are shown"
            )
        if info.field_name == "max_frames" and value is not None and least is not None and value < least:
            raise ValueError(f"expected at least min_frames ({least}), not {value}")
        return value

    @property
    def most_frames(self) -> int:
        """Most pictures that a window shows."""
        if self.plan == "sliding":
            return math.ceil(Fraction(str(self.length)) * Fraction(str(self.fps)))
        return self.frames or self.max_frames or _FRAMES[self.plan]

    def plan_for(self, spans_ms: Sequence[tuple[int, int]] = ()) -> WindowPlan:
        """The same in milliseconds, as the planner wants it. `spans_ms` are the moments of this one video.

        A video without any is looked at as a whole, unless they were to be found by another pipeline.
        """
        from_ms = seconds_to_ms(self.from_)
        until_ms = None if self.until is None else seconds_to_ms(self.until)
        match self.plan:
            case "sliding":
                length_ms, step_ms = seconds_to_ms(self.length), seconds_to_ms(self.step)
                return SlidingPlan(
                    length_ms=length_ms, step_ms=step_ms, fps=self.fps, from_ms=from_ms, until_ms=until_ms
                )
            case "scenes":
                return ScenesPlan(
                    frames=self.most_frames,
                    threshold=self.threshold,
                    shortest_ms=seconds_to_ms(self.shortest),
                    from_ms=from_ms,
                    until_ms=until_ms,
                )
            case "spans" if spans_ms or self.around is not None:
                context_ms = seconds_to_ms(self.context)
                return SpansPlan(spans_ms=sorted(spans_ms), rule=self._rule, context_ms=context_ms)
            case _:
                return WholePlan(rule=self._rule, from_ms=from_ms, until_ms=until_ms)

    @property
    def _rule(self) -> FrameRule:
        if self.min_frames is not None and self.max_frames is not None:
            return FrameRule(least=self.min_frames, most=self.max_frames, fps=self.fps)
        return FrameRule(least=self.most_frames, most=self.most_frames)
