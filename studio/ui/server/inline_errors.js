// What was refused is said where it was asked for: at the field that it is about, else below what was pressed. Gradio
// says it in a corner of the window, for a few seconds.
(() => {
  let acted = null;
  const remember = (event) => {
    const one = event.target.closest?.("button, a, .block");
    if (one && !one.closest(".toast-wrap, .inline-error")) acted = one;
  };
  for (const kind of ["click", "change", "input", "keydown"]) document.addEventListener(kind, remember, true);

  const visible = (one) => one?.isConnected && one.getClientRects().length > 0;

  // Below the row that it stands in: a sentence would share its columns.
  const placeOf = (one) => one.closest(".row") || one.closest(".block") || one;

  const forget = (said) => {
    const input = document.querySelector(`[aria-describedby="${said.id}"]`);
    input?.removeAttribute("aria-describedby");
    input?.removeAttribute("aria-invalid");
    said.remove();
  };
  // Whoever acts at the same place again is answered anew.
  const outdate = (event) => {
    for (const said of document.querySelectorAll(".inline-error")) {
      if (said.previousElementSibling?.contains(event.target)) forget(said);
    }
  };
  for (const kind of ["click", "input"]) document.addEventListener(kind, outdate, true);

  let count = 0;
  const say = (toast) => {
    const named = toast.querySelector("[class^='at-']")?.className.slice(3);
    const field = named && document.getElementById(named);
    const at = visible(field) ? field : acted;
    if (!visible(at)) return;
    const place = placeOf(at);
    if (place.nextElementSibling?.matches(".inline-error")) forget(place.nextElementSibling);
    const said = document.createElement("div");
    said.className = "inline-error";
    said.id = `said-${++count}`;
    said.setAttribute("role", "alert");
    said.append(...toast.cloneNode(true).childNodes);
    place.after(said);
    const input = at === field && field.querySelector("input, textarea");
    if (input) {
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", said.id);
    }
    window.requestAnimationFrame(() => {
      const { top, bottom } = said.getBoundingClientRect();
      if (top < 0 || bottom > window.innerHeight) said.scrollIntoView({ block: "center" });
    });
    toast.closest(".toast-body")?.querySelector(".toast-close")?.click();
  };

  new MutationObserver(() => {
    for (const toast of document.querySelectorAll(".toast-message-text.error:not([data-said])")) {
      toast.dataset.said = "";
      say(toast);
    }
  }).observe(document, { childList: true, subtree: true });
})();
