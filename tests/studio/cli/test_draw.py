"""`m2n2 draw` on a real model: what it writes, and what it refuses."""

import json
import os
import signal

import pytest

import assets
from pipelines.generation.live_pipeline import LivePipeline, PictureRequest
from pipelines.generation.settings import GenerationSettings
from pipelines.storage.pictures import read_picture
from studio.cli import console
from studio.evaluation.open_scorer import open_scorer
from studio.library.model_reference import open_model
from studio.png_metadata import generation_data

JA = assets.FAMILY / "ja"
OTHER = "(犬)の絵 [大]"  # reads as markup where nobody sees to it


@pytest.fixture(scope="module")
def live():
    return LivePipeline(*open_model(str(JA)))


def test_the_best_of_what_was_tried_comes_first(m2n2, live, tmp_path):
    asked = ["draw", JA, "--prompt", "犬", "--budget", 6, "--search", "ab-mcts", "--wording", OTHER, "--seed", 7]
    done, told = m2n2(*asked, "--pictures", "draft", "--out", tmp_path / "out", "--json", json_output=True)
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "out" / "tried.json").read_text("utf-8"))
    assert told == {**written, "path": str(tmp_path / "out")}
    assert (written["format"], written["language"], written["search"]) == ("m2n2-drawing", "ja", "ab-mcts")
    assert str(assets.FAMILY.parent) not in json.dumps(written)
    tried = written["tried"]
    assert [row["score"] for row in tried] == sorted((row["score"] for row in tried), reverse=True)
    assert sorted(row["number"] for row in tried) == list(range(6))
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == [row["file"] for row in tried]

    (first,) = (row for row in tried if row["number"] == 0)
    assert (first["seed"], first["guidance"], first["steps"], first["prompt"]) == (7, 3.0, 4, "犬")
    scorer = open_scorer(f"local-dir:{assets.JUDGE}")
    for row in tried:
        picture, data = read_picture(tmp_path / "out" / row["file"]), generation_data(tmp_path / "out" / row["file"])
        assert {key: data[key] for key in ("seed", "guidance", "steps", "prompt")} == {
            key: row[key] for key in ("seed", "guidance", "steps", "prompt")
        }
        assert (data["language"], data["individual"], data["recipe"]) == ("ja", "ja", written["recipe"])
        assert scorer.score([picture], ["犬"])[0] == row["score"]  # by the prompt as asked, whatever was drawn
    data = generation_data(tmp_path / "out" / tried[0]["file"])
    settings = GenerationSettings(steps=data["steps"], guidance=data["guidance"], batch=1)
    again = live.generate([PictureRequest(data["prompt"], data["seed"])], settings)[0]
    assert again.tobytes() == read_picture(tmp_path / "out" / "001.png").tobytes()


def test_a_table_shows_the_best_and_what_was_asked_for(m2n2, tmp_path):
    asked = [
        "draw",
        JA,
        "--prompt",
        OTHER,
        "--budget",
        2,
        "--pictures",
        "draft",
        "--scorer",
        f"local-dir:{assets.JURY}",
    ]
    done = m2n2(*asked, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "(as asked)" in done.stdout
    assert "[大]" in done.stdout
    assert done.stdout.splitlines()[-1] == str(tmp_path / "out")
    done = m2n2(*asked, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "exists already. Expected a new or empty folder" in done.stderr


def test_what_cannot_be_searched_is_refused(m2n2, tmp_path):
    done = m2n2("draw", JA, "--prompt", " ", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.startswith("error: A prompt is blank. Expected what to draw")
    done = m2n2("draw", JA, "--prompt", "犬", "--wording", "いぬ")
    assert done.returncode == 2
    assert "AB-MCTS alone" in done.stderr
    assert m2n2("draw", JA, "--prompt", "犬", "--budget", 0).returncode == 2
    assert not (tmp_path / "out").exists()


def test_the_first_interrupt_stops_and_the_second_ends():
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with console.first_interrupt_stops() as is_stopped:
            assert not is_stopped()
            os.kill(os.getpid(), signal.SIGINT)
            assert is_stopped()
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
