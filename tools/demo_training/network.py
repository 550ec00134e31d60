"""The model's shape, its tokenizer and its processor, all of stock transformers classes."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    PreTrainedTokenizerFast,
)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

FRAME_EDGE = 160
"""Longest edge, in pixels, of the pictures the processor expects."""
SIDE = 64
"""Height and width, in pixels, of what the vision tower sees."""
PATCH = 8
PATCHES = (SIDE // PATCH) ** 2
HIDDEN = 128

PAD, START, END = "<pad>", "<|im_start|>", "<end_of_utterance>"
IMAGE, AROUND, WHOLE = "<image>", "<fake_token_around_image>", "<global-img>"
SPECIAL = [PAD, START, END, IMAGE, AROUND, WHOLE]
VOCABULARY = 448
ONE_IMAGE = f"{AROUND}{WHOLE}{IMAGE}{AROUND}"
"""What the processor makes of one image tag: one token carries the picture."""

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] | capitalize + ':' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "<end_of_utterance>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


def build_processor(texts: list[str]) -> Idefics3Processor:
    """Processor with a byte-level vocabulary learned from `texts`; it squashes pictures to one square."""
    images = Idefics3ImageProcessorPil(
        size={"longest_edge": FRAME_EDGE},
        max_image_size={"longest_edge": SIDE},
        do_image_splitting=False,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        resample=2,
    )
    return Idefics3Processor(images, _tokenizer(texts), image_seq_len=1, chat_template=CHAT_TEMPLATE)


def _tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    words = pre_tokenizers.Split(Regex(r" ?\w+| ?[^\s\w]+|\s"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=SPECIAL, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=START,
        eos_token=END,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
    )


def build_model(tokenizer: PreTrainedTokenizerFast) -> Idefics3ForConditionalGeneration:
    """An untrained model of about 1.8 million parameters."""
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    vision = {
        "image_size": SIDE,
        "patch_size": PATCH,
        "hidden_size": HIDDEN,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    text = {
        "model_type": "llama",
        "vocab_size": len(tokenizer),
        "hidden_size": HIDDEN,
        "intermediate_size": 384,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 2048,
        "initializer_range": 0.05,
        "tie_word_embeddings": True,
        "pad_token_id": ids[PAD],
        "bos_token_id": ids[START],
        "eos_token_id": ids[END],
    }
    config = Idefics3Config(
        vision_config=vision,
        text_config=text,
        scale_factor=SIDE // PATCH,
        image_token_id=ids[IMAGE],
        tie_word_embeddings=True,
        pad_token_id=ids[PAD],
    )
    model = Idefics3ForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        pad_token_id=ids[PAD], bos_token_id=ids[START], eos_token_id=ids[END], do_sample=False
    )
    return model


def save(model: Idefics3ForConditionalGeneration, processor: Idefics3Processor, folder: Path) -> None:
    """Writes everything that `from_pretrained` needs; weights in bfloat16, which costs no accuracy."""
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # safetensors writes it for its owner alone
    processor.save_pretrained(folder)
