"""Let mergekit write down what it makes of `cases`: PYTHON make_golden.py MERGEKIT_PYTORCH, in its environment."""

import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch
import yaml
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).parent))
from cases import CASES, DTYPES, MODELS, inputs

GOLDEN = Path(__file__).with_name("golden.safetensors")


def run(program, text, files, folder):
    """What `mergekit-pytorch` makes of a YAML whose models are names of `files`."""
    content = yaml.safe_load(text)
    for entry in content["models"]:
        entry["model"] = str(files[entry["model"]])
    if "base_model" in content:
        content["base_model"] = str(files[content["base_model"]])
    (folder / "merge.yaml").write_text(yaml.safe_dump(content))
    done = subprocess.run(
        [program, str(folder / "merge.yaml"), str(folder / "out")], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    merged = {}
    for file in sorted((folder / "out").glob("*.safetensors")):
        merged |= load_file(file)
    return merged


def main():
    """Write the golden file."""
    results = {}
    for dtype in DTYPES:
        for case, text in CASES.items():
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                files = {model: folder / f"{model}.safetensors" for model in MODELS}
                for model, tensors in inputs(dtype).items():
                    save_file(tensors, files[model])
                for name, values in run(sys.argv[1], text, files, folder).items():
                    results[f"{case}|{dtype}|{name}"] = values.contiguous()
    versions = {name: version(name) for name in ("mergekit", "torch", "safetensors")}
    save_file(results, GOLDEN, metadata={"versions": json.dumps(versions)})
    print(GOLDEN, versions, len(results), torch.get_num_threads())


if __name__ == "__main__":
    main()
