"""mergekit itself: what it wrote down once, and, where it is at hand, what it makes of whole checkpoints.

`M2N2_MERGEKIT` names its `mergekit-pytorch`; else that of this environment is taken, if it has one.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file

from pipelines.checkpoints.sources import open_source
from pipelines.exporting.export import export_file
from pipelines.interchange.exporting import export_yaml
from pipelines.interchange.importing import import_documents
from pipelines.interchange.reading import parse_documents
from pipelines.interchange.sparse_merging import merged_tensor
from pipelines.interchange.tensor_weights import input_weights
from pipelines.recipes.recipe import Segment, blend
from pipelines.weaving.plan import Plan
from studio.exporting.woven_source import weave_merge
from tests.data.mergekit.cases import CASES, DTYPES, SHAPES, inputs

GOLDEN = Path(__file__).parents[2] / "data" / "mergekit" / "golden.safetensors"
PROGRAM = os.environ.get("M2N2_MERGEKIT") or shutil.which("mergekit-pytorch")
NEAR = {"float32": 2e-6, "float16": 4e-3}
NEAR_WHOLE = {"karcher": 1e-3}  # whose angles between nearly alike tensors mergekit works out in float32


@pytest.fixture(scope="module")
def golden():
    return load_file(GOLDEN)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_each_method_gives_what_mergekit_gave(case, dtype, golden):
    """In float16 mergekit rounds after each operation, where a recipe sums in float32 and rounds once."""
    (document,) = parse_documents(CASES[case])
    models = inputs(dtype)
    for name in SHAPES:
        tensors = {model: models[model][name] for model in document.inputs}
        if document.method.woven:
            found = merged_tensor(document, name, tensors, torch.Generator())
        else:
            stacked = np.stack([values.double().numpy().ravel() for values in tensors.values()])
            weights = input_weights(document, name, lambda stacked=stacked: stacked @ stacked.T)
            found = torch.from_numpy(weights @ stacked).reshape(SHAPES[name])
        expected = golden[f"{case}|{dtype}|{name}"]
        torch.testing.assert_close(
            found.double(), expected.double(), rtol=0, atol=NEAR[dtype], msg=lambda text, name=name: f"{name}: {text}"
        )


def test_the_golden_file_says_who_wrote_it():
    with safe_open(GOLDEN, "pt") as file:
        assert json.loads(file.metadata()["versions"])["mergekit"]


def mergekit(text, folder):
    """What `mergekit-pytorch` makes of a YAML, by key."""
    (folder / "merge.yaml").write_text(text)
    done = subprocess.run([PROGRAM, folder / "merge.yaml", folder / "out"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    merged = {}
    for file in (folder / "out").glob("*.safetensors"):
        merged |= load_file(file)
    return merged


def trios_case(case, trio):
    """A case over the three checkpoints: `a` and `b` are those that were trained."""
    files = {"base": trio["base"], "a": trio["anime"], "b": trio["photo"]}
    content = yaml.safe_load(CASES[case])
    content["models"] = [
        one | {"model": str(files[one["model"]])} for one in content["models"] if one["model"] in files
    ]
    if "base_model" in content:
        content["base_model"] = str(files[content["base_model"]])
    return yaml.safe_dump(content)


@pytest.mark.slow
@pytest.mark.skipif(not PROGRAM, reason="mergekit is not at hand")
@pytest.mark.parametrize("case", [case for case in CASES if case != "dare-whole"])
def test_a_whole_checkpoint_is_what_mergekit_makes_of_it(case, trio, tmp_path):
    text = trios_case(case, trio)
    expected = mergekit(text, tmp_path)
    made = import_documents(
        parse_documents(text), name="made", weave=lambda merge: weave_merge(merge, tmp_path / "made.safetensors")
    )
    plan = Plan(made.recipe, {one.name: made.sources[one.name] for one in made.recipe.sources})
    found = load_file(export_file(plan, tmp_path / "merged.safetensors"))
    compared = 0
    for key, values in expected.items():
        woven_vae = made.recipe.sources[0].name == "made"
        if (
            values.is_floating_point()
            and not key.endswith(("logit_scale", "position_ids"))
            and (woven_vae or "first_stage" not in key)
        ):
            torch.testing.assert_close(
                found[key], values, rtol=0, atol=NEAR_WHOLE.get(case, 3e-6), msg=lambda text, key=key: f"{key}: {text}"
            )
            compared += 1
    assert compared > 2200


@pytest.mark.slow
@pytest.mark.skipif(not PROGRAM, reason="mergekit is not at hand")
def test_mergekit_makes_a_recipe_of_what_is_exported(trio, tmp_path):
    sources = {name: open_source(trio[name]) for name in ("anime", "photo")}
    recipe = blend(
        list(sources.values()),
        {"attention": [1.0, 0.0], "backbone": [0.25, 0.75], "text_encoder": [0.5, 0.7], "text_encoder_2": [1.2, -0.2]},
        host={"default": "anime", "vae": "photo"},
    )
    layout = sources["anime"].layouts(["unet"])["attention"]
    edge = int(layout.stops[300])
    attention = recipe.chromosomes["attention"].model_copy(
        update={"segments": (Segment(stop=edge, weights=(1.0, 0.0)), Segment(stop=layout.size, weights=(0.4, 0.6)))}
    )
    recipe = recipe.model_copy(update={"chromosomes": {**recipe.chromosomes, "attention": attention}})
    exported = export_yaml(recipe, sources, tmp_path)
    assert exported.notes() == []
    expected = mergekit(exported.text, tmp_path)
    found = load_file(export_file(Plan(recipe, sources, dtype=torch.float32), tmp_path / "merged.safetensors"))
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        torch.testing.assert_close(
            found[key].float(), values.float(), rtol=0, atol=1e-6, msg=lambda text, key=key: f"{key}: {text}"
        )
