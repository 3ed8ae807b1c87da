// An error that is about a field is said at that field, until somebody changes it or presses a button again. All others
// are said by Gradio, in a corner of the window for some seconds.
(() => {
  const told = new Map(); // what is said at a field, and the field
  const seen = new WeakSet(); // Gradio's messages
  let count = 0;

  const visible = (one) => one.getClientRects().length > 0;

  const forget = (said) => {
    told.delete(said);
    for (const input of document.querySelectorAll(`[aria-describedby="${said.id}"]`)) {
      input.removeAttribute("aria-describedby");
      input.removeAttribute("aria-invalid");
    }
    said.remove();
  };
  const outdated = (test) => [...told].filter(([, field]) => test(field)).forEach(([said]) => forget(said));

  const onChange = ({ target }) => outdated((field) => field.contains(target));
  const onKey = (event) => event.key === "Enter" && onChange(event);
  const onPress = ({ target }) => target.closest?.("[role='option'], .token-remove") && onChange({ target });
  const onClick = ({ target }) => {
    const button = target.closest?.("button");
    if (button && !button.closest(".label-wrap, .toast-wrap")) outdated(() => true);
  };
  const listeners = { input: onChange, change: onChange, keydown: onKey, mousedown: onPress, click: onClick };
  for (const [kind, listener] of Object.entries(listeners)) document.addEventListener(kind, listener, true);

  // Opens the closed parts of the page that a field lies in.
  const unfold = async (field) => {
    const closed = [];
    for (let part = field; part; part = part.parentElement) {
      if (part.dataset.testid === "accordion-content" && part.style.display === "none") closed.push(part);
    }
    for (const part of closed) part.previousElementSibling.click();
    if (closed.length) await new Promise(window.requestAnimationFrame);
  };

  // Whoever is writing elsewhere goes on there. A list of choices, open, would lie over what is said.
  const focus = (input) => {
    const writing = document.activeElement?.matches("textarea, input:not([type='checkbox'], [type='radio'], [type='range'])");
    if (input.role === "combobox") input.blur();
    else if (!writing) input.focus({ preventScroll: true });
  };

  const say = (toast, field) => {
    outdated((other) => other === field);
    const said = document.createElement("div");
    said.className = "inline-error";
    said.id = `said-${++count}`;
    said.setAttribute("role", "alert");
    said.append(...toast.childNodes); // moved, not copied: nothing is said twice
    toast.dataset.said = "";
    if (field.style.height) (field.closest(".row") || field).after(said); // there is no more room inside
    else field.append(said);
    told.set(said, field);
    const inputs = field.querySelector("table") ? [] : field.querySelectorAll("textarea, input:not([type='file'])");
    for (const input of inputs) {
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", said.id);
    }
    if (inputs.length) focus(inputs[0]);
    const { top, bottom } = said.getBoundingClientRect();
    if (top < 0 || bottom > window.innerHeight) said.scrollIntoView({ block: "center" });
    const box = toast.closest(".toast-body");
    if (!box.querySelector(".toast-message-text:not([data-said])")) box.querySelector(".toast-close").click();
  };

  const look = async (toast) => {
    seen.add(toast);
    const name = toast.querySelector("[class^='at-']")?.className.slice(3);
    const field = name && document.getElementById(name);
    if (!field) return;
    await unfold(field);
    if (visible(field)) say(toast, field);
  };
  new MutationObserver(() => {
    for (const toast of document.querySelectorAll(".toast-message-text.error")) if (!seen.has(toast)) look(toast);
  }).observe(document, { childList: true, subtree: true });
})();
