// Any picture of a page, as large as the window. One of a run can be stepped from: models, prompts, seeds; others step
// to their neighbours on the page.
(() => {
  const RUN = "/pictures/run/";
  const known = new Map(); // what one can step through, by run
  let dialog, run, model, prompt, noise, plain, opener;

  const lang = () => window.location.pathname.split("/")[1];
  const make = (name, css, text) => {
    const one = document.createElement(name);
    if (css) one.className = css;
    if (text) one.textContent = text;
    return one;
  };
  const ask = async (address) => {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${answer.status}`);
    return answer.json();
  };

  function frame() {
    if (dialog) return;
    dialog = make("dialog", "lightbox");
    dialog.append(make("header"), make("div", "shown"), make("footer"));
    document.querySelector(".gradio-container").append(dialog);
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("close", () => { dialog.querySelector(".shown").replaceChildren(); opener?.focus(); });
  }

  function button(key, text, act, pressed) {
    const one = make("button", "", `${text} (${key})`);
    one.type = "button";
    if (pressed !== undefined) one.ariaPressed = pressed;
    one.addEventListener("click", act);
    return one;
  }

  function picture(address, alt) {
    const one = make("img");
    one.alt = alt;
    // Pixels of a small picture stay pixels.
    one.addEventListener("load", () => one.classList.toggle("small", one.naturalWidth <= 256));
    one.src = address;
    return one;
  }

  async function copy(event, text, words) {
    const pressed = event.currentTarget;
    await navigator.clipboard.writeText(text);
    pressed.textContent = words.copied;
  }

  async function show() {
    const words = known.get(run).words;
    const asked = [run, model.id, `${noise}`, prompt.id].map(encodeURIComponent).join("/");
    const place = await ask(`/lightbox/${lang()}/${asked}`);
    if (place.model !== model.id) return;
    const head = make("h2", "", place.title);
    const close = button("Esc", words.close, () => dialog.close());
    dialog.querySelector("header").replaceChildren(head, close);
    dialog.ariaLabel = place.title;
    dialog.querySelector(".shown").replaceChildren(...place.shown.map((one) => {
      const figure = make("figure", one.language);
      const said = make("figcaption");
      const caption = make("p", "caption", one.caption);
      caption.lang = one.language;
      const number = make("p", "number");
      number.append(make("b", "", `${one.label} ${one.score}`), make("span", "", ` ${one.change}`));
      said.append(caption, number);
      if (one.data) {
        const copying = make("button", "", words.copy_data);
        copying.type = "button";
        copying.addEventListener("click", (event) => copy(event, one.data, words));
        said.append(copying);
      }
      figure.append(one.address ? picture(one.address, one.caption) : make("p", "none", words.no_picture), said);
      return figure;
    }));
    const marks = ["star", "reject"].map((what) => {
      const on = place[what === "star" ? "starred" : "rejected"];
      const one = button(what === "star" ? "S" : "X", words[what], () => mark(what, !on), on);
      one.className = "needs-judge";
      return one;
    });
    const ways = [["C", "to_compare", place.compare], ["E", "to_export", place.export]].map(([key, word, address]) => {
      const one = make("a", "", `${words[word]} (${key})`);
      one.href = address;
      one.dataset.key = key;
      return one;
    });
    dialog.querySelector("footer").replaceChildren(...marks, ...ways, make("span", "keys", words.keys));
  }

  async function mark(what, on) {
    const asked = [run, model.id, what, on ? "on" : "off"].map(encodeURIComponent).join("/");
    const answer = await fetch(`/marks/${asked}`, { method: "POST" });
    if (!answer.ok) return;
    document.dispatchEvent(new Event("studio-marks")); // the shortlist of the page below
    await show();
  }

  function step(list, now, by) {
    return list[(list.indexOf(now) + by + list.length) % list.length];
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const sideways = { ArrowLeft: -1, ArrowRight: 1 }[key];
    const down = { ArrowUp: -1, ArrowDown: 1 }[key];
    if (plain) {
      if (!sideways && !down) return;
      event.preventDefault();
      plain.now = step(plain.all, plain.now, sideways || down);
      showPlain();
      return;
    }
    const around = known.get(run);
    if (sideways) model = step(around.models, model, sideways);
    else if (down) prompt = step(around.prompts, prompt, down);
    else if (/^[1-9]$/.test(key) && Number(key) <= around.noises) noise = Number(key) - 1;
    else if (key === "s" || key === "x") { event.preventDefault(); marked(key === "s" ? 0 : 1); return; }
    else if (key === "c" || key === "e") { dialog.querySelector(`a[data-key="${key.toUpperCase()}"]`)?.click(); return; }
    else return;
    event.preventDefault();
    show();
  }

  function marked(number) {
    const one = dialog.querySelectorAll("footer .needs-judge")[number];
    if (one && getComputedStyle(one).display !== "none") one.click();
  }

  function showPlain() {
    const [src, text] = plain.now;
    const close = make("button", "", "×");
    close.type = "button";
    close.ariaLabel = "Esc";
    close.addEventListener("click", () => dialog.close());
    dialog.querySelector("header").replaceChildren(make("h2", "", text), close);
    dialog.ariaLabel = text;
    const figure = make("figure");
    figure.append(picture(src, text));
    dialog.querySelector(".shown").replaceChildren(figure);
    dialog.querySelector("footer").replaceChildren();
  }

  async function open(image) {
    frame();
    opener = image.closest("a") || image;
    const link = image.closest("a[href]")?.getAttribute("href");
    plain = null;
    if (link?.startsWith(RUN)) {
      const [name, folder, file] = link.slice(RUN.length).split("/").map(decodeURIComponent);
      run = name;
      known.set(run, await ask(`/lightbox/${lang()}/${encodeURIComponent(run)}`));
      const around = known.get(run);
      const parts = file.match(/^(.*)-(?:ja|en)-(\d+)\.\w+$/);
      model = around.models.find((one) => one.folder === folder);
      prompt = parts && around.prompts.find((one) => one.stem === parts[1] || one.id === parts[1]);
      noise = parts ? Number(parts[2]) : 0;
    }
    if (link?.startsWith(RUN) && model && prompt) await show();
    else {
      const beside = [...(image.closest(".strip, .sheet, .cards, .pairs") || image.parentElement).querySelectorAll(".picture img")];
      const all = beside.map((one) => [one.closest("a[href]")?.getAttribute("href") || one.getAttribute("src"), one.alt]);
      plain = { all, now: all[Math.max(0, beside.indexOf(image))] };
      showPlain();
    }
    if (!dialog.open) dialog.showModal();
  }

  // On the page, as what had the focus is drawn again at every step.
  document.addEventListener("keydown", (event) => { if (dialog?.open) onKey(event); });
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const link = event.target.closest(".picture a[href]");
    const image = event.target.closest(".picture img") || link?.querySelector("img");
    // A blind question shows its pictures as large as they may be, and whose they are is nobody's business.
    if (!image || image.closest(".blind, dialog, a.leads")) return;
    event.preventDefault();
    open(image);
  });
})();
