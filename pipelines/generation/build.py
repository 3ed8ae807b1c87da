"""Build a live pipeline from any source: modules by their configurations, filled with weights from a plan.

Nothing that comes with a checkpoint is run. Classes are looked up by name in diffusers and transformers, tokenizers are
read from vocabulary files, and everything is on this disk already.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import StableDiffusionXLPipeline
from torch.overrides import TorchFunctionMode

from pipelines.architectures.keys import WEIGHTED_COMPONENTS
from pipelines.checkpoints import hub
from pipelines.checkpoints.contents import TOKENIZERS
from pipelines.checkpoints.hub_names import parse_hub_id
from pipelines.checkpoints.sources import Source
from pipelines.errors import GenerationError, Phrase, SourceError
from pipelines.storage.tensor_file import TensorFile
from pipelines.weaving.plan import Plan
from pipelines.weaving.weave import LiveWeights

from .quiet import quiet_libraries
from .settings import FEW_STEP_LORAS, GenerationSettings

_LIBRARIES = {"diffusers": diffusers, "transformers": transformers}
MOST_NOISE_LEVELS = 100_000  # of a scheduler, which makes arrays of that length before anything is drawn
_KERNELS = ("attn_implementation", "experts_implementation")  # transformers: with a slash, code from the hub


def build_pipeline(plan: Plan, dtype: torch.dtype) -> tuple[StableDiffusionXLPipeline, dict[str, LiveWeights]]:
    """Build a pipeline of plain diffusers classes on the CPU, with the weights of a plan.

    Args:
        plan: what to build; merged and lent components are filled alike.
        dtype: of the weights.

    Returns:
        The pipeline, and its live weights by component.

    Raises:
        RecipeError: the host does not have what it is to lend, or weights and configuration do not fit.
        SourceError: a class that is not of diffusers or transformers, a tokenizer that cannot be read, or a UNet that
            does not draw from text.
    """
    if not plan.architecture.text_to_image:
        raise SourceError(
            "{name} is {architecture}. Expected SDXL that draws from text: it can be "
            "written, and is drawn with elsewhere.",
            name=plan.recipe.name or "The merge",
            architecture=plan.architecture,
        )
    modules = {part: empty_module(part, plan.lender(part), dtype) for part in WEIGHTED_COMPONENTS}
    live = {part: LiveWeights(part, built) for part, built in modules.items()}
    for weights in live.values():
        weights.weave(plan)
    tokenizers = {part: load_tokenizer(part, plan.lender(part)) for part in TOKENIZERS}
    with quiet_libraries():
        pipeline = StableDiffusionXLPipeline(
            **modules,
            **tokenizers,
            scheduler=make_scheduler(plan.lender("scheduler"), config=plan.scheduler_config()),
            force_zeros_for_empty_prompt=plan.lender("unet").contents.index.get("force_zeros_for_empty_prompt", True),
            add_watermarker=False,
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, live


def empty_module(part: str, source: Source, dtype: torch.dtype) -> torch.nn.Module:
    """Build the module of a component, with room for its weights on the CPU but without values.

    Args:
        part: the component's name.
        source: whose configuration it has.
        dtype: of its parameters.

    Raises:
        SourceError: a class that is not of diffusers or transformers.
    """
    if part == "text_encoder":
        # Whatever class the index names. diffusers takes the pooled vector from the first encoder whose first output is
        # a vector. With a projection, which Japanese SDXL's has, that would be this encoder and not the second one, as
        # SDXL was trained; without, the first output is a sequence. The hidden states that draw are the same.
        module_class: Any = transformers.CLIPTextModel
    else:
        module_class = _class(part, source, transformers.PreTrainedModel, diffusers.ModelMixin)
    config = source.config(part)
    _check_config(part, source, config)
    with _configured(part, source), quiet_libraries(), _WithoutInitialisation():
        if issubclass(module_class, transformers.PreTrainedModel):
            module = module_class(module_class.config_class.from_dict(config))
        else:
            module = module_class.from_config(config)
    for parameter in module.parameters():
        parameter.data = torch.empty_like(parameter, dtype=dtype)
    return module.requires_grad_(False).eval()


def load_tokenizer(part: str, source: Source) -> Any:
    """Read a tokenizer from a source's vocabulary files.

    Raises:
        SourceError: the files cannot be read, or the package that reads them is not installed.
    """
    folder = source.contents.tokenizers[part]
    library, name = _named(part, source)
    if any(folder.glob("*.model")) and not (folder / "tokenizer.json").exists() and not find_spec("sentencepiece"):
        raise SourceError(
            "{folder}: this {part} has a SentencePiece vocabulary. Expected the package that reads it: "
            "pip install sentencepiece.",
            folder=folder,
            part=part,
        )
    named = getattr(transformers, name, None) if library == "transformers" else None
    # Anything else of that name, AutoTokenizer too, opens what the folder's own files name.
    is_tokenizer = _is_a(named, transformers.PreTrainedTokenizerBase)
    tokenizer_class: Any = named if is_tokenizer else transformers.AutoTokenizer
    try:
        with quiet_libraries():
            tokenizer = tokenizer_class.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if len(tokenizer) <= len(tokenizer.all_special_ids):  # which is what an empty folder gives
            raise ValueError("no vocabulary")
        return tokenizer
    except Exception as error:  # transformers, tokenizers and sentencepiece raise what they like
        raise SourceError(
            "{folder}: the {part} {name} cannot be read ({reason}). Expected a tokenizer of "
            "transformers with its vocabulary; fetch the folder again, or take it from another host.",
            folder=folder,
            part=part,
            name=name,
            reason=" ".join(str(error).split()),
        ) from error


def make_scheduler(
    source: Source, settings: GenerationSettings | None = None, *, config: Mapping[str, Any] | None = None
) -> Any:
    """Make the source's scheduler, or the one that a few-step LoRA asks for, with the source's noise.

    Args:
        source: whose scheduler it is.
        settings: name a few-step LoRA, if any.
        config: of the scheduler, where it is for another UNet than the source's.

    Raises:
        SourceError: not a scheduler of diffusers, or one with more noise levels than any model was trained with.
    """
    config = dict(config or source.config("scheduler"))
    levels = config.get("num_train_timesteps", 1)
    if not (isinstance(levels, int) and 0 < levels <= MOST_NOISE_LEVELS):
        raise SourceError(
            "{path}: the configuration of scheduler cannot be used. Expected `num_train_timesteps` to be a "
            "whole number from 1 to {most_noise_levels:,}, usually 1,000: take the one of the checkpoint it was made "
            "from.",
            path=source.path,
            most_noise_levels=MOST_NOISE_LEVELS,
        )
    if settings is None or settings.speed is None:
        scheduler_class = _class("scheduler", source, diffusers.SchedulerMixin)
    else:
        family = FEW_STEP_LORAS[settings.speed]
        scheduler_class, config = getattr(diffusers, family.scheduler), {**config, **family.options}
    with _configured("scheduler", source), quiet_libraries():
        return scheduler_class.from_config(config)


@contextlib.contextmanager
def _configured(part: str, source: Source) -> Iterator[None]:
    """Turn what a library says of a configuration into an error of the source, whose configuration it is."""
    try:
        yield
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, RuntimeError) as error:
        raise SourceError(
            "{path}: the configuration of {part} cannot be used ({kind}). Expected one that "
            "diffusers or transformers wrote: take the one of the checkpoint it was made from.",
            path=source.path,
            part=part,
            kind=type(error).__name__,
        ) from error


def attach_lora(pipeline: StableDiffusionXLPipeline, lora: str) -> None:
    """Put a LoRA beside the weights of a pipeline, at full strength; the weights themselves stay as they are.

    Args:
        pipeline: without another LoRA.
        lora: a safetensors file, or OWNER/REPOSITORY/FILE of the hub.

    Raises:
        GenerationError: it holds nothing for this UNet, or does not fit it.
        SourceError: there is no such file here, nor can it be had from the hub.
    """
    path = Path(os.path.expanduser(lora))
    if not path.is_file() and (identifier := parse_hub_id(lora)):
        path = hub.fetch(identifier)
    TensorFile(path)  # says in plain words what is wrong with a file
    try:
        with quiet_libraries():
            pipeline.load_lora_weights(path.parent, weight_name=path.name, use_safetensors=True)
        fits = bool(pipeline.get_active_adapters())
        problem: str = Phrase("it holds no tensor of this model")
    except (ValueError, RuntimeError, KeyError, IndexError) as error:
        fits, problem = False, " ".join(str(error).split())
    if not fits:
        pipeline.unload_lora_weights()
        raise GenerationError(
            "The LoRA {lora} cannot be put beside this model: {problem}. Expected a LoRA that was made for this "
            "architecture; choose another one, or draw without.",
            lora=lora,
            problem=problem,
        )


def _class(part: str, source: Source, *bases: type) -> Any:
    """The class that the source's index names for a component, which is to descend from one of `bases`."""
    library, name = _named(part, source)
    kind = getattr(_LIBRARIES.get(library), name, None)
    if not _is_a(kind, *bases):
        raise SourceError(
            "{path}: {part} is of class {name!r} from {library!r}. Expected a class of diffusers or "
            "transformers; code that comes with a checkpoint is never run.",
            path=source.path,
            part=part,
            name=name,
            library=library,
        )
    return kind


