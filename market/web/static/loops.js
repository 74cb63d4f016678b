// The shop window: the grid grows in place of turning the page, filters act at once, words are suggested.

import { Cards } from "./cards.js";

const cards = new Cards(document.querySelector("#recent"));
const older = document.querySelector("#older");
const form = document.querySelector("[data-shop]");

older?.addEventListener("click", async (event) => {
  event.preventDefault();
  const page = await cards.load(older.href);
  if (!page) return;
  const next = page.querySelector("#older");
  if (next) older.href = next.getAttribute("href");
  else older.parentElement.remove();
});

form.addEventListener("change", (event) => {
  if (event.target.matches("input[type=checkbox], select")) form.requestSubmit();
});

// On a wide screen the filters stand open beside the loops.
const facets = form.querySelector("[data-facets]");
const wide = matchMedia("(min-width: 900px)");
if (facets && wide.matches) facets.open = true;

const words = form.querySelector("[data-suggest]");
let asked = 0;
words.addEventListener("input", async (event) => {
  // What is chosen from the list is not typed.
  if (event.inputType === "insertReplacementText" || !words.value.trim()) return;
  const mine = ++asked;
  const answer = await fetch(`/v1/loops/suggest?${new URLSearchParams({ q: words.value })}`);
  if (!answer.ok || mine !== asked) return;
  const { suggestions } = await answer.json();
  form.querySelector("#suggestions").replaceChildren(
    ...suggestions.map(({ text, kind }) => {
      const option = document.createElement("option");
      option.value = text;
      option.label = kind === "word" ? "" : kind;
      return option;
    }),
  );
});
