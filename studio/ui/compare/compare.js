// The matrix: arrows step through seeds, shift and a click choose what is laid over, frames fill as pictures come.
const sheet = () => element.querySelector(".sheet");
let at = { left: 0, top: 0 };
let heads;

// Not while somebody types, chooses, moves a slider, or scrolls a matrix that is wider than its place.
document.addEventListener("keydown", (event) => {
  const busy = event.target.closest("input, textarea, select, [contenteditable], [role=listbox], [role=slider]");
  const wide = event.target.closest(".sheet");
  const button = { ArrowLeft: "noise-back", ArrowRight: "noise-next" }[event.key];
  if (!button || busy || event.altKey || event.ctrlKey || event.metaKey) return;
  if (!wide || wide.scrollWidth <= wide.clientWidth) document.getElementById(button)?.click();
});
element.addEventListener("click", (event) => {
  const cell = event.target.closest("td[data-place]");
  if (!cell || !event.shiftKey || !cell.querySelector("img")) return;
  event.preventDefault();
  event.stopPropagation();
  trigger("select", { place: cell.dataset.place });
}, true);
// What is shown anew stays where somebody had scrolled to, but for other models or captions.
element.addEventListener("scroll", (event) => {
  if (event.target === sheet()) at = { left: event.target.scrollLeft, top: event.target.scrollTop };
}, true);
watch("value", () => {
  const now = sheet()?.dataset.shown;
  if (now !== heads) at = { left: 0, top: 0 };
  heads = now;
  sheet()?.scrollTo({ ...at, behavior: "instant" });
});
