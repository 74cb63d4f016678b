// Tells the market that a loop is being listened to, once it has been for a few seconds.

import { player } from "./player.js";

const HEARD_MS = 5000;
const told = new Set();
let waiting;

player.addEventListener("change", () => {
  clearTimeout(waiting);
  const loop = player.loop;
  // Only what is for sale has counts.
  const published = loop && (loop.listing?.status ?? loop.status) === "published";
  if (published && !told.has(loop.id)) waiting = setTimeout(() => tell(loop.id), HEARD_MS);
});

function tell(id) {
  told.add(id);
  fetch(`/v1/loops/${id}/plays`, { method: "POST", keepalive: true }).catch(() => told.delete(id));
}
