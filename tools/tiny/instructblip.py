"""Salesforce/instructblip-vicuna-7b, small: EVA-CLIP, a Q-Former with BERT's words, Llama; no chat template."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertTokenizerFast, InstructBlipConfig, InstructBlipForConditionalGeneration
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

from tiny.common import TEXTS, VOCABULARY, lively, seeded, tokenizer, write_json

QUERIES = 8
EDGE, PATCH = 56, 14


_OF_ANOTHER_LLAMA = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": -1}
"""As published: not the numbers of the tokenizer beside it."""


def make(folder: Path) -> None:
    seeded()
    words = tokenizer(["<image>", "<unk>"], "<s>", "</s>", "[PAD]", adds_begin=True)
    questions = _qformer_tokenizer()
    config = InstructBlipConfig(
        image_token_index=words.convert_tokens_to_ids("<image>"),
        num_query_tokens=QUERIES,
        tie_word_embeddings=False,
        vision_config={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": EDGE, "patch_size": PATCH,
        },
        qformer_config={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
            "encoder_hidden_size": 32, "vocab_size": len(questions), "max_position_embeddings": 64,
            "pad_token_id": questions.pad_token_id,
        },
        text_config={
            "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": VOCABULARY,
            "max_position_embeddings": 2048, **_OF_ANOTHER_LLAMA,
        },
    )  # fmt: skip
    model = InstructBlipForConditionalGeneration(config)
    lively(model)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    questions.save_pretrained(folder / "qformer_tokenizer")
    BlipImageProcessorPil(size={"height": EDGE, "width": EDGE}).save_pretrained(folder)
    write_json(
        folder / "processor_config.json", {"num_query_tokens": QUERIES, "processor_class": "InstructBlipProcessor"}
    )


def _qformer_tokenizer() -> BertTokenizerFast:
    """Word pieces without capitals, a text between [CLS] and [SEP]."""
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]"]
    trained = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    trained.normalizer = normalizers.BertNormalizer(lowercase=True)
    trained.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trained.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=256, special_tokens=marks))
    trained.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(mark, trained.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")]
    )
    return BertTokenizerFast(tokenizer_object=trained, bos_token="[DEC]")
