"""config.toml, and whatever else sets a key → frozen settings: every mistake at once, with its dotted path.

settings    the keys; `kinds` what a value must look like, `keys` what is known of a key by its path
load        everything that may set a key, as `layers`: `places` (files, systemd), `given` (environment, command line)
problems    in plain words what is wrong; `lines` where in a file it stands
changes     what a reload can take over, and what waits for a restart; `live` the settings as they are now
check       what is legal and surely not meant; `toml` settings written down
"""

from vlmd.config.given import Given
from vlmd.config.kinds import DEMO_MODEL
from vlmd.config.live import Live
from vlmd.config.load import load_settings, parse_settings
from vlmd.config.pipeline import PipelineSettings
from vlmd.config.settings import (
    DeviceSettings,
    InboxSettings,
    LimitSettings,
    ModelSettings,
    PathSettings,
    Settings,
)
from vlmd.config.window import WindowSettings

__all__ = [
    "DEMO_MODEL",
    "DeviceSettings",
    "Given",
    "InboxSettings",
    "LimitSettings",
    "Live",
    "ModelSettings",
    "PathSettings",
    "PipelineSettings",
    "Settings",
    "WindowSettings",
    "load_settings",
    "parse_settings",
]
