// The runs of the studio at the left of every page. Asked for while it is open; what was open stays so on the next page.
(() => {
  const KEPT = "studio_runs";
  const AGAIN = 5000; // ms between two looks while a run goes on
  const NO_RUN = ["new", "sources", "prompts", "monitor"]; // pages that show no run
  let list = null;
  let timer = 0;

  const made = (name, properties = {}, ...children) => {
    const one = Object.assign(document.createElement(name), properties);
    one.append(...children);
    return one;
  };
  const opener = () => document.querySelector(".runs-open");
  const language = () => window.location.pathname.split("/")[1];
  const shown = () => new URLSearchParams(window.location.search).get("run");

  const link = (name) => {
    const page = window.location.pathname.split("/")[2] || "";
    const path = NO_RUN.includes(page) ? `/${language()}/` : window.location.pathname;
    return `${path}?${new URLSearchParams({ run: name })}`;
  };

  const row = (run) => {
    const cover = run.cover
      ? made("img", { src: run.cover, alt: "", loading: "lazy" })
      : made("span", { className: "no-picture" });
    const words = made("span", { className: "words" }, made("b", { textContent: run.title || run.name }), made("span", { textContent: run.state }));
    if (run.note) words.append(made("span", { className: "note", textContent: run.note }));
    if (run.tags.length) words.append(made("span", {}, ...run.tags.map((tag) => made("span", { className: "tag", textContent: tag }))));
    if (!run.readable) return made("li", { className: "unreadable" }, cover, words);
    const open = made("a", { href: link(run.name), title: run.title ? `${run.title} (${run.name})` : run.name }, cover, words);
    if (run.name === shown()) open.setAttribute("aria-current", "true");
    return made("li", { className: run.going ? "going" : "" }, open);
  };

  const bell = ({ notice, told, refused }) => {
    const on = Notification.permission === "granted" && localStorage.getItem("studio_notices") === "on";
    const one = made("button", { type: "button", className: "runs-notice", textContent: notice, title: told });
    one.setAttribute("aria-pressed", on);
    one.dataset.refused = refused;
    return one;
  };

  const fill = async () => {
    window.clearTimeout(timer);
    let content;
    try {
      const answer = await fetch(`/run-list/${language()}`);
      if (!answer.ok) return;
      content = await answer.json();
    } catch {
      return; // the page is left, or the studio has ended: what is shown stays
    }
    if (!list) return;
    const rows = content.runs.map(row);
    const before = list.querySelector(":scope > ul, :scope > p:not([role])");
    const after = rows.length ? made("ul", {}, ...rows) : made("p", { className: "quiet", textContent: content.words.empty });
    const place = before?.scrollTop || 0;
    const focused = list.contains(document.activeElement) ? document.activeElement.title : null;
    if (before) before.replaceWith(after);
    else {
      const { close, table } = content.words;
      list.append(
        made("button", { type: "button", className: "runs-table", textContent: table }),
        ...("Notification" in window ? [bell(content.words)] : []), // browsers have none for pages without HTTPS
        made("button", { type: "button", className: "runs-close", ariaLabel: close, textContent: "×" }),
        after,
      );
    }
    after.scrollTop = place;
    if (focused) [...after.querySelectorAll("a")].find((one) => one.title === focused)?.focus();
    if (content.runs.some((run) => run.going)) timer = window.setTimeout(look, AGAIN);
  };
  const look = () => {
    if (!list) return;
    if (document.hidden) timer = window.setTimeout(look, AGAIN);
    else fill();
  };

  const open = () => {
    const container = document.querySelector(".gradio-container");
    if (list || !container || !opener()) return;
    list = made("aside", { id: "run-list", ariaLabel: opener().textContent });
    container.append(list);
    container.classList.add("with-runs");
    opener().setAttribute("aria-expanded", "true");
    fill();
  };
  const close = () => {
    window.clearTimeout(timer);
    list?.remove();
    list = null;
    document.querySelector(".gradio-container")?.classList.remove("with-runs");
    opener()?.setAttribute("aria-expanded", "false");
  };

  document.addEventListener("studio-runs", look); // somebody called one otherwise
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.(".runs-open, .runs-close")) return;
    if (list) close();
    else open();
    localStorage.setItem(KEPT, list ? "open" : "closed");
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !list?.contains(document.activeElement)) return;
    close();
    localStorage.setItem(KEPT, "closed");
    opener()?.focus();
  });
  // The bar comes with Gradio's first drawing of the page.
  new MutationObserver((_, observer) => {
    if (!opener()) return;
    observer.disconnect();
    if (localStorage.getItem(KEPT) === "open" && window.innerWidth >= 1100) open();
  }).observe(document, { childList: true, subtree: true });
})();
