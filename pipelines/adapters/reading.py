"""A file of an adapter to the changes that it makes to a base."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from pipelines.errors import Phrase, SourceError
from pipelines.storage.tensor_file import TensorFile

from .change import TensorChange
from .decomposed import MAGNITUDES, Decomposed
from .direct import Difference, Scaling
from .foreign import looks_like
from .low_rank import GeneralizedLowRank, Hadamard, Kronecker, LowRank
from .module import AdapterModule
from .orthogonal import OrthogonalBlocks
from .peft_config import PeftConfig, read_peft_configs
from .peft_orthogonal import PeftButterfly, PeftOrthogonal
from .roles import sort_by_module
from .targets import ComponentShapes, Target, TargetTable

Kind = (
    type[LowRank]
    | type[Hadamard]
    | type[Kronecker]
    | type[GeneralizedLowRank]
    | type[Difference]
    | type[Scaling]
    | type[OrthogonalBlocks]
    | type[PeftOrthogonal]
    | type[PeftButterfly]
)
KINDS: tuple[Kind, ...] = (
    LowRank,
    Hadamard,
    Kronecker,
    GeneralizedLowRank,
    Difference,
    Scaling,
    OrthogonalBlocks,
    PeftOrthogonal,
    PeftButterfly,
)
_ANY_KIND = frozenset({"alpha", "scalar"}) | Difference.bias_roles | MAGNITUDES
_BESIDE = re.compile(r"^bundle_emb\.")  # OneTrainer puts the embeddings it trained beside the weights


@dataclass(frozen=True)
class Adapter:
    """What a file changes of a base.

    Attributes:
        file: the adapter.
        changes: component to canonical name to change.
        absent: components that it changes too, and that the base does not have.
        ignored: keys that belong to no component, and change no weights.
    """

    file: TensorFile
    changes: Mapping[str, Mapping[str, TensorChange]]
    absent: tuple[str, ...]
    ignored: tuple[str, ...]

    @property
    def kinds(self) -> dict[str, int]:
        """How many tensors it changes in which way."""
        named = [change.kind for changes in self.changes.values() for change in changes.values()]
        return {kind: named.count(kind) for kind in dict.fromkeys(named)}


def read_adapter(file: TensorFile, base: ComponentShapes) -> Adapter:
    """Find what an adapter's file changes of a base; of its values only single numbers are read.

    Args:
        file: the adapter.
        base: the components that it may change. Those that the base does not have are left out, and said.

    Raises:
        SourceError: no adapter, a kind that is not baked, modules that the base does not have, shapes that do not fit.
    """
    modules, unknown = sort_by_module(file.tensors)
    ignored = tuple(key for key in unknown if _BESIDE.match(key))
    unknown = [key for key in unknown if key not in ignored]
    if unknown or not modules:
        _refuse_foreign(file, unknown)
    table = TargetTable(base)
    targets = {module: table.find(module) for module in modules}
    _refuse_strangers(file, targets, table, base)
    configs = read_peft_configs(file)
    changes: dict[str, dict[str, TensorChange]] = {}
    for name, keys in modules.items():
        target = targets[name]
        if target.module is None:
            continue
        module = _module(file, name, keys, target, base, configs)
        for tensor, change in _changes(module):
            first = changes.setdefault(target.component, {}).setdefault(tensor, change)
            if first is not change:
                one, other = next(iter(first.keys.values())), next(iter(change.keys.values()))
                raise SourceError(
                    "{path}: {one} and {other} both change {tensor}. Expected one change a tensor; "
                    "the file mixes two namings: save it again with one tool.",
                    path=file.path,
                    one=one,
                    other=other,
                    tensor=tensor,
                )
    absent = sorted({target.component for target in targets.values() if target.module is None})
    return Adapter(file, {part: changes[part] for part in base if part in changes}, tuple(absent), ignored)


def _module(
    file: TensorFile,
    name: str,
    keys: Mapping[str, Sequence[str]],
    target: Target,
    base: ComponentShapes,
    configs: Mapping[str, PeftConfig],
) -> AdapterModule:
    """Return a module with its tensors in the base; refuse one that has two keys for one role."""
    for found in keys.values():
        if len(found) > 1:
            raise SourceError(
                "{path}: {one} and {other} are the same factor of {name}. Expected one adapter a file; "
                "it holds several: save one of them by itself.",
                path=file.path,
                one=found[0],
                other=found[1],
                name=name,
            )
    shapes = base[target.component]
    weight, bias = (f"{target.module}.{part}" for part in ("weight", "bias"))
    return AdapterModule(
        file,
        name,
        {role: found[0] for role, found in keys.items()},
        (weight, shapes[weight]) if weight in shapes else None,
        (bias, shapes[bias]) if bias in shapes else None,
        configs.get(target.component, PeftConfig()),
    )


def _changes(module: AdapterModule) -> list[tuple[str, TensorChange]]:
    """Return the changes that a module's keys make, by the kind that they show."""
    roles = module.keys.keys()
    kinds = [kind for kind in KINDS if kind.marks & roles]
    allowed = _ANY_KIND.union(*(kind.roles for kind in kinds))
    if len(kinds) > 1 or roles - allowed or not (kinds or Difference.bias_roles & roles):
        shown = ", ".join(kind.kind for kind in kinds) or "no kind"
        raise SourceError(
            "{path}: the keys of {module} are of {shown} together ({roles}). "
            "Expected the factors of one kind of adapter for each module: save it again with the tool that made it.",
            path=module.file.path,
            module=module.name,
            shown=shown,
            roles=", ".join(sorted(roles)),
        )
    changes = [made for kind in kinds for made in kind.of(module)]
    magnitudes = sorted(MAGNITUDES & roles)
    if magnitudes and changes:
        name, inner = changes[0]
        changes[0] = name, Decomposed.over(inner, module, magnitudes[0])
    return [*changes, *Difference.of_bias(module)]


