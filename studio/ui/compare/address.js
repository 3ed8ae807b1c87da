// The address says what the page shows, for whoever copies it, loads it again or changes the language.
watch("value", () => {
  const query = element.querySelector("[data-query]")?.dataset.query;
  if (query) window.history.replaceState(window.history.state, "", `${window.location.pathname}?${query}`);
});
