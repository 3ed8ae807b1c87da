// Cards: a click or Enter opens one, a click with shift picks it for Compare; the slider sets how large pictures are.
const KEPT = "studio_picture_size";
const wall = () => element.querySelector(".wall");
const picked = new Set();

function sized(pixels) {
  element.style.setProperty("--picture", `${pixels}px`);
}

function pick(id) {
  picked.has(id) ? picked.delete(id) : picked.add(id);
  dress();
}

function dress() {
  element.querySelectorAll("[data-id]").forEach((model) => {
    model.classList.toggle("picked", picked.has(model.dataset.id));
    if (model.matches("button")) model.setAttribute("aria-pressed", picked.has(model.dataset.id));
  });
  let bar = element.querySelector(".picked-bar");
  if (!picked.size || !wall()) { bar?.remove(); return; }
  if (!bar) {
    bar = document.createElement("a");
    bar.className = "picked-bar";
    wall().before(bar);
  }
  const ids = [...picked];
  bar.href = `${wall().dataset.compare}&id=${ids.map(encodeURIComponent).join(",")}`;
  bar.textContent = `${wall().dataset.words}: ${ids.join(", ")}`;
}

element.addEventListener("click", (event) => {
  const card = event.target.closest(".wall-card");
  if (!card) return;
  if (event.target.closest("summary")) return; // shows who looks like it
  const { id } = event.target.closest("[data-id]").dataset; // the card's, or of one that is folded into it
  if (event.shiftKey) { event.preventDefault(); event.stopPropagation(); pick(id); return; }
  if (event.target.closest(".picture a")) return; // the lightbox's
  trigger("open", { id });
}, true);
element.addEventListener("keydown", (event) => {
  const model = event.target.closest("[data-id]");
  if (!model || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "c") pick(model.dataset.id);
  else if (event.key === "Enter" && !event.target.closest("a, button, summary")) trigger("open", { id: model.dataset.id });
  else return;
  event.preventDefault();
});
document.addEventListener("input", (event) => {
  if (!event.target.matches?.("#picture-size input")) return;
  localStorage.setItem(KEPT, event.target.value);
  sized(event.target.value);
});
// Back returns to whom the address then names.
window.addEventListener("popstate", () => {
  trigger("open", { id: new URLSearchParams(window.location.search).get("id") || "" });
});
watch("value", dress);
sized(localStorage.getItem(KEPT) || 160);
