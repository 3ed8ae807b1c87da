"""Small merges whose results mergekit itself wrote down: the same inputs everywhere, and a YAML for each method."""

import numpy as np
import torch

#: Shapes of a file's tensors: a matrix, a vector, a convolution, and a pair in one name's beginning.
SHAPES = {
    "block.1.to_q.weight": (12, 20),
    "block.10.to_q.weight": (12, 20),
    "norm.bias": (150,),
    "conv.weight": (8, 4, 3, 3),
}
MODELS = ("base", "a", "b", "c")
DTYPES = {"float32": torch.float32, "float16": torch.float16}
FILTERED = "[{filter: block.1, value: 0.3}, {value: 0.8}]"


def inputs(dtype):
    """The tensors of each model, by name; what was trained is near the base in one tensor, and far in the others."""
    drawn = np.random.default_rng(20)
    base = {name: drawn.normal(size=shape) for name, shape in SHAPES.items()}
    models = {"base": base}
    for model in MODELS[1:]:
        models[model] = {
            name: values + (0.01 if name == "norm.bias" else 0.5) * drawn.normal(size=values.shape)
            for name, values in base.items()
        }
    return {
        model: {name: torch.from_numpy(values).to(DTYPES[dtype]) for name, values in tensors.items()}
        for model, tensors in models.items()
    }


def document(method, models, parameters="{}", base="base", own=None):
    """A YAML; models are named without their place."""
    rows = "".join(f"- model: {model}\n  parameters: {(own or {}).get(model, '{}')}\n" for model in models)
    head = f"merge_method: {method}\n" + (f"base_model: {base}\n" if base else "")
    return f"{head}models:\n{rows}parameters: {parameters}\n"


OWN = {
    "a": "{weight: 0.5, density: 0.4, gamma: 0.05}",
    "b": "{weight: 0.9, density: 0.7, gamma: 0.1}",
    "c": "{weight: -0.4, density: 0.5, gamma: 0.02}",
}
CASES = {
    "linear": document(
        "linear", "abc", base=None, own={"a": "{weight: 3}", "b": f"{{weight: {FILTERED}}}", "c": "{weight: 1}"}
    ),
    "linear-sum": document("linear", "ab", "{weight: 0.4, normalize: false}", base=None),
    "task_arithmetic": document(
        "task_arithmetic", "abc", own={m: f"{{weight: {w}}}" for m, w in zip("abc", (0.5, -0.3, 0.2), strict=True)}
    ),
    "slerp": document("slerp", ("base", "a"), f"{{t: {FILTERED}}}"),
    "slerp-other": document("slerp", ("base", "b"), "{t: 0.25}", base="b"),
    "karcher": document("karcher", "abc", base=None),
    "model_stock": document("model_stock", "abc"),
    "ties": document("ties", "abc", own=OWN),
    "ties-sum": document("ties", "abc", "{normalize: false}", own=OWN),
    "breadcrumbs": document("breadcrumbs", "abc", own=OWN),
    "breadcrumbs_ties": document("breadcrumbs_ties", "abc", own=OWN),
    "sce": document("sce", "abc", "{select_topk: 0.6}"),
    "sce-all": document("sce", "abc"),
    "dare-whole": document("dare_ties", "abc", "{weight: 0.6, density: 1.0}"),
}
