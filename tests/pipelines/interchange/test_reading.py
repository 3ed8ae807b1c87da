"""mergekit's YAML is read as mergekit reads it, and what is not as expected is said with its place."""

import pytest

from pipelines.errors import RecipeError
from pipelines.interchange.documents import portable_yaml
from pipelines.interchange.methods import METHODS
from pipelines.interchange.reading import parse_documents, read_documents

TWO = "models:\n- model: a.safetensors\n- model: b.safetensors\n"


def linear(setting):
    return parse_documents(f"merge_method: linear\n{TWO}parameters:\n  weight: {setting}\n")[0]


@pytest.mark.parametrize(
    ("setting", "name", "expected"),
    [
        ("0.25", "any.weight", 0.25),
        ("[{filter: attn, value: 0.1}, {value: 0.9}]", "x.attn1.to_q.weight", 0.1),
        ("[{filter: attn, value: 0.1}, {value: 0.9}]", "x.ff.weight", 0.9),
        ("[{filter: input_blocks.1, value: 0.1}, {value: 0.9}]", "input_blocks.10.weight", 0.1),  # part of a name
        ("[{filter: '*', value: 0.1}, {filter: attn, value: 0.9}]", "x.attn1.weight", 0.1),  # the first that fits
        ("[0.2, 0.8]", "any", 0.2),  # a gradient has no layers to run over
        ("[{filter: attn, value: [0.3, 0.4]}, {value: 1}]", "attn", 0.3),
        ("0", "any", 0),
    ],
)
def test_a_setting_is_what_mergekit_takes_it_for(setting, name, expected):
    assert linear(setting).of_model("a.safetensors", "weight", name) == expected


def test_a_models_own_parameter_goes_before_that_of_all():
    (document,) = parse_documents(
        "merge_method: linear\nmodels:\n- model: a\n  parameters: {weight: [{filter: attn, value: 0.7}]}\n- model: b\n"
        "parameters: {weight: 0.2, normalize: false}\n"
    )
    assert document.of_model("a", "weight", "attn") == 0.7
    assert document.of_model("a", "weight", "ff") == 0.2
    assert document.of_model("b", "weight", "attn") == 0.2
    assert document.shared("normalize", "attn") is False


def test_what_says_nothing_here_is_named():
    (document,) = parse_documents(
        f"merge_method: linear\n{TWO}parameters: {{weight: [1, 2], density: 0.5}}\ntokenizer_source: base\n"
    )
    assert document.ignored == ("tokenizer_source", "parameters.weight[1:]", "parameters.density")


def test_documents_are_put_in_the_order_in_which_they_are_made():
    documents = parse_documents(
        "merge_method: slerp\nbase_model: mid\nmodels: [{model: mid}, {model: c}]\nparameters: {t: 0.5}\n"
        "---\nname: mid\nmerge_method: linear\nmodels: [{model: low}, {model: b}]\nparameters: {weight: 1}\n"
        "---\nname: low\nmerge_method: linear\nmodels: [{model: a}, {model: b}]\nparameters: {weight: 1}\n"
        "---\nname: unused\nmerge_method: linear\nmodels: [{model: z}]\nparameters: {weight: 1}\n"
    )
    assert [document.name for document in documents] == ["low", "mid", None]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("a: [", "is no YAML"),
        ("- 1", "at the whole: found a list"),
        (f"merge_method: nearswap\n{TWO}", f"Expected one of {', '.join(METHODS)}"),
        ("merge_method: linear", "at models: found None. Expected a list"),
        ("merge_method: linear\nslices: []", "`slices` is not read: it cuts language models into layers"),
        (f"merge_method: linear\n{TWO}wieght: 1", "unknown key 'wieght'"),
        ("merge_method: linear\nmodels: [{model: a, weight: 1}]", "at models[0]: found a dict. Expected `model: PATH`"),
        (f"merge_method: linear\n{TWO}parameters: {{weight: much}}", "at parameters.weight: found 'much'"),
        (
            f"merge_method: linear\n{TWO}parameters: {{weight: {{filter: a, value: 1}}}}",
            "at parameters.weight: found a dict. Expected a number, or a list of `- filter:",
        ),
        (
            f"merge_method: linear\n{TWO}parameters: {{weight: [{{value: 1}}, {{filter: a}}]}}",
            "at parameters.weight[1]: found a dict. Expected `value: NUMBER`",
        ),
        (f"merge_method: linear\n{TWO}dtype: int8", "at dtype: found 'int8'. Expected float16 or bfloat16 or float32"),
        (f"merge_method: ties\n{TWO}", "ties needs a base_model"),
        (f"merge_method: slerp\nbase_model: c\n{TWO}", "slerp is between two models. Expected two"),
        (f"merge_method: nuslerp\nbase_model: a.safetensors\n{TWO}", "Expected two beside the base, found 1"),
        (f"merge_method: nuslerp\n{TWO}parameters: {{nuslerp_row_wise: true}}", "angles per row are not read"),
        (f"merge_method: passthrough\n{TWO}", "passthrough hands one model on"),
        ("merge_method: linear\nmodels: [{model: a}, {model: a}]", "lists a twice"),
        (f"merge_method: linear\n{TWO}---\nmerge_method: linear\n{TWO}", "2 documents without a name"),
        (
            "merge_method: linear\nmodels: [{model: x}]\n---\nname: x\nmerge_method: linear\nmodels: [{model: x}]",
            "x is made of itself",
        ),
        (f"merge_method: linear\n{TWO}parameters: &a {{}}", "an anchor"),
        (f"merge_method: linear\n{TWO}parameters: {{weight: .inf}}", "at parameters.weight: found inf"),
    ],
)
def test_a_fault_is_said_with_its_place(text, said):
    with pytest.raises(RecipeError) as refused:
        parse_documents(text, "merge.yaml")
    assert str(refused.value).startswith("merge.yaml")
    assert said in str(refused.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        read_documents(tmp_path / "none.yaml")


def test_a_parameter_that_is_missing_is_named_with_the_tensor():
    with pytest.raises(RecipeError, match=r"weight of a.safetensors has no value for the tensor x.ff"):
        linear("[{filter: attn, value: 1}]").of_model("a.safetensors", "weight", "x.ff")


def test_what_leaves_this_machine_names_no_folder():
    text = portable_yaml(
        parse_documents(
            "name: mid\nmerge_method: ties\nbase_model: /home/me/base.safetensors\n"
            "models: [{model: /home/me/a.safetensors, parameters: {weight: [{filter: attn, value: 0.5}, {value: 1}]}}]"
            "\n"
            "parameters: {normalize: false}\ndtype: float32\n"
        ),
        seed=7,
    )
    assert "/home" not in text
    assert text.startswith("# seed 7\n")
    (again,) = parse_documents(text)
    assert (again.base, again.models[0].model, again.dtype) == ("base.safetensors", "a.safetensors", "F32")
    assert again.of_model("a.safetensors", "weight", "x.attn") == 0.5
    assert again.shared("normalize", "x") is False
