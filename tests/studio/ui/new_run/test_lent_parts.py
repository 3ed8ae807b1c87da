"""Parts that others than the host lend, as the form takes them."""

import shutil
from dataclasses import replace

import pytest

import assets
from studio.errors import ConfigError, RunError
from studio.runs.config import embedded
from studio.runs.database import make_database
from studio.ui.common.studio import Studio
from studio.ui.new_run.beginning import begin, check_open, cost
from studio.ui.new_run.form import form_of
from studio.ui.new_run.lent_parts import read_lent_parts, write_lent_parts


@pytest.fixture
def fix(tmp_path):
    return shutil.copytree(assets.sources()[0] / "vae", tmp_path / "fix")


def test_lines_are_read_and_written():
    text = "vae = models/fix.safetensors\n\n Text-Encoder-2＝owner/name\nmodels/whole.safetensors\n"
    host = {"vae": "models/fix.safetensors", "text_encoder_2": "owner/name", "default": "models/whole.safetensors"}
    assert read_lent_parts(text) == host
    assert read_lent_parts(write_lent_parts(host)) == host
    assert write_lent_parts({"default": "ja", "vae": "base"}) == "vae=base"


def test_both_text_encoders_and_their_tokenizers_have_one_word_in_form_and_run_file():
    four = dict.fromkeys(("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2"), "base")
    assert read_lent_parts("text_encoders=base") == four
    assert embedded(host={"default": "ja", "text_encoders": "base"}).host == {"default": "ja"} | four


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lungs=fix", "A part is taken by 'lungs=fix'. Expected PART=FILE, such as vae=models/fix.safetensors"),
        ("vae=", "A part is taken by 'vae='"),
        ("vae=a\nVAE=b", "vae is taken from two places"),
    ],
)
def test_what_is_no_part_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        read_lent_parts(text)


def test_the_form_asks_for_the_run_and_the_run_fills_the_form(fix):
    form = replace(form_of(embedded()), lent=f"vae={fix}\nscheduler=real")
    config = form.config()
    assert config.host == {"default": "ja", "vae": str(fix), "scheduler": "real"}
    assert form_of(config).config() == config
    whole = replace(form, lent=str(fix)).config()
    assert whole.host == {"default": str(fix)}
    assert form_of(whole).config() == whole


def test_a_fork_changes_what_is_lent_and_leaves_it_out(fix, tmp_path):
    config = replace(form_of(embedded()), lent=f"vae={fix}").config()
    config.save(tmp_path / "former" / "run.yaml")
    fork = form_of(config, fork=tmp_path / "former")
    assert fork.config().host == config.host
    assert replace(fork, lent="").config().host == {"default": "ja"}
    assert replace(fork, lent=f"scheduler=base\nvae={fix}").config().host == {**config.host, "scheduler": "base"}


def test_a_page_opens_no_lender_outside_of_the_open_folders(fix, tmp_path):
    """But that of the run which it forks."""
    closed = Studio(tmp_path / "studio" / "runs")
    form = replace(form_of(embedded()), lent=f"vae={fix}")
    with pytest.raises(RunError, match="lies outside"):
        begin(closed, form)
    assert "lies outside" in cost(closed, "en", form)
    assert "lies outside" not in cost(closed, "en", replace(form, lent="vae=base"))
    config = form.config()
    config.save(closed.runs / "former" / "run.yaml")
    make_database(closed.runs / "former")
    check_open(closed, form_of(config, fork=closed.runs / "former"))
