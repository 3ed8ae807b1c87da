// The first pictures of a page, while Gradio starts: what the server draws of them is shown over the page until the page
// shows them itself, or until somebody presses something. It is a shadow of the page: nothing there finds or changes it.
(() => {
  const [, lang, archive] = /^\/(en|ja)\/(archive)?$/.exec(window.location.pathname) ?? [];
  if (!lang) return;
  const page = archive ?? "evolve";
  const OWN = "#wall .picture img, #film .picture img, #newest .picture img"; // of the page itself
  const INSTEAD = "#not-found .not-found, .empty:not([aria-label])"; // what it says where there is none
  const FIRST = archive ? "#wall" : "#headline"; // what the look begins with, below the page's fields
  const FRAME = 10; // pixels that a block keeps around what it shows
  const PLACE = `studio_first_look_${page}`;
  const PRESSED = ["pointerdown", "keydown", "wheel"];
  const LONGEST = 30_000; // ms, after which nobody waits for the page any more

  const query = new URLSearchParams(window.location.search);
  const asked = query.get("run") ? `?${new URLSearchParams({ run: query.get("run") })}` : "";
  const drawn = fetch(`/first-look/${lang}/${page}${asked}`)
    .then((told) => told.text()).catch(() => ""); // whoever leaves meanwhile, or may not see it, is told by the page
  const body = new Promise((done) => document.addEventListener("DOMContentLoaded", done));

  const isThere = () => {
    const own = document.querySelector(OWN);
    return (own?.complete && own.naturalWidth) ||
      [...document.querySelectorAll(INSTEAD)].some((one) => one.offsetParent);
  };

  Promise.all([drawn, body]).then(([content]) => {
    if (!content || isThere()) return;
    const theme = query.get("__theme");
    const dark = theme ? theme === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
    const look = document.createElement("div");
    look.className = dark ? "first-look dark" : "first-look";
    look.ariaHidden = "true";
    const shadow = look.attachShadow({ mode: "closed" });
    shadow.innerHTML = `<div class="gradio-container ${dark ? "dark" : ""}" inert>${content}</div>`;
    // The pictures lie where they lay on this page the last time.
    shadow.querySelector(".fields").style.height = `${localStorage.getItem(PLACE) ?? 280}px`;
    shadow.querySelector("img")?.addEventListener("load", () => performance.mark("first-picture"), { once: true });
    document.body.append(look);

    const end = () => {
      const first = document.querySelector(FIRST)?.getBoundingClientRect();
      const bar = document.querySelector(".studio-bar")?.getBoundingClientRect();
      if (first?.height && bar) localStorage.setItem(PLACE, `${Math.round(first.top - bar.bottom + FRAME)}`);
      changes.disconnect();
      clearTimeout(tired);
      document.removeEventListener("load", endIfThere, true);
      for (const event of PRESSED) window.removeEventListener(event, end, true);
      look.remove();
    };
    const endIfThere = () => { if (isThere()) end(); };
    const changes = new MutationObserver(endIfThere);
    const tired = setTimeout(end, LONGEST);
    changes.observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["style"] });
    document.addEventListener("load", endIfThere, true); // pictures are heard of on their way down alone
    for (const event of PRESSED) window.addEventListener(event, end, true);
  });
})();
