"""Phi-3(.5)-Vision: transformers' Phi-3 layers and CLIP tower under the names of the published weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers.cache_utils import Cache, DynamicCache
from transformers.generation import GenerationMixin
from transformers.masking_utils import create_causal_mask, create_sliding_window_causal_mask
from transformers.modeling_outputs import BaseModelOutputWithPast, BaseModelOutputWithPooling, CausalLMOutputWithPast
from transformers.models.phi3.modeling_phi3 import Phi3DecoderLayer, Phi3PreTrainedModel, Phi3RMSNorm
from transformers.utils.output_capturing import capture_outputs

from vlmd.worker.models.phi3v.configuration import Phi3VConfig
from vlmd.worker.models.phi3v.rope import LongRope
from vlmd.worker.models.phi3v.vision import ImageEmbedding


class Phi3VPreTrainedModel(Phi3PreTrainedModel):  # type: ignore[misc]
    """What transformers is to know of both classes below."""

    config_class = Phi3VConfig
    config: Phi3VConfig
    base_model_prefix = "model"
    input_modalities = ("image", "text")
    _no_split_modules = ("Phi3DecoderLayer", "ImageEmbedding")
    _keys_to_ignore_on_load_unexpected = (r"\.position_ids$",)

    @classmethod
    def from_pretrained(cls, path: Any, *args: Any, **options: Any) -> Any:
        """The published code has the word embeddings a second time, in the vision part; a file may hold either."""
        twice = {r"^model\.vision_embed_tokens\.wte\.": "model.embed_tokens."}
        return super().from_pretrained(path, *args, key_mapping={**twice, **options.pop("key_mapping", {})}, **options)


class Phi3VModel(Phi3VPreTrainedModel):
    """Embeddings, vision and layers, without the head."""

    def __init__(self, config: Phi3VConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.vision_embed_tokens = ImageEmbedding(config)
        self.layers = nn.ModuleList(Phi3DecoderLayer(config, index) for index in range(config.num_hidden_layers))
        self.norm = Phi3RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = LongRope(config)
        self.gradient_checkpointing = False
        self.post_init()

    def get_image_features(
        self, pixel_values: torch.Tensor | Sequence[torch.Tensor], image_sizes: torch.Tensor, **kwargs: Any
    ) -> BaseModelOutputWithPooling:
        """`pooler_output` holds each picture's (tokens, hidden); none depends on the others."""
        return BaseModelOutputWithPooling(pooler_output=self.vision_embed_tokens(pixel_values, image_sizes))

    @capture_outputs  # type: ignore[untyped-decorator]
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        pixel_values: torch.Tensor | Sequence[torch.Tensor] | None = None,
        image_sizes: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        mm_encoder_outputs: dict[str, Any] | None = None,
        rope_lengths: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """`rope_lengths` (rows): how many tokens each row may come to have, which decides its rope factors."""
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give one of input_ids and inputs_embeds")
        if inputs_embeds is None:
            inputs_embeds = self.embed_tokens(input_ids)
            inputs_embeds = self._with_pictures(
                input_ids, inputs_embeds, pixel_values, image_sizes, mm_encoder_outputs or {}
            )
        use_cache = self.config.use_cache if use_cache is None else use_cache
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        seen = past_key_values.get_seq_length() if past_key_values is not None else 0
        if position_ids is None:
            position_ids = _positions(inputs_embeds, attention_mask, seen)
        lengths = self._lengths(rope_lengths, position_ids, rows=inputs_embeds.shape[0], seen=seen)
        mask_of = create_causal_mask if self.config.sliding_window is None else create_sliding_window_causal_mask
        mask = mask_of(
            config=self.config,
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            position_ids=position_ids,
        )
        states = inputs_embeds
        rotation = self.rotary_emb(states, position_ids, lengths)
        for layer in self.layers:
            states = layer(
                states,
                attention_mask=mask,
                position_ids=position_ids,
                past_key_values=past_key_values,
                use_cache=use_cache,
                position_embeddings=rotation,
                **kwargs,
            )
        return BaseModelOutputWithPast(
            last_hidden_state=self.norm(states), past_key_values=past_key_values if use_cache else None
        )

    def _with_pictures(
        self,
        input_ids: torch.Tensor | None,
        embeddings: torch.Tensor,
        pixel_values: torch.Tensor | Sequence[torch.Tensor] | None,
        image_sizes: torch.Tensor | None,
        encoded: dict[str, Any],
    ) -> torch.Tensor:
        """`embeddings` (rows, tokens, hidden) with the pictures' tokens where their placeholders are."""
        features = encoded.get("image")
        if features is not None and pixel_values is not None:
            raise ValueError("give one of pixel_values and mm_encoder_outputs")
        if pixel_values is not None:
            if image_sizes is None:
                raise ValueError("pixel_values need image_sizes")
            features = self.get_image_features(pixel_values, image_sizes)
        if features is None:
            return embeddings
        tokens = torch.cat(list(features.pooler_output)).to(embeddings.device, embeddings.dtype)
        places = torch.eq(input_ids, self.config.image_token_id).to(embeddings.device)
        if int(places.sum()) != tokens.shape[0]:
            raise ValueError(f"{int(places.sum())} placeholders for {tokens.shape[0]} tokens of pictures")
        return embeddings.masked_scatter(places[..., None], tokens)

    def _lengths(self, given: torch.Tensor | None, position_ids: torch.Tensor, rows: int, seen: int) -> torch.Tensor:
        """(rows): as given; without a cache's keys to agree with, what a row has now."""
        if given is not None:
            return given.to(position_ids.device)
        if seen and self.rotary_emb.switch is not None:
            raise ValueError("the keys in a cache were rotated by one set of factors: say with rope_lengths which")
        return (position_ids.amax(dim=-1) + 1).expand(rows)


