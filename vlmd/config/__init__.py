"""config.toml → frozen settings: every mistake at once, each with its dotted path and what was expected.

`settings` declares the keys, `kinds` what a value must look like, `load` finds and reads the file, `problems`
says in plain words what is wrong with it.
"""

from vlmd.config.kinds import DEMO_MODEL
from vlmd.config.load import load_settings, parse_settings
from vlmd.config.settings import (
    DeviceSettings,
    InboxSettings,
    LimitSettings,
    ModelSettings,
    PathSettings,
    PipelineSettings,
    Settings,
    WindowSettings,
)

__all__ = [
    "DEMO_MODEL",
    "DeviceSettings",
    "InboxSettings",
    "LimitSettings",
    "ModelSettings",
    "PathSettings",
    "PipelineSettings",
    "Settings",
    "WindowSettings",
    "load_settings",
    "parse_settings",
]
