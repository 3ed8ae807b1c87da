"""Which source, in which half of the network, helps or harms which prompts, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from eval.prompts.prompt_set import Prompt
from studio.breeding.source_effects import Effect, SourceEffect
from studio.i18n import Lang, category_label, t


def effects_table(lang: Lang, effects: Sequence[SourceEffect], prompts: Sequence[Prompt]) -> Markup:
    """Draw effects as a table of sources and halves by categories; those categories alone that have any.

    Args:
        lang: of the page.
        effects: a row each; one of them at least has a change to tell.
        prompts: the niches.
    """
    groups = [
        name
        for name in dict.fromkeys(prompt.category for prompt in prompts)
        if any(name in one.groups for one in effects)
    ]
    most = max([abs(effect.mean) for one in effects for effect in one.groups.values()], default=1.0)
    rows = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}{}</tr>').format(
            t(lang, f"effects_{one.half}", source=one.source),
            Markup("").join(_group_cell(one.groups.get(name), most) for name in groups),
            _prompt_cell(lang, one, prompts),
        )
        for one in effects
    )
    heads = [t(lang, "effects_more_of"), *(category_label(lang, name) for name in groups)]
    if any(one.strongest for one in effects):
        heads.append(t(lang, "effects_strongest"))
    return Markup(
        '<div class="scroll"><table class="effects"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(Markup("").join(Markup('<th scope="col">{}</th>').format(head) for head in heads), rows)


def _group_cell(effect: Effect | None, most: float) -> Markup:
    """Draw a change the stronger, the nearer it comes to the greatest of the table."""
    if effect is None:
        return Markup("<td></td>")
    return Markup('<td class="tinted" style="--part:{:.0%}">{}</td>').format(abs(effect.mean) / most, _effect(effect))


def _prompt_cell(lang: Lang, one: SourceEffect, prompts: Sequence[Prompt]) -> Markup:
    if one.strongest is None:
        return Markup("<td></td>")
    number, effect = one.strongest
    prompt = prompts[number]
    caption = (prompt.ja if lang == "ja" else prompt.en) or prompt.ja or prompt.en or prompt.id
    return Markup("<td>{} <span>{}</span></td>").format(_effect(effect), caption)


def _effect(effect: Effect) -> Markup:
    way, arrow = ("up", "▲") if effect.mean > 0 else ("down", "▼")
    return Markup('<b class="change {}">{} {:+.3f}</b> <small>±{:.3f}</small>').format(
        way, arrow, effect.mean, effect.half_width
    )