def _positions(embeddings: torch.Tensor, attention_mask: torch.Tensor | None, seen: int) -> torch.Tensor:
    """(rows or 1, tokens): counted from each row's first token, so that padding on the left moves nothing."""
    count = embeddings.shape[1]
    if attention_mask is None or attention_mask.ndim != 2:
        return (torch.arange(count, device=embeddings.device) + seen)[None]
    return (attention_mask.long().cumsum(dim=-1) - 1).clamp(min=0)[:, -count:].to(embeddings.device)


class Phi3VForCausalLM(Phi3VPreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """The architecture that the published config.json names."""

    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}  # noqa: RUF012 (transformers' own interface)

    def __init__(self, config: Phi3VConfig) -> None:
        super().__init__(config)
        self.model = Phi3VModel(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_image_features(
        self, pixel_values: torch.Tensor | Sequence[torch.Tensor], image_sizes: torch.Tensor, **kwargs: Any
    ) -> BaseModelOutputWithPooling:
        return self.model.get_image_features(pixel_values, image_sizes, **kwargs)

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        pixel_values: torch.Tensor | Sequence[torch.Tensor] | None = None,
        image_sizes: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        mm_encoder_outputs: dict[str, Any] | None = None,
        rope_lengths: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        outputs = self.model(
            input_ids=input_ids,
            pixel_values=pixel_values,
            image_sizes=image_sizes,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            mm_encoder_outputs=mm_encoder_outputs,
            rope_lengths=rope_lengths,
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        return CausalLMOutputWithPast(
            logits=self.lm_head(outputs.last_hidden_state[:, kept, :]),
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

    def generate(self, inputs: torch.Tensor | None = None, generation_config: Any = None, **kwargs: Any) -> Any:
        """As ever; `rope_lengths` (rows) may be given, and else is each row's prompt and `max_new_tokens`."""
        if kwargs.get("rope_lengths") is None:
            allowed = kwargs.get("max_new_tokens") or (generation_config or self.generation_config).max_new_tokens
            kwargs["rope_lengths"] = _longest(inputs, kwargs, allowed)
        return super().generate(inputs, generation_config=generation_config, **kwargs)


def _longest(inputs: torch.Tensor | None, kwargs: dict[str, Any], allowed: int | None) -> torch.Tensor:
    """(rows): how long each row may become."""
    if allowed is None:
        raise ValueError("generate needs max_new_tokens or rope_lengths: how long a row may become decides its factors")
    if (mask := kwargs.get("attention_mask")) is not None:
        lengths: torch.Tensor = mask.long().sum(dim=-1)
        return lengths + allowed
    ids = next(ids for ids in (inputs, kwargs.get("input_ids"), kwargs.get("inputs_embeds")) if ids is not None)
    return torch.full((ids.shape[0],), ids.shape[1] + allowed, device=ids.device)