def _check_config(part: str, source: Source, config: Mapping[str, Any]) -> None:
    """Refuse a configuration that makes transformers or diffusers fetch or import code.

    Raises:
        SourceError: names the key, at any depth.
    """
    pending: list[Any] = [config]
    while pending:
        here = pending.pop()
        if isinstance(here, list):
            pending += here
        elif isinstance(here, Mapping):
            for key, value in here.items():
                of_hub = key.strip("_").removesuffix("_internal") in _KERNELS and "/" in str(value)
                if key in ("auto_map", "trust_remote_code") or of_hub:
                    raise SourceError(
                        "{path}: the configuration of the {part} has the key `{key}`, which names code to run. "
                        "Expected a configuration of diffusers or transformers alone; take the component from another "
                        "host. Code that comes with a checkpoint is never run.",
                        path=source.path,
                        part=part,
                        key=key,
                    )
            pending += here.values()


def _is_a(kind: Any, *bases: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, bases)


def _named(part: str, source: Source) -> tuple[str, str]:
    """Return the library and class that the source's index names for a component."""
    entry = source.contents.index.get(part)
    library, name = entry if isinstance(entry, list) and len(entry) == 2 else ("", "")
    return str(library), str(name)


class _WithoutInitialisation(TorchFunctionMode):
    """A mode in which modules are built without random numbers in their parameters; buffers get their values.

    Untouched memory costs nothing. Unlike accelerate's empty weights, this holds for one thread alone: the studio opens
    scorers beside it.
    """

    _RANDOM = frozenset({"uniform_", "normal_", "trunc_normal_", "kaiming_uniform_", "xavier_uniform_"})

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in self._RANDOM:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)
