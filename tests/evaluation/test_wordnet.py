"""A WordNet of two meanings, in its own format: synonyms are found, also of inflected forms."""

from vlmd.evaluation.texts.meteor import find_wordnet, meteor
from vlmd.evaluation.texts.wordnet import WordNet


def small_wordnet(folder):
    head = "  1 This is WordNet 3.0 in part\n"
    line = "%08d 00 n 02 dog 0 hound 0 000 | an animal\n"
    (folder / "data.noun").write_text(head + line % len(head))
    (folder / "index.noun").write_text(f"dog n 1 0 1 1 {len(head):08d}\nhound n 1 0 1 1 {len(head):08d}\n")
    (folder / "noun.exc").write_text("dogges dog\n")
    for part in ("verb", "adj", "adv"):
        (folder / f"data.{part}").write_text("")
        (folder / f"index.{part}").write_text("")
    return folder


def test_synonyms(tmp_path):
    folder = small_wordnet(tmp_path)
    assert find_wordnet(str(folder)) == folder
    for word in ("dog", "Dogs", "dogges"):
        assert [one.words for one in WordNet(folder).synsets(word)] == [("dog", "hound")]
    assert WordNet(folder).synsets("cat") == []
    title, score = meteor(folder)
    assert title == "METEOR, WordNet 3.0"
    assert score("a hound", "a dog") > meteor(None)[1]("a hound", "a dog") > 0
