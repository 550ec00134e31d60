"""What a repository holds, and which of its files vlmd loads: an allow-list, so nothing that could run comes along."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from vlmd.core.hub_names import is_commit
from vlmd.weights.checkpoint import INDEX, SINGLE
from vlmd.weights.hub.refusals import HubError

_LOADED = re.compile(
    r"config\.json|generation_config\.json|model\.safetensors\.index\.json"
    r"|(preprocessor|processor|video_preprocessor|image_processor|audio_processor|feature_extractor)(_config)?\.json"
    r"|tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|tokenizer\.model"
    r"|vocab\.json|vocab\.txt|merges\.txt|spiece\.model|sentencepiece\.bpe\.model|[\w-]+\.tiktoken"
    r"|chat_template\.(json|jinja)|[\w-]+\.jinja"
)
_FOLDERS = re.compile(r"(qformer_tokenizer|additional_chat_templates)/")
"""The folders of a repository that are looked into: InstructBLIP's second tokenizer, further chat templates."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository, with the sha256 of a large one, or git's own digest (`blob`) of a small one."""

    name: str
    size: int
    sha256: str | None
    blob: str | None


@dataclass(frozen=True)
class Listing:
    """A repository at one commit."""

    commit: str
    files: dict[str, HubFile]

    @property
    def names(self) -> frozenset[str]:
        """The files at the top, as `judging` wants them."""
        return frozenset(name for name in self.files if "/" not in name)

    def wanted(self, shards: Collection[str]) -> list[HubFile]:
        """What is fetched, weights last. `shards` are the weight files that the index names."""
        weights = {SINGLE} if SINGLE in self.files else set(shards)
        small = [file for name, file in self.files.items() if name not in weights and is_loaded(name)]
        return [*small, *(self._existing(name) for name in sorted(weights))]

    @property
    def needs_index(self) -> bool:
        return SINGLE not in self.files and INDEX in self.files

    def _existing(self, name: str) -> HubFile:
        if name not in self.files:
            raise HubError(f"its index names {name}, which is not there; take another revision or repository")
        return self.files[name]


def is_loaded(name: str) -> bool:
    """Whether a file, other than weights, is one that vlmd loads."""
    folder = _FOLDERS.match(name)
    return bool(_LOADED.fullmatch(name[folder.end() :] if folder else name))


def parse_listing(content: bytes, name: str) -> Listing:
    """The hub's description of a model. Raises `HubError` where it makes no sense."""
    try:
        told = msgspec.json.decode(content, type=_Told)
    except msgspec.DecodeError as error:
        raise HubError(f"the hub's answer about {name} makes no sense ({error}); is HF_ENDPOINT a hub?") from error
    if not is_commit(told.sha):
        raise HubError(f"the hub names no commit of {name}; is HF_ENDPOINT a hub?")
    return Listing(told.sha, {file.rfilename: _file(file, name) for file in told.siblings if _matters(file.rfilename)})


class _Lfs(msgspec.Struct):
    sha256: str
    size: int


class _Sibling(msgspec.Struct):
    rfilename: str
    size: int | None = None
    blobId: str | None = None
    lfs: _Lfs | None = None


class _Told(msgspec.Struct):
    sha: str
    siblings: Sequence[_Sibling] = ()


def _file(told: _Sibling, name: str) -> HubFile:
    if told.lfs is not None:
        return HubFile(told.rfilename, told.lfs.size, told.lfs.sha256, None)
    if told.size is None:
        raise HubError(f"the hub does not tell the size of {told.rfilename} of {name}; try again later")
    return HubFile(told.rfilename, told.size, None, told.blobId)


def _matters(name: str) -> bool:
    """Files at the top, for what is judged; and in the folders that are looked into."""
    return "/" not in name or is_loaded(name)
