// Pictures that came since the page was told last move into their frames, if the page still has those.
watch("value", () => {
  for (const cell of element.querySelectorAll("td[data-cell]")) {
    for (const frame of document.querySelectorAll(`#sheet td[data-cell="${cell.dataset.cell}"]`)) {
      if (!frame.querySelector("img")) frame.replaceChildren(...cell.cloneNode(true).childNodes);
    }
  }
});
