"""[pipelines.NAME.generation]: how a model's answers are generated.

What would change nothing is refused, so that two sections that generate the same way read the same.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from vlmd.config.kinds import Seconds
from vlmd.config.section import Section
from vlmd.core.recipe import DRAW_RULE, Generation

LEAST_TEMPERATURE = 0.01
"""Below, dividing by it may leave the range of numbers, and the likeliest token is drawn anyway."""
MOST_TOKENS = 65536


class GenerationSettings(Section):
    max_new_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS)] = 256
    min_new_tokens: Annotated[int, Field(ge=0, le=MOST_TOKENS)] = 0
    repetition_penalty: Annotated[float, Field(ge=1, le=10)] = 1.0
    beams: Annotated[int, Field(ge=1, le=32)] = 1
    temperature: Annotated[float, Field(ge=0, le=10)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    seconds: Seconds | None = None

    @field_validator("min_new_tokens")
    @classmethod
    def _least_below_most(cls, value: int, info: ValidationInfo) -> int:
        most = info.data.get("max_new_tokens")
        if most is not None and value > most:
            raise ValueError(f"expected at most max_new_tokens ({most}), not {value}")
        return value

    @field_validator("temperature")
    @classmethod
    def _drawn_or_searched(cls, value: float, info: ValidationInfo) -> float:
        if 0 < value < LEAST_TEMPERATURE:
            raise ValueError(f"expected 0, which draws nothing, or at least {LEAST_TEMPERATURE}, not {value:g}")
        beams = info.data.get("beams", 1)
        if value and beams > 1:
            raise ValueError(f"{beams} beams are searched without drawing; set beams to 1 or temperature to 0")
        return value

    @field_validator("top_p", "seed")
    @classmethod
    def _only_when_drawn(cls, value: float, info: ValidationInfo) -> float:
        name = str(info.field_name)
        if info.data.get("temperature") == 0 and value != cls.model_fields[name].default:
            raise ValueError("changes nothing at temperature 0, where nothing is drawn; raise that or leave this out")
        return value

    def plan(self) -> Generation:
        """The same as part of a recipe."""
        return Generation(**self.model_dump(), draw_rule=DRAW_RULE if self.temperature else 0)
