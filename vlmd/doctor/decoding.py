"""FFmpeg's version, and a real decoder in its real sandbox on a video made for it."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import msgspec

from vlmd.core.errors import MediaError
from vlmd.core.messages.decoder import DecodeLimits
from vlmd.core.video import FileRef
from vlmd.doctor.child import NoAnswer, ask
from vlmd.doctor.findings import Finding, Setting, fail, ok, warn
from vlmd.media.client import Decoder
from vlmd.media.opening import identify

_SECONDS = 60.0
_FFMPEG = (8, 1, 2)
"""The first that is not known to be taken over by a video (CVE-2026-8461)."""


def decoder(setting: Setting) -> list[Finding]:
    with tempfile.TemporaryDirectory(prefix="vlmd-doctor-") as folder:
        video = Path(folder).resolve() / "video.mp4"
        try:
            versions = ask("vlmd.media.probe", str(video), seconds=_SECONDS)
        except NoAnswer as error:
            return [fail("ffmpeg", f"PyAV cannot be used: {error}", "install the packages again (README)")]
        limits = setting.settings.limits.for_decoder()
        return [judged_version(versions["av"], versions["ffmpeg"]), sandbox(video, limits)]


def judged_version(av: str, ffmpeg: str) -> Finding:
    found = f"PyAV {av} with FFmpeg {ffmpeg}"
    numbers = re.match(r"n?(\d+)\.(\d+)(?:\.(\d+))?", ffmpeg)
    if numbers is None:
        return warn("ffmpeg", f"{found}, a version of its own", "use PyAV from PyPI, which brings a known FFmpeg")
    if tuple(int(number or 0) for number in numbers.groups()) < _FFMPEG:
        wanted = ".".join(map(str, _FFMPEG))
        return fail("ffmpeg", f"{found} has known holes", f"install PyAV with FFmpeg {wanted} or newer")
    return ok("ffmpeg", found)


def sandbox(video: Path, limits: DecodeLimits) -> Finding:
    """Whether a decoder, locked up as configured, reads a video; and what the kernel could not give."""
    check, root = "sandbox", os.fsencode(video.parent)
    relaxed = msgspec.structs.replace(limits, require_sandbox=False)
    try:
        file = FileRef(root, os.fsencode(video), identify(root, os.fsencode(video)))
        with Decoder.start(file, relaxed) as decoder:
            index = decoder.index()
            missing = decoder.missing_sandbox
    except MediaError as error:
        return fail(check, f"no decoder works here: {error.failure.reason}", error.failure.remedy)
    if not missing:
        return ok(check, f"a decoder read {len(index.pts)} pictures, locked up by Landlock and seccomp")
    found = f"this kernel does not offer {' and '.join(missing)}"
    remedy = "use Linux 5.13 or newer with Landlock, or set limits.require_sandbox = false where you trust every video"
    if limits.require_sandbox:
        return fail(check, f"{found}, so no video is decoded", remedy)
    return warn(check, f"{found}; videos are decoded without (limits.require_sandbox)", remedy)