def _refuse_strangers(
    file: TensorFile, targets: Mapping[str, Target], table: TargetTable, base: ComponentShapes
) -> None:
    """Refuse modules that the base should have and does not, and a file none of whose modules the base has."""
    strangers = [name for name, target in targets.items() if target.module is None and table.has(target.component)]
    if strangers:
        foreign = looks_like(strangers)
        kind, remedy = (foreign[0].name, foreign[0].remedy) if foreign else ("", "")
        raise SourceError(
            "{path} changes {modules} modules; {strangers} of them are not in the base, such as {example!r}. "
            "Expected an adapter for this kind of model{hint}",
            path=file.path,
            modules=len(targets),
            strangers=len(strangers),
            example=strangers[0],
            hint=Phrase("; it looks like {kind}: {remedy}.", kind=kind, remedy=remedy)
            if foreign
            else Phrase(", trained on modules that SDXL has."),
        )
    if all(target.module is None for target in targets.values()):
        parts = ", ".join(dict.fromkeys(target.component for target in targets.values()))
        raise SourceError(
            "{path} changes {parts} alone, and the base holds {base}. Expected a base with what it "
            "changes: name a whole checkpoint before the '+'.",
            path=file.path,
            parts=parts,
            base=", ".join(base),
        )


def _refuse_foreign(file: TensorFile, unknown: Sequence[str]) -> NoReturn:
    """Refuse a file with keys that no adapter has, and say what it looks like."""
    foreign = looks_like(unknown)
    if foreign:
        kind, key = foreign
        raise SourceError(
            "{path} holds {key!r}, as {kind} does. Expected LoRA, DoRA, LoHa, LoKr, GLoRA, OFT, BOFT, IA3 "
            "or differences of weights after '*': {remedy}.",
            path=file.path,
            key=key,
            kind=kind.name,
            remedy=kind.remedy,
        )
    example = f"{len(unknown)} such keys, the first is {unknown[0]!r}" if unknown else "no tensor at all"
    raise SourceError(
        "{path} is no adapter that is understood: it holds {example}. Expected keys such as "
        "'lora_unet_..._to_q.lora_down.weight' (kohya), 'unet.....to_q.lora_A.weight' (diffusers, peft) or "
        "'lora_unet_..._to_q.hada_w1_a' (LyCORIS).",
        path=file.path,
        example=example,
    )
