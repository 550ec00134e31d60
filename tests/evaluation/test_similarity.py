"""A tiny BERT made on the fly says how alike texts are, in a process of its own."""

import pytest
from transformers import BertConfig, BertModel, BertTokenizerFast

from vlmd.core.errors import UsageError
from vlmd.evaluation.texts.similarity import similarities


def test_the_same_text_is_the_same_and_another_is_less(tmp_path):
    words = tmp_path / "vocab.txt"
    words.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]))
    BertTokenizerFast(vocab=str(words)).save_pretrained(tmp_path)
    config = BertConfig(vocab_size=13, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    BertModel(config).save_pretrained(tmp_path)
    same, other = similarities(tmp_path, [("a b", "a b"), ("a b", "g h")])
    assert same == pytest.approx(1.0, abs=1e-5)
    assert other < same


def test_a_folder_without_a_model_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match="cannot be used"):
        similarities(tmp_path, [("a", "b")])
