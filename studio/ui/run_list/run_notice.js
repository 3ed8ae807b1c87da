// Tells, by the system's own notice, when a run ends, stops going on or is stuck: on any page, for whoever asked for it.
(() => {
  const KEPT = "studio_notices";
  const AGAIN = 15000; // ms between two looks
  const known = new Map(); // how each run was: "going", "stuck" or "still", by its name
  let timer = 0;

  const language = () => window.location.pathname.split("/")[1];
  const on = () => "Notification" in window && Notification.permission === "granted" && localStorage.getItem(KEPT) === "on";

  function tell(run) {
    const address = `/${language()}/?${new URLSearchParams({ run: run.name })}`;
    // Of several tabs each tells; under one tag the system shows one of them.
    const notice = new Notification(run.title || run.name, { body: run.state, icon: run.cover || undefined, tag: `m2n2-${run.name}` });
    notice.addEventListener("click", () => { window.focus(); window.location.assign(address); });
  }

  async function look() {
    window.clearTimeout(timer);
    if (!on()) return;
    timer = window.setTimeout(look, AGAIN);
    let runs;
    try {
      const answer = await fetch(`/run-list/${language()}`);
      if (!answer.ok) return;
      ({ runs } = await answer.json());
    } catch {
      return; // the studio has ended, or is busy: asked again
    }
    for (const run of runs) {
      const now = run.stuck ? "stuck" : run.going ? "going" : "still";
      const before = known.get(run.name);
      // A run that was stuck and goes on again is no news.
      if ((before === "going" && now !== "going") || (before === "stuck" && now === "still")) tell(run);
      known.set(run.name, now);
    }
  }

  async function press(button) {
    const wanted = localStorage.getItem(KEPT) !== "on" || Notification.permission !== "granted";
    // Asked for here alone, where somebody wants it.
    const granted = wanted && (await Notification.requestPermission()) === "granted";
    localStorage.setItem(KEPT, granted ? "on" : "off");
    button.setAttribute("aria-pressed", granted);
    if (wanted && !granted && !button.parentElement.querySelector("[role=status]")) {
      const why = Object.assign(document.createElement("p"), { className: "quiet", textContent: button.dataset.refused });
      why.setAttribute("role", "status");
      button.parentElement.querySelector(".runs-close").after(why);
    }
    look();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".runs-notice");
    if (button) press(button);
  });
  document.addEventListener("studio-runs", look);
  look();
})();
