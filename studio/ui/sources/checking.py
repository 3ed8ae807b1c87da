"""Examining the chosen sources, as the Sources page shows it: what is wrong with each, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from pipelines.checkpoints.source_uri import default_name, is_at_hand
from studio.doctor.examination import examine_sources
from studio.doctor.findings import Examination
from studio.errors import RunError
from studio.formatting import format_bytes
from studio.i18n import Lang, phrase, t
from studio.ui.common.field_errors import at_field
from studio.ui.common.studio import Studio

from .similarity import Tell


@at_field("choose")
def check(studio: Studio, lang: Lang, uris: Sequence[str], tell: Tell) -> Markup:
    """Read the chosen sources and say what was found of each.

    Raises:
        M2N2Error: none is chosen, or one of them cannot be opened.
    """
    if not uris:
        raise RunError(phrase("check_choose"))
    away = [default_name(uri) for uri in uris if not is_at_hand(uri)]
    if away:
        raise RunError(phrase("fetch_first", names=", ".join(away)))
    examined = examine_sources(
        uris,
        studio.runs,
        lambda done, of: tell(done / of, t(lang, "check_reading", done=format_bytes(done), of=format_bytes(of))),
    )
    return Markup("").join(_examination(lang, one) for one in examined)


def _examination(lang: Lang, examination: Examination) -> Markup:
    lines = Markup("").join(Markup("<li>{}</li>").format(said) for said in examination.sentences(lang))
    mark = "✓" if examination.sound else "⚠️"
    return Markup("<section><h4>{} {}</h4><ul>{}</ul></section>").format(mark, examination.name, lines)
