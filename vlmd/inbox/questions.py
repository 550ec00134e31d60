"""Files of questions in the inbox: which videos they speak of, and the jobs that follow.

A sidecar lies beside its video and is called like it: match.mp4.json or match.json. Anything else is a manifest. The
videos it names are looked for as they are written, from the manifest's folder, the pipeline's inbox folder and its
`videos` folder; then by name alone, below the latter two. Nothing outside of these is ever looked at.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from vlmd.config import PipelineSettings
from vlmd.core import names
from vlmd.core.errors import Code, Failure, MediaError
from vlmd.core.inputs import Inputs
from vlmd.core.tasks import prompts
from vlmd.core.video import FileRef
from vlmd.manifests import MAX_BYTES, SUFFIXES, Manifest, Refused, Sample, read_manifest
from vlmd.media.opening import identify, open_video
from vlmd.store import collections, files

_NAMED = 5
"""Problems, or missing videos, that are told one by one."""


ENDINGS = tuple(map(str.encode, SUFFIXES))


class Asked(msgspec.Struct, frozen=True):
    """What a file of questions comes to."""

    jobs: list[files.NewJob]
    failure: Failure | None
    """What is wrong with some of it, or all."""
    collected: files.Collected | None
    """The samples of a manifest; nothing of a sidecar."""


def is_questions(path: bytes) -> bool:
    return os.path.splitext(path)[1].lower() in ENDINGS


def sidecars(video: bytes) -> list[bytes]:
    """What a video's sidecar may be called."""
    return [base + suffix.encode() for base in (video, os.path.splitext(video)[0]) for suffix in SUFFIXES]


def beside(path: bytes, videos: Iterable[bytes]) -> bytes | None:
    """The video among these that a file of questions is the sidecar of."""
    return next((video for video in videos if path in sidecars(video)), None)


class Unsettled(Exception):
    """A video that is asked about may still grow: to be asked again."""


def ask(
    file: FileRef,
    pipeline: str,
    settings: PipelineSettings,
    folder: bytes,
    origin: str,
    limit: int | None = None,
    unsettled: Collection[bytes] = (),
) -> Asked:
    """The jobs of a file of questions, for a pipeline whose inbox folder is `folder`.

    Raises `MediaError`, and `Unsettled` where a video is among those that may still grow.
    """
    manifest = read_manifest(_content(file), os.path.splitext(os.fsdecode(file.path))[1].lower(), limit)
    here = os.path.dirname(file.path)
    siblings = _listed(here)
    own = _own(file.path, here, siblings)
    source = _Source(file, pipeline, origin, folder if origin == "inbox" else here, siblings)
    search = _Search([here, folder, *([] if settings.videos is None else [os.fsencode(settings.videos)])])
    jobs, missing = [], []
    without = {number: row.reason for number, row in manifest.refused.items()}
    for number, sample in manifest.samples.items():
        found = search.find(sample.video) if sample.video else own
        if problem := lacking(sample.inputs, settings):
            without[number] = problem
        elif found is None:
            missing.append(number)
        elif found.path in unsettled:
            raise Unsettled
        else:
            jobs.append(source.job(found, manifest, number))
    failure = _failure(manifest, without, missing)
    without |= dict.fromkeys(missing, "its video is missing")
    return Asked(jobs, failure, source.collected(manifest, without) if _is_manifest(manifest) else None)


def _is_manifest(manifest: Manifest) -> bool:
    """Whether it names videos; what does not is a sidecar, also while its video is not there yet."""
    rows: list[Sample | Refused] = [*manifest.samples.values(), *manifest.refused.values()]
    return any(row.video for row in rows)


def _own(path: bytes, here: bytes, siblings: Sequence[bytes]) -> FileRef | None:
    """The video that a file of questions lies beside, and is called like."""
    alike = beside(path, [os.path.join(here, name) for name in siblings if not is_questions(name)])
    return None if alike is None else _regular(here, alike)


