"""What the hub tells of a repository is text from outside: nothing in it leads out of the folder."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vlmd.weights.hub.listing import parse_listing
from vlmd.weights.hub.refusals import HubError

COMMIT = "a" * 40


def told(*names: str, **changed: Any) -> bytes:
    siblings = [{"rfilename": name, "size": 3, "blobId": "x"} for name in names]
    return json.dumps({"sha": COMMIT, "siblings": siblings, "new-key": {}} | changed).encode()


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"[]", b"{}", told(sha="../x"), told(sha="A" * 40), told(sha=3), told(siblings=3)]
)
def test_an_answer_that_makes_no_sense(content: bytes) -> None:
    with pytest.raises(HubError, match=r"owner/name.*is HF_ENDPOINT a hub\?"):
        parse_listing(content, "owner/name")


def test_names_that_lead_elsewhere_are_never_wanted() -> None:
    names = (
        "../config.json",
        "/etc/config.json",
        "a/../config.json",
        "qformer_tokenizer/../../config.json",
        "..",
        ".",
        "",
    )
    listing = parse_listing(told(*names, "config.json", "qformer_tokenizer/vocab.txt", "x.py"), "owner/name")
    assert [file.name for file in listing.wanted([])] == ["config.json", "qformer_tokenizer/vocab.txt"]


def test_a_file_without_a_size() -> None:
    with pytest.raises(HubError, match="does not tell the size of config"):
        parse_listing(told(siblings=[{"rfilename": "config.json"}]), "owner/name")


def test_one_file_of_weights_goes_before_an_index() -> None:
    names = ("model.safetensors", "model.safetensors.index.json", "a.safetensors", "consolidated.safetensors")
    listing = parse_listing(told(*names), "owner/name")
    assert not listing.needs_index
    assert [file.name for file in listing.wanted([])] == ["model.safetensors.index.json", "model.safetensors"]
    parts = parse_listing(told(*names[1:]), "owner/name")
    assert parts.needs_index
    assert [file.name for file in parts.wanted(["a.safetensors"])][-1] == "a.safetensors"
