// The rows of a prompt set: fields that are written in at the first click, with an input method too.
const words = props.words;
const body = document.createElement("tbody");
const filter = document.createElement("input");
const count = document.createElement("span");
let rows = [];
let soon = null;

function field(row, column) {
  const long = words.long.includes(column);
  const one = document.createElement(long ? "textarea" : "input");
  if (long) one.rows = 1;
  one.value = rows[row][column] ?? "";
  one.lang = words.langs[column] || "";
  one.dataset.column = column;
  one.ariaLabel = `${words.headers[column]} ${row + 1}`;
  return one;
}

function line(row) {
  const shown = document.createElement("tr");
  words.headers.forEach((_, column) => shown.insertCell().append(field(row, column)));
  const remove = document.createElement("button");
  remove.type = "button";
  remove.textContent = "×";
  remove.ariaLabel = `${words.remove} ${row + 1}`;
  remove.className = "remove";
  shown.insertCell().append(remove);
  return shown;
}

function build() {
  rows = (props.value || []).map((cells) => words.headers.map((_, column) => cells[column] ?? ""));
  body.replaceChildren(...rows.map((_, row) => line(row)));
  sift();
}

function sift() {
  const sought = filter.value.trim().toLowerCase();
  let shown = 0;
  [...body.rows].forEach((one, row) => {
    const fits = !sought || rows[row].some((cell) => String(cell).toLowerCase().includes(sought));
    one.hidden = !fits;
    shown += fits;
  });
  count.textContent = sought ? `${shown} / ${rows.length}` : `${rows.length}`;
}

function tell() {
  clearTimeout(soon);
  soon = null;
  props.value = rows.map((cells) => [...cells]);
  trigger("input");
}

function note(one) {
  rows[[...body.rows].indexOf(one.closest("tr"))][Number(one.dataset.column)] = one.value;
  // What is saved is what stands here: the value goes along at once, words about it a moment later.
  props.value = rows.map((cells) => [...cells]);
  clearTimeout(soon);
  soon = setTimeout(tell, 400);
}

function add() {
  rows.push(words.headers.map(() => ""));
  body.append(line(rows.length - 1));
  count.textContent = `${rows.length}`;
}

function pasted(one, text) {
  const first = [...body.rows].indexOf(one.closest("tr"));
  const from = Number(one.dataset.column);
  text.replace(/\r?\n$/, "").split(/\r?\n/).forEach((cells, down) => {
    if (first + down === rows.length) add();
    cells.split("\t").slice(0, words.headers.length - from).forEach((cell, right) => {
      rows[first + down][from + right] = cell;
      body.rows[first + down].querySelector(`[data-column="${from + right}"]`).value = cell;
    });
  });
  tell();
}

body.addEventListener("input", (event) => { if (!event.isComposing) note(event.target); });
body.addEventListener("compositionend", (event) => note(event.target));
body.addEventListener("change", (event) => { note(event.target); tell(); });
body.addEventListener("paste", (event) => {
  const text = event.clipboardData.getData("text/plain");
  if (!/[\t\n]/.test(text.trim())) return;
  event.preventDefault();
  pasted(event.target, text);
});
body.addEventListener("keydown", (event) => {
  // Enter also ends a word of an input method; then it belongs to that.
  if (event.key !== "Enter" || event.isComposing || event.shiftKey || !event.target.dataset.column) return;
  event.preventDefault();
  const row = [...body.rows].indexOf(event.target.closest("tr"));
  if (row + 1 === rows.length) add();
  body.rows[row + 1].querySelector(`[data-column="${event.target.dataset.column}"]`).focus();
});
body.addEventListener("click", (event) => {
  const button = event.target.closest("button.remove");
  if (!button) return;
  const row = [...body.rows].indexOf(button.closest("tr"));
  rows.splice(row, 1);
  props.value = rows.map((cells) => [...cells]);
  build();
  tell();
});

const table = document.createElement("table");
const head = table.createTHead().insertRow();
words.headers.forEach((text) => {
  const one = document.createElement("th");
  one.scope = "col";
  one.textContent = text;
  head.append(one);
});
head.insertCell();
table.append(body);
filter.type = "search";
filter.placeholder = filter.ariaLabel = words.search;
filter.addEventListener("input", sift);
const more = document.createElement("button");
more.type = "button";
more.className = "add";
more.textContent = words.add;
more.addEventListener("click", () => { add(); body.rows[rows.length - 1].querySelector("[data-column]").focus(); });
const top = document.createElement("div");
top.className = "rows-top";
top.append(filter, count);
const scroll = document.createElement("div");
scroll.className = "rows-scroll";
scroll.append(table);
element.querySelector(".rows").replaceChildren(top, scroll, more);
watch("value", () => { if (JSON.stringify(props.value) !== JSON.stringify(rows)) build(); });
build();
