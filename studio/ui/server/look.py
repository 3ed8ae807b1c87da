"""How every page looks and answers: the theme's tokens, and what stands in each page's head."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

# Plain CSS names: a web font would need the network, and Gradio brings no Japanese face.
_FONTS = ["Hiragino Sans", "Yu Gothic UI", "Noto Sans JP", "Noto Sans CJK JP", "Meiryo", "system-ui", "sans-serif"]
_MONO = ["ui-monospace", "Consolas", "Noto Sans Mono CJK JP", "monospace"]
# Soft's own greys are too pale to read for many: WCAG asks for 4.5 to 1 of words, 3 to 1 of edges.
_TOKENS = {
    "body_text_color_subdued": "*neutral_600",
    "body_text_color_subdued_dark": "*neutral_300",
    "input_placeholder_color": "*neutral_500",
    "input_placeholder_color_dark": "*neutral_300",
    "color_accent": "*primary_600",
    "button_primary_background_fill": "*primary_600",
    "button_primary_background_fill_dark": "*primary_600",
    "checkbox_label_background_fill_selected": "*primary_600",
    "checkbox_label_background_fill_selected_dark": "*primary_600",
    "block_title_text_color": "*neutral_700",
    "block_title_text_color_dark": "*neutral_200",
    "block_title_background_fill": "none",
    "block_title_padding": "0",
    "block_title_text_weight": "500",
    "block_label_text_color": "*neutral_700",
    "block_label_text_color_dark": "*neutral_200",
    "block_label_background_fill": "*background_fill_secondary",
    # What can be filled in has an edge that one sees: 3 to 1.
    "input_border_color": "*neutral_500",
    "input_border_color_dark": "*neutral_400",
    "input_border_width": "1px",
    "checkbox_border_color": "*neutral_500",
    "checkbox_border_color_dark": "*neutral_400",
    "button_secondary_border_color": "*neutral_500",
    "button_secondary_border_color_dark": "*neutral_400",
    "button_border_width": "1px",
    "link_text_color": "*secondary_700",
    "link_text_color_dark": "*secondary_300",
}
# Gradio keeps `studio.css` to what is inside its container; who closed the tour is written on the page's root.
HEAD = """<script src="/visitor.js"></script>
<script src="/lightbox.js" defer></script>
<script src="/run-list.js" defer></script>
<script src="/run-table.js" defer></script>
<script src="/run-notice.js" defer></script>
<style>
[data-tour="on"] .gradio-container .tour { display: flex !important; }
html:not([data-visitor]) .log-out, html[data-visitor=""] .log-out { display: none; }
html[data-visitor]:not([data-visitor=""]) .typed-name { display: none; }
/* The bar has the pages in groups. */
.nav-holder { display: none !important; }
/* Below what one wants to press, and never more than a third of the window. */
.toast-wrap {
  top: auto !important; bottom: 12px; left: auto !important; width: min(26rem, 90vw); max-height: 33vh;
  overflow-y: auto;
}
/* Where a bar takes several rows, each begins at the same edge. */
@media (max-width: 900px) { .bar > button { margin-left: 12px !important; margin-right: 12px !important; } }
/* Beside the list of runs, where there is room for both. */
@media (min-width: 1100px) { .with-runs > .main { padding-left: 296px !important; } }
@media (max-width: 1500px) {
  .with-runs .studio-bar { height: auto !important; flex-wrap: wrap !important; padding: 6px 0 !important; }
  .with-runs .studio-bar nav { order: 2; flex-basis: 100% !important; flex-wrap: wrap !important; }
}
html[data-role="viewer"] :is(.needs-judge, .needs-editor), html[data-role="judge"] .needs-editor {
  display: none !important;
}
html:not([data-role="viewer"], [data-role="judge"]) .not-for-editors { display: none !important; }
</style>
<script>
// The language switch keeps what the page shows, and the address always names it.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.language");
  if (link) link.href = link.href.split("?")[0] + window.location.search;
});
// The tour of a first visit stays until somebody closes it.
const tour = () => { document.documentElement.dataset.tour = localStorage.getItem("studio_tour") || "on"; };
tour();
document.addEventListener("click", (event) => {
  if (event.target.closest(".tour-close")) { localStorage.setItem("studio_tour", "off"); tour(); }
});
// Gradio names what is empty, but does not say that it is a picture, and tables' search fields by a tooltip alone.
new MutationObserver(() => {
  for (const one of document.querySelectorAll("div.empty[aria-label]:not([role])")) one.setAttribute("role", "img");
  for (const one of document.querySelectorAll("input.search-input:not([aria-label])")) one.ariaLabel = one.title;
  for (const one of document.querySelectorAll(".visitor:empty")) {
    if (document.documentElement.dataset.visitor) one.textContent = document.documentElement.dataset.visitor;
  }
  visits();
  // Gradio gives all pages one title: tabs and the browser's history tell them apart by theirs.
  const here = document.querySelector(".studio-bar [aria-current=page]")?.textContent;
  if (here && !document.title.startsWith(here)) document.title = `${here} · m2n2-studio`;
}).observe(document, { childList: true, subtree: true });
function studioAddress(run, id, more = {}) {
  const query = `${new URLSearchParams({ run, id, ...more })}`.replaceAll("%2C", ",");
  window.history.replaceState(window.history.state, "", `${window.location.pathname}?${query}`);
}
// Whom somebody opens is a step of its own: Back returns to the one before.
function studioVisits(run, id) {
  const now = new URLSearchParams(window.location.search);
  if (!run || (now.get("run") === run && (now.get("id") || "") === id)) return;
  const query = `${new URLSearchParams(id ? { run, id } : { run })}`;
  window.history.pushState({ visited: true }, "", `${window.location.pathname}?${query}`);
}
// The address follows whom the archive's title names: what handlers give to scripts comes a step late.
let visited = "";
function visits() {
  const open = document.querySelector("#title [data-id]");
  if ((open?.dataset.id || "") === visited) return;
  visited = open?.dataset.id || "";
  studioVisits(open?.dataset.run || new URLSearchParams(window.location.search).get("run"), visited);
}
// The address names what a page was asked to show; who is chosen belongs to that alone.
function studioShows(key, value) {
  const query = new URLSearchParams(window.location.search);
  if (!value || query.get(key) === value) return;
  if (query.has(key)) query.delete("id");
  query.set(key, value);
  window.history.replaceState(window.history.state, "", `${window.location.pathname}?${query}`);
}
</script>"""
HEAD += f"<script>{Path(__file__).with_name('inline_errors.js').read_text('utf-8')}</script>"


def theme() -> gr.themes.Base:
    """Make the theme of all pages."""
    return gr.themes.Soft(font=_FONTS, font_mono=_MONO).set(**_TOKENS)