class _Source:
    """A file of questions, and where what comes of it is to lie."""

    def __init__(self, file: FileRef, pipeline: str, origin: str, root: bytes, siblings: Sequence[bytes]) -> None:
        stem, _ = os.path.splitext(file.path)
        called = [os.path.splitext(name)[0] for name in siblings if is_questions(name)]
        self._file = file
        self._pipeline = pipeline
        self._origin = origin
        plain = called.count(os.path.basename(stem)) < 2
        self._stem = os.path.relpath(stem if plain else file.path, root)

    def job(self, video: FileRef, manifest: Manifest, number: int) -> files.NewJob:
        sample, told = manifest.samples[number], names.shown(os.path.basename(video.path))
        if len(manifest.samples) == 1 and not sample.video:
            base = names.result_base(os.path.join(os.path.dirname(self._stem), os.path.basename(video.path)))
        else:
            base = f"{names.result_base(self._stem)}/{names.result_component(os.fsencode(manifest.name(number)))}"
        return files.NewJob(
            file=video,
            origin=self._origin,
            pipeline=self._pipeline,
            name=told if sample.inputs.id is None else f"{told} ({names.shown(sample.inputs.id)})",
            base=f"{self._pipeline}/{base}",
            inputs=sample.inputs,
            once=True,
            sample=number,
        )

    def collected(self, manifest: Manifest, without: Mapping[int, str]) -> files.Collected:
        rows: dict[int, Sample | Refused] = {**manifest.samples, **manifest.refused}
        return files.Collected(
            source=self._file.path,
            base=f"{self._pipeline}/{names.result_base(self._stem)}",
            pipeline=self._pipeline,
            samples=[
                collections.Sampled(
                    number=number, name=manifest.name(number), video=rows[number].video, reason=without.get(number)
                )
                for number in sorted(rows)
            ],
        )


def clash(base: str, other: bytes) -> Failure:
    """Why a manifest is not taken whose results would lie under `base`, where those of `other` do."""
    told = f"its results would lie in {base}, where those of {names.shown(other)} do: it needs another name"
    return Failure(Code.BAD_QUESTIONS, told)


def _content(file: FileRef) -> bytes:
    if file.identity.size > MAX_BYTES:
        raise MediaError(Code.BAD_QUESTIONS, f"it has {file.identity.size} bytes; at most {MAX_BYTES} are read")
    with os.fdopen(open_video(file), "rb") as opened:
        return opened.read(MAX_BYTES)


def lacking(inputs: Inputs, pipeline: PipelineSettings) -> str | None:
    """What a pipeline needs and a video does not bring; None where it has everything."""
    if inputs.prompt and (unknown := prompts.unknown_variables(inputs.prompt, pipeline.known_variables)):
        return f"nothing can be filled in for {', '.join(f'{{{name}}}' for name in unknown)} of its prompt"
    if pipeline.task == "choice" and not (inputs.choices or pipeline.choices):
        return "it has no choices"
    asks = "question" in prompts.variables(inputs.prompt or pipeline.template)
    return "it has no question" if asks and not (inputs.question or pipeline.question) else None


def _failure(manifest: Manifest, without: Mapping[int, str], missing: Sequence[int]) -> Failure | None:
    """What is wrong with single samples, the first few one by one, and which videos are missing."""
    told = [manifest.problem] if manifest.problem else []
    told += [f"sample {number}: {reason}" for number, reason in sorted(without.items())[:_NAMED]]
    if len(without) > _NAMED:
        told.append(f"and {len(without) - _NAMED} more samples are wrong")
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        called = [manifest.samples[number].video or f"sample {number} without a video" for number in missing[:_NAMED]]
        listed = ", ".join(map(names.shown, called))
        told.append(f"{len(missing)} of {len(manifest.samples)} videos are missing: {listed}{more}")
    return Failure(Code.BAD_QUESTIONS, "; ".join(told)) if told else None


def _listed(folder: bytes) -> list[bytes]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []  # then nothing is found there, which is told of every video


class _Search:
    """Finds videos by the names that manifests have for them, below some folders."""

    def __init__(self, places: Sequence[bytes]) -> None:
        self._places = list(dict.fromkeys(places))
        self._by_name: dict[bytes, FileRef] | None = None

    def find(self, video: str) -> FileRef | None:
        if not video or "\0" in video:
            return None
        written = os.fsencode(video)
        for place in self._places:
            path = os.path.normpath(os.path.join(place, written))
            if path.startswith(place + b"/") and (found := _regular(place, path)):
                return found
        return self._named.get(os.path.basename(written))

    @property
    def _named(self) -> dict[bytes, FileRef]:
        """Every video by its name, and by its name without suffix; of several, the first by path."""
        if self._by_name is None:
            self._by_name = {}
            for place in self._places:
                for folder, below, found in os.walk(place):
                    below.sort()
                    for name in sorted(found):
                        path = os.path.join(folder, name)
                        if not is_questions(name) and (ref := _regular(place, path)):
                            self._by_name.setdefault(name, ref)
                            self._by_name.setdefault(os.path.splitext(name)[0], ref)
        return self._by_name


def _regular(root: bytes, path: bytes) -> FileRef | None:
    """The file, if it may be used: nothing on the way is a link."""
    try:
        return FileRef(root, path, identify(root, path))
    except MediaError:
        return None
