// Two pictures take turns, less than three times a second; a click holds them, or goes on. Who asks for less motion
// turns them by hand.
const still = window.matchMedia("(prefers-reduced-motion: reduce)");
const button = () => element.querySelector(".flicker");
const turn = () => button()?.classList.toggle("second");
element.addEventListener("click", () => (still.matches ? turn() : button()?.classList.toggle("held")));
setInterval(() => { if (!still.matches && !button()?.classList.contains("held")) turn(); }, 600);
