"""A YAML as a recipe: what it weaves is what mergekit's formulas give, tensor by tensor, on all true keys."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipelines.exporting.export import export_file
from pipelines.interchange.importing import import_documents
from pipelines.interchange.reading import parse_documents
from pipelines.weaving.plan import Plan
from tests import mergekit_formulas as oracle

NEAR = 3e-6  # float32 sums of weights near 0.1


def refuse(_):
    raise AssertionError("nothing here is woven")


def imported(text, trio, weave=refuse):
    documents = parse_documents(text, "merge.yaml")
    return import_documents(documents, name="made", relative_to=trio["base"].parent, weave=weave)


def woven(made, folder):
    """The tensors of a recipe as a single file, by key, in float64."""
    plan = Plan(made.recipe, {one.name: made.sources[one.name] for one in made.recipe.sources}, dtype=torch.float32)
    path = export_file(plan, folder / "woven.safetensors")
    return {key: values.double().numpy() for key, values in load_file(path).items()}


def models(*names):
    return "models:\n" + "".join(f"- model: {name}.safetensors\n" for name in names)


def at(key, where, inside, outside):
    return inside if where in key else outside


CASES = {
    "linear": (
        "merge_method: linear\nmodels:\n- {model: anime.safetensors, parameters: {weight: 3}}\n"
        "- model: photo.safetensors\n"
        "  parameters: {weight: [{filter: attn, value: 2}, {filter: attn1, value: 9}, {value: 1}]}\n",
        lambda key, base, anime, photo: oracle.linear([anime, photo], [3, at(key, "attn", 2, 1)]),
    ),
    "task_arithmetic": (
        "merge_method: task_arithmetic\nbase_model: base.safetensors\nmodels:\n"
        "- {model: anime.safetensors, parameters: {weight: 0.8}}\n"
        "- {model: photo.safetensors, parameters: {weight: -0.3}}\n"
        "parameters: {lambda: 0.5}\n",
        lambda key, base, anime, photo: base + 0.5 * (0.8 * (anime - base) - 0.3 * (photo - base)),
    ),
    "slerp": (
        f"merge_method: slerp\nbase_model: photo.safetensors\n{models('anime', 'photo')}"
        "parameters:\n  t:\n  - {filter: input_blocks.1, value: 0.2}\n  - value: 0.6\n",
        lambda key, base, anime, photo: oracle.slerp(photo, anime, at(key, "input_blocks.1", 0.2, 0.6)),
    ),
    "nuslerp": (
        "merge_method: nuslerp\nmodels:\n- {model: anime.safetensors, parameters: {weight: 3}}\n"
        "- {model: photo.safetensors, parameters: {weight: 1}}\n",
        lambda key, base, anime, photo: oracle.nuslerp(anime, photo, [3, 1]),
    ),
    "nuslerp of changes": (
        "merge_method: nuslerp\nbase_model: base.safetensors\nmodels:\n"
        "- {model: anime.safetensors, parameters: {weight: 1}}\n"
        "- {model: photo.safetensors, parameters: {weight: [{filter: attn, value: 4}, {value: 1}]}}\n",
        lambda key, base, anime, photo: oracle.nuslerp(anime, photo, [1, at(key, "attn", 4, 1)], base),
    ),
    "karcher": (
        f"merge_method: karcher\n{models('anime', 'photo', 'base')}",
        lambda key, base, anime, photo: oracle.karcher([anime, photo, base]),
    ),
    "a chain": (
        f"name: mean\nmerge_method: linear\n{models('anime', 'photo')}parameters: {{weight: 1}}\n"
        "---\nmerge_method: slerp\nbase_model: base.safetensors\nmodels: [{model: base.safetensors}, {model: mean}]\n"
        "parameters: {t: 0.25}\n",
        lambda key, base, anime, photo: oracle.slerp(base, (anime + photo) / 2, 0.25),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_woven_is_what_the_formula_gives(case, trio, tensors, tmp_path):
    text, formula = CASES[case]
    made = imported(text, trio)
    found = woven(made, tmp_path)
    for key, base in tensors["base"].items():
        if not key.startswith("first_stage_model."):
            expected = formula(key, base, tensors["anime"][key], tensors["photo"][key])
            np.testing.assert_allclose(found[key], expected, atol=NEAR, err_msg=key)
    assert [note for note in made.notes if note.startswith("vae is not merged")]


def test_a_model_that_is_handed_on_is_scaled(trio, tensors, tmp_path):
    text = "merge_method: passthrough\nmodels:\n- {model: anime.safetensors, parameters: {scale: 0.5}}\n"
    found = woven(imported(text, trio), tmp_path)
    for key, anime in tensors["anime"].items():
        handed_on = anime if key.startswith("first_stage_model.") else 0.5 * anime  # the VAE is lent whole
        np.testing.assert_allclose(found[key], handed_on, atol=NEAR, err_msg=key)


def test_one_segment_stands_for_tensors_that_have_the_same_weights(trio):
    recipe = imported(CASES["task_arithmetic"][0], trio).recipe
    assert {part: len(one.segments) for part, one in recipe.chromosomes.items()} == {
        "attention": 1, "backbone": 1, "text_encoder": 1, "text_encoder_2": 1,
    }  # fmt: skip
    assert [one.name for one in recipe.sources] == ["anime", "photo", "base"]
    assert recipe.chromosomes["backbone"].segments[0].weights == pytest.approx((0.4, -0.15, 0.75))
    assert recipe.host == {"default": "base"}


def test_a_source_that_lends_everything_lends_it_whole(trio):
    """Weights of 0 and 1 are no mixture: text encoders and VAE come from the one that has them."""
    made = imported(
        "merge_method: linear\nmodels:\n- model: anime.safetensors\n  parameters:\n    weight:\n"
        "    - {filter: diffusion_model, value: 0.5}\n    - value: 0\n"
        "- model: photo.safetensors\n  parameters:\n    weight:\n"
        "    - {filter: diffusion_model, value: 0.5}\n    - value: 1\n",
        trio,
    )
    assert set(made.recipe.chromosomes) == {"attention", "backbone"}
    assert made.recipe.lender("vae") == made.recipe.lender("text_encoder_2") == "photo"
    assert made.notes == ()


def test_two_models_of_one_name_are_called_by_their_folders(trio, tmp_path):
    other = tmp_path / "elsewhere" / "anime.safetensors"
    other.parent.mkdir()
    other.symlink_to(trio["photo"])
    made = imported(
        f"merge_method: linear\nmodels: [{{model: anime.safetensors}}, {{model: {other}}}]\nparameters: {{weight: 1}}",
        trio,
    )
    assert [one.name for one in made.recipe.sources] == [f"{trio['anime'].parent.name}-anime", "elsewhere-anime"]
