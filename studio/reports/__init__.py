"""A run as one self-contained page: what was asked, what came of it, how to do it again.

Read in this order:

    shown       the same captions drawn by sources, average and child
    gather      what a run's folder tells, as plain values; the sources need not be there any more
    figures     curves of the archive as SVG whose text is text, in the colours of the page around it
    page        all of it, in either language, in `templates/report.html`
"""

from .page import report_html, write_report

__all__ = ["report_html", "write_report"]
