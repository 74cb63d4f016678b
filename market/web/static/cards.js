// Loops in a grid: each plays at a click, one at a time; older ones and new ones are put in as they come.

import { player } from "./player.js";

export class Cards {
  #grid;

  constructor(grid) {
    this.#grid = grid;
    this.#ready();
    grid.addEventListener("click", (event) => {
      const button = event.target.closest("[data-play]");
      if (button) this.#toggle(button);
    });
    player.addEventListener("change", () => this.#playing());
  }

  /** Put the cards of another page in: at the end, or in place of those that are here. */
  async load(url, { replace = false } = {}) {
    const answer = await fetch(url);
    if (!answer.ok) return null;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const cards = [...page.querySelectorAll("#recent .card")];
    if (replace) this.#grid.replaceChildren(...cards);
    else this.#grid.append(...cards);
    this.#ready();
    this.#playing();
    return page;
  }

  #ready() {
    for (const button of this.#grid.querySelectorAll("[data-play]")) button.hidden = false;
  }

  async #toggle(button) {
    const card = button.closest(".card");
    card.classList.remove("broken");
    try {
      await player.toggle(JSON.parse(card.dataset.loop));
    } catch {
      card.classList.add("broken");
      button.setAttribute("aria-label", "This loop's audio cannot be played");
    }
  }

  #playing() {
    for (const card of this.#grid.querySelectorAll(".card")) {
      const loop = JSON.parse(card.dataset.loop);
      const on = player.plays(loop);
      card.classList.toggle("playing", on);
      const button = card.querySelector("[data-play]");
      button.setAttribute("aria-pressed", String(on));
      button.setAttribute("aria-label", `${on ? "Stop" : "Play"} ${loop.prompt}`);
      if (on) requestAnimationFrame(() => this.#frame(card, loop));
    }
  }

  #frame(card, loop) {
    if (!player.plays(loop) || !card.isConnected) return;
    card.querySelector(".head").style.setProperty("--along", player.position / loop.seconds);
    requestAnimationFrame(() => this.#frame(card, loop));
  }
}
