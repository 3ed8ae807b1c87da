"""A run as one page that opens anywhere, contact sheets, and the drawings in them.

Imports analysis, breeding, judging, library, licences and runs. Knows no page of the studio: links are handed in.

Read in this order:

    content         what a run's folder tells, as plain values; the sources need not be there any more
    foresight       how well a run foresaw scores, in words
    figures         curves of the archive as SVG whose text is text
    drawings        niches, family tree and depth as SVG
    recipe_map      the map of a run's recipes as SVG
    effects_table   which source helps which prompts, as a table
    learned         both, of what a run's scores say; or what is missing for that
    pictures        the same captions drawn by sources, average and child
    page            all of it, in either language, in `templates/report.html`
    review          a page for a client: the shortlist, with room for comments
    contact_sheet   models by captions by noises, as a PNG and as a page
    standalone      templates filled in, with styles and pictures inside the one file
    fonts           a font with Japanese, for what is drawn here and not in a browser
"""

from .page import report_html, write_report

__all__ = ["report_html", "write_report"]
