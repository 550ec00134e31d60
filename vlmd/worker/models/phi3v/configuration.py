"""The published config.json of Phi-3(.5)-Vision, read without the code beside it."""

from __future__ import annotations

from typing import Any

from transformers import CLIPVisionConfig, Phi3Config

IMAGE_TOKEN_ID = 32044
"""`<|image|>` of the published tokenizer; no published config names it."""

_TOWER = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "num_channels": 3,
    "image_size": 336,
    "patch_size": 14,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
"""CLIP ViT-L/14-336: config.json only names it; a smaller tower says in `img_processor` what it has otherwise."""

_EMBEDDING = {"use_hd_transform": True, "with_learnable_separator": True, "hd_transform_order": "sub_glb"}


class Phi3VConfig(Phi3Config):  # type: ignore[misc]
    """A language model of Phi-3, and in `img_processor` and `embd_layer` what is put before it."""

    model_type = "phi3_v"

    sliding_window: int | None = None
    img_processor: dict[str, Any] | None = None
    embd_layer: dict[str, Any] | None = None
    image_token_id: int = IMAGE_TOKEN_ID

    def __post_init__(self, **kwargs: Any) -> None:
        self.img_processor = self.img_processor or {}
        self.embd_layer = self.embd_layer or dict(_EMBEDDING)
        _refuse_other_rope(kwargs.get("rope_scaling") or self.rope_parameters or {})
        super().__post_init__(**kwargs)
        self.rope_parameters.pop("type", None)  # the published name of what is "longrope" now
        self.standardize_rope_params()
        if self.sliding_window is not None and self.sliding_window >= self.max_position_embeddings:
            self.sliding_window = None  # published as wider than any prompt: it never slides, but costs the fast masks
        _refuse_other_kinds(self)

    @property
    def tower(self) -> CLIPVisionConfig:
        """The vision tower's own config, with the same attention as the language model."""
        given = self.img_processor or {}
        own = {name: given.get(name, value) for name, value in _TOWER.items()}
        own["hidden_size"] = given.get("image_dim_out", own["hidden_size"])
        config = CLIPVisionConfig(**own)
        config._attn_implementation = self._attn_implementation
        return config

    @property
    def tile(self) -> int:
        """Edge of the squares that a picture is cut into, in pixels."""
        return int(self.tower.image_size)

    @property
    def tile_side(self) -> int:
        """Rows, and columns, of tokens in a square: two by two patches make one."""
        return int(self.tower.image_size) // int(self.tower.patch_size) // 2


def _refuse_other_rope(given: dict[str, Any]) -> None:
    """Transformers takes "yarn" for "longrope" in Phi-3's configs; as published it is scaled otherwise."""
    kind = given.get("rope_type", given.get("type", "default"))
    if kind not in ("su", "longrope", "default"):
        raise ValueError(f"rope_scaling is of type {kind!r}; only 'su' and 'longrope' are supported")


def _refuse_other_kinds(config: Phi3VConfig) -> None:
    """Only what was published is written down here; another arrangement would run, and be wrong."""
    embedding, tower = config.embd_layer or {}, config.img_processor or {}
    for name, value in _EMBEDDING.items():
        if embedding.get(name, value) != value:
            raise ValueError(f"embd_layer.{name} is {embedding[name]!r}; only {value!r} is supported")
    for name, value in {"layer_idx": -2, "type_feature": "patch"}.items():
        if tower.get(name, value) != value:
            raise ValueError(f"img_processor.{name} is {tower[name]!r}; only {value!r} is supported")
