"""A blind question in the browser: two pictures under addresses that mean nothing, four answers, arrow keys.

What the browser receives tells nothing about whose pictures they are: both are in memory before the page names either,
their bytes hold pixels alone, their addresses are random and new for every question, and the question itself stays in
the server's memory.
"""

from __future__ import annotations

from markupsafe import Markup

from studio.i18n import Lang, t
from studio.judging.pairing import PicturePair
from studio.judging.votes import Answer

ARROWS: dict[Answer, str] = {"left": "←", "right": "→", "both good": "↑", "both bad": "↓"}

# Answers wait until both pictures can be painted, a key that was pressed before that too; the last one counts.
# Backspace takes the last vote back once the next question is there. Keys are left alone while somebody types, or holds
# one down.
SCRIPT = """
const keys = {ArrowLeft: "left", ArrowRight: "right", ArrowUp: "both good", ArrowDown: "both bad"};
const buttons = () => [...element.querySelectorAll("button[data-answer]")];
const pictures = () => [...element.querySelectorAll("img")];
const addresses = () => pictures().map((picture) => picture.src).join();
let early = null;
function answer(button) {
  if (!button) return;
  if (button.disabled) { early = { choice: button.dataset.answer, about: addresses() }; return; }
  early = null;
  buttons().forEach((each) => { each.disabled = true; });
  trigger("answer", {choice: button.dataset.answer});
}
async function prepare() {
  const shown = addresses();
  buttons().forEach((button) => { button.disabled = true; });
  if (!shown) return;
  const arrived = await Promise.all(pictures().map((picture) => picture.decode())).then(() => true, () => false);
  if (shown !== addresses()) return;
  buttons().forEach((button) => { button.disabled = !arrived; });
  element.querySelector(".lost").hidden = arrived;
  if (!arrived || early?.about !== shown) return;
  // Painted once before the answer takes them away: nobody judges what was never seen.
  requestAnimationFrame(() => requestAnimationFrame(() => {
    if (early?.about === addresses()) answer(buttons().find((each) => each.dataset.answer === early.choice));
  }));
}
element.addEventListener("click", (event) => answer(event.target.closest("button[data-answer]")));
document.addEventListener("keydown", (event) => {
  const choice = keys[event.key];
  const undo = event.key === "Backspace" && document.querySelector("#undo");
  if (!choice && !undo) return;
  if (!element.isConnected || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  if (undo) {
    if (undo.checkVisibility() && buttons().length && buttons().every((each) => !each.disabled)) undo.click();
    return;
  }
  const button = buttons().find((each) => each.dataset.answer === choice);
  if (button) event.preventDefault();
  answer(button);
});
watch("value", prepare);
prepare();
"""


def question(lang: Lang, pair: PicturePair, tokens: tuple[str, str], number: int, of: int) -> Markup:
    """The pair as the page shows it: caption, progress, two pictures, four answers."""
    pictures = Markup("").join(
        Markup('<figure class="picture"><img src="/pictures/blind/{}.png" alt="{}"></figure>').format(
            token, t(lang, f"picture_{side}")
        )
        for token, side in zip(tokens, ("left", "right"), strict=True)
    )
    # In the order of the arrow keys: left and right below their pictures, both between them.
    order: tuple[Answer, ...] = ("left", "both good", "both bad", "right")
    answers = Markup("").join(
        Markup('<button type="button" data-answer="{}" disabled><kbd>{}</kbd> {}</button>').format(
            answer, ARROWS[answer], t(lang, f"answer_{answer.replace(' ', '_')}")
        )
        for answer in order
    )
    return Markup(
        '<section class="blind" aria-label="{}"><p class="asked"><q lang="{}">{}</q><span class="number">{}</span></p>'
        '<progress max="{}" value="{}" aria-label="{}"></progress><div class="strip two">{}</div>'
        '<div class="answers">{}</div><p class="lost" role="alert" hidden>{}</p></section>'
    ).format(
        t(lang, "page_judge"),
        pair.language,
        pair.caption,
        t(lang, "question_number", n=number, of=of),
        of,
        number - 1,
        t(lang, "votes_given"),
        pictures,
        answers,
        t(lang, "pictures_lost"),
    )
