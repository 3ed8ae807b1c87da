"""An exported individual: its card, its licences, and the code on its card."""

import numpy as np
import pytest
from PIL import Image

from pipelines.generate import Request
from studio import run, ship
from studio.evaluate import noise_seed
from studio.ledger import common_licence, inherited
from studio.models import open_recipe_sources
from studio.preview import Previewer
from studio.store import create_run
from tests.conftest import python


@pytest.fixture(scope="module")
def store(small_config, tmp_path_factory):
    store = create_run(tmp_path_factory.mktemp("runs") / "run", small_config.model_copy(update={"evaluations": 1}))
    run.carry_out(store)
    return store


@pytest.mark.slow
def test_the_code_on_the_card_draws_what_the_studio_shows(store, tmp_path):
    folder = ship.ship(store, "0001", tmp_path / "sakura")
    code = (folder / "README.md").read_text("utf-8").split("```python\n")[1].split("```")[0]
    assert "sakura" in code
    (tmp_path / "draw.py").write_text(f"import os; os.chdir({str(tmp_path)!r})\n{code}", "utf-8")
    done = python(tmp_path / "draw.py")
    assert done.returncode == 0, done.stderr
    first = store.config.niches().prompts[0]
    recipe = store.individual("0001").recipe
    request = Request(first.ja, noise_seed(first.id, 0))
    shown = Previewer().draw(recipe, open_recipe_sources(recipe), [request], store.config.pictures)[0]
    assert (np.asarray(Image.open(tmp_path / "picture.png")) == np.asarray(shown)).all()


def test_a_merge_inherits_what_its_weights_come_from(store, family, one_hot):
    entries = inherited(one_hot["flat"], family)  # flat's weights under ja's text encoders
    assert [(one.name, one.licence) for one in entries] == [("ja", "apache-2.0"), ("flat", "cc-by-4.0")]
    assert entries[0].parts == ("text_encoder", "text_encoder_2", "vae", "tokenizer", "tokenizer_2", "scheduler")
    assert entries[1].parts == ("attention", "backbone")
    assert entries[1].duty("en") == "name the authors, link the licence, say that it was changed"
    assert common_licence(entries) == "other"
    assert common_licence(inherited(one_hot["base"], family)) == "apache-2.0"
