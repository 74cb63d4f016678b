// All loops: the grid grows in place of turning the page.

import { Cards } from "./cards.js";

const cards = new Cards(document.querySelector("#recent"));
const older = document.querySelector("#older");

older?.addEventListener("click", async (event) => {
  event.preventDefault();
  const page = await cards.load(older.href);
  if (!page) return;
  const next = page.querySelector("#older");
  if (next) older.href = next.getAttribute("href");
  else older.parentElement.remove();
});
