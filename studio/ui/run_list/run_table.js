// All runs as a table over the page: sorted by any column, found by a word, and given a title, a note and tags there.
(() => {
  let dialog = null;
  let content = null;
  let sorted = { key: "began", down: true };
  let wanted = "";
  let editing = null;

  const made = (name, properties = {}, ...children) => {
    const one = Object.assign(document.createElement(name), properties);
    one.append(...children);
    return one;
  };
  const language = () => window.location.pathname.split("/")[1];
  const shownName = (run) => run.title || run.name;

  const value = (run, key) => {
    if (key === "name") return shownName(run).toLocaleLowerCase();
    return key === "state" ? run.state : run.cells[key].value;
  };
  const inOrder = () => {
    const word = wanted.trim().toLocaleLowerCase();
    const found = content.runs.filter((run) =>
      [run.name, run.title, run.note, ...run.tags].some((text) => text.toLocaleLowerCase().includes(word)));
    return found.sort((one, other) => {
      const [a, b] = [value(one, sorted.key), value(other, sorted.key)];
      if (a === null || b === null) return (a === null) - (b === null); // what has no figure comes last, either way
      const order = typeof a === "string" ? a.localeCompare(b, language()) : a - b;
      return sorted.down ? -order : order;
    });
  };

  const heading = ([key, text]) => {
    const button = made("button", { type: "button", textContent: text });
    button.addEventListener("click", () => {
      const words = key === "name" || key === "state"; // from A; figures from the largest
      sorted = { key, down: sorted.key === key ? !sorted.down : !words };
      fill();
      dialog.querySelector(`th[data-key="${key}"] button`).focus();
    });
    const cell = made("th", { scope: "col", className: key === "name" || key === "state" ? "" : "number" }, button);
    cell.dataset.key = key;
    if (sorted.key === key) cell.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
    return cell;
  };

  const nameCell = (run) => {
    const { words } = content;
    const cover = run.cover ? made("img", { src: run.cover, alt: "", loading: "lazy" }) : made("span", { className: "no-picture" });
    const said = made("span", { className: "words" }, made("b", { textContent: shownName(run) }));
    if (run.title && run.title !== run.name) said.append(made("span", { className: "quiet", textContent: run.name }));
    if (run.note) said.append(made("span", { textContent: run.note }));
    if (run.tags.length) said.append(made("span", {}, ...run.tags.map((tag) => made("span", { className: "tag", textContent: tag }))));
    const open = made("a", { href: `/${language()}/?${new URLSearchParams({ run: run.name })}` }, cover, said);
    const edit = made("button", { type: "button", className: "edit needs-editor", textContent: "✎", title: words.edit });
    edit.setAttribute("aria-label", `${words.edit}: ${shownName(run)}`);
    edit.dataset.run = run.name;
    edit.addEventListener("click", () => { editing = run.name; fill(); dialog.querySelector("form input").focus(); });
    return made("th", { scope: "row" }, made("div", {}, open, edit));
  };

  const form = (run) => {
    const { words, longest } = content;
    const field = (name, label, text, more = {}) =>
      made("label", {}, made("span", { textContent: label }), made("input", { name, value: text, autocomplete: "off", ...more }));
    const cancel = made("button", { type: "button", textContent: words.cancel });
    const problem = made("p", { className: "problem", role: "alert" });
    const one = made("form", {},
      field("title", words.called, run.title, { maxLength: longest.title, placeholder: run.name }),
      field("note", words.note, run.note, { maxLength: longest.note }),
      field("tags", words.tags, run.tags.join(", "), { placeholder: words.between }),
      made("button", { type: "submit", textContent: words.save }), cancel, problem);
    cancel.addEventListener("click", () => { editing = null; fill(); again(run.name); });
    one.addEventListener("submit", async (event) => {
      event.preventDefault();
      const answer = await fetch(`/run-label/${language()}/${encodeURIComponent(run.name)}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(Object.fromEntries(new FormData(one))),
      });
      if (!answer.ok) { problem.textContent = (await answer.json()).detail; return; }
      editing = null;
      await ask();
      again(run.name);
      document.dispatchEvent(new Event("studio-runs")); // the list beside the page
    });
    return made("tr", { className: "editing" }, Object.assign(made("td", {}, one), { colSpan: content.columns.length }));
  };
  const again = (name) => [...dialog.querySelectorAll(".edit")].find((one) => one.dataset.run === name)?.focus();

  const row = (run) => {
    const cells = content.columns.slice(2).map(([key]) => {
      const cell = run.cells[key];
      const text = key === "began" && cell.value ? new Date(cell.value).toLocaleDateString(language()) : cell.text;
      return made("td", { className: "number", textContent: text });
    });
    return made("tr", { className: run.going ? "going" : "" }, nameCell(run), made("td", { textContent: run.state }), ...cells);
  };

  function fill() {
    const body = inOrder().flatMap((run) => (run.name === editing ? [row(run), form(run)] : [row(run)]));
    dialog.querySelector("thead").replaceChildren(made("tr", {}, ...content.columns.map(heading)));
    dialog.querySelector("tbody").replaceChildren(...body);
  }

  async function ask() {
    const answer = await fetch(`/run-table/${language()}`);
    if (!answer.ok) return;
    content = await answer.json();
    fill();
  }

  async function open() {
    const answer = await fetch(`/run-table/${language()}`);
    if (!answer.ok) return;
    content = await answer.json();
    if (!dialog) {
      const { words } = content;
      const close = made("button", { type: "button", className: "close", textContent: "×", ariaLabel: words.close });
      const find = made("input", { type: "search", placeholder: words.find, ariaLabel: words.find });
      find.addEventListener("input", () => { wanted = find.value; fill(); });
      close.addEventListener("click", () => dialog.close());
      dialog = made("dialog", { id: "run-table", ariaLabel: words.title },
        made("header", {}, made("h2", { textContent: words.title }), find, close),
        made("div", { className: "rows", tabIndex: 0 }, made("table", {}, made("thead"), made("tbody"))),
        made("p", { className: "quiet", textContent: words.note_on_scores }));
      dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
      document.querySelector(".gradio-container").append(dialog);
    }
    editing = null;
    fill();
    dialog.showModal();
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest?.(".runs-table")) open();
  });
})();
