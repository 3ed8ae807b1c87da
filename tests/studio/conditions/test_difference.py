"""What is another than it was, said so that a person can do something about it."""

import assets
from studio.conditions.difference import differences, sentence
from studio.conditions.record import RecordedFile, RecordedSource, RunConditions

HERE = str(assets.FAMILY)
ELSEWHERE = "/models"


def source(folder, weights):
    file = RecordedFile(path=f"{folder}/unet.safetensors", inode=1, size=8, modified=0, changed=0)
    return RecordedSource(weights={"unet": weights}, files=(file,))


def test_a_family_that_was_trained_anew_since_is_one_kind_sentence():
    then = RunConditions(sources={name: source(HERE, "old") for name in ("ja", "real")})
    now = RunConditions(sources={name: source(HERE, "new") for name in ("ja", "real")})
    (found,) = differences(then, now)
    assert found.kind == "family"
    assert sentence("en", found).startswith("ja, real came with the studio and have been trained anew since.")
    assert "学習し直されています" in sentence("ja", found)


def test_a_file_of_ones_own_beside_them_is_named_with_its_hashes():
    then = RunConditions(sources={"ja": source(HERE, "old"), "mine": source(ELSEWHERE, "a" * 64)})
    now = RunConditions(sources={"ja": source(HERE, "new"), "mine": source(ELSEWHERE, "b" * 64)})
    family, mine = differences(then, now)
    assert (family.kind, family.name, mine.kind) == ("family", "ja", "weights")
    assert "sha256 aaaaaaaaaaaa" in sentence("en", mine)


def test_a_family_that_is_what_it_was_is_no_difference():
    then = RunConditions(sources={"ja": source(HERE, "same")})
    assert differences(then, then) == []
