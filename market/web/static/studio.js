// The studio: the form places riffs through the API, the stage follows them, the shelf shows what came out.

import { Refusal, getRiff, placeRiff, wishKey } from "./api.js";
import { Cards } from "./cards.js";
import { sixteenths } from "./metre.js";
import { Stage } from "./stage.js";

const VARIATION = 0.35;
const NUMBERS = new Set(["bars", "bpm", "seed", "takes", "steps", "guidance_scale"]);

const order = document.querySelector("#order");
const prompt = order.elements.prompt;
const go = order.querySelector(".go");
const stage = new Stage(document.querySelector("[data-stage]"));
const cards = new Cards(document.querySelector("#recent"));
let unanswered = null;

order.noValidate = true;
order.addEventListener("submit", (event) => {
  event.preventDefault();
  place(wishOf(new FormData(order)));
});
order.addEventListener("input", (event) => {
  if (event.target.name) accuse(event.target.name, "");
  measure();
});
order.addEventListener("click", (event) => {
  const chip = event.target.closest(".chip, #dice");
  if (!chip || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  prompt.value = chip.id === "dice" ? roll(chip.dataset) : chip.textContent;
  accuse("prompt", "");
  prompt.focus();
});
for (const knob of order.querySelectorAll("[data-least]")) knob.addEventListener("keydown", turn);

stage.form.again.addEventListener("submit", (event) => {
  event.preventDefault();
  const { variation, variation_seed, seed, ...wish } = wishBehind(stage.loop);
  place(wish);
});
stage.form.vary.addEventListener("submit", (event) => {
  event.preventDefault();
  const [variation_seed] = crypto.getRandomValues(new Uint32Array(1));
  place({ ...wishBehind(stage.loop), variation_seed, variation: VARIATION });
});

measure();
const resumed = new URLSearchParams(location.search).get("riff");
if (resumed) resume(resumed);

/** What the form asks for. What is no number goes as it was typed, for the server to say so. */
function wishOf(form) {
  form.delete("idempotency_key");
  const given = [...form].filter(([field, value]) => value.trim() || field === "prompt");
  return Object.fromEntries(
    given.map(([field, value]) => [field, NUMBERS.has(field) && Number.isFinite(Number(value)) ? Number(value) : value]),
  );
}

/** A loop's request as a wish for the API: old recipes do not name the metre, and bars and layers are asked for in other words. */
function wishBehind({ metre, recipe }) {
  const { arrangement, ...wish } = recipe.request;
  return { ...wish, metre, arrangement: arrangement && asked(arrangement) };
}

function asked({ kind, first, last, prompts, ...parts }) {
  if (kind === "repaint") return { kind, bars: `${first}-${last}`, ...parts };
  if (kind === "layers") return { kind, ...Object.fromEntries(prompts) };
  return { kind, ...(prompts && { prompts }), ...parts };
}

async function place(wish) {
  for (const line of order.querySelectorAll("[data-error]")) accuse(line.dataset.error, "");
  const text = JSON.stringify(wish);
  // The same wish after a lost answer is the same riff, not a second one.
  const key = unanswered?.text === text ? unanswered.key : wishKey();
  unanswered = { text, key };
  go.disabled = true;
  try {
    const placed = await placeRiff(wish, key);
    unanswered = null;
    follow(placed);
    history.replaceState(null, "", `/?riff=${encodeURIComponent(placed.id)}`);
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    if (refusal.status) unanswered = null;
    accuse(refusal.field, refusal.message);
  } finally {
    go.disabled = false;
  }
}

async function follow(riff) {
  try {
    const last = await stage.follow(riff);
    if (last?.status !== "done") return;
    if (await cards.load("/", { replace: true })) document.querySelector("#empty").hidden = true;
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    stage.refuse(refusal.message);
  }
}

/** Take up the riff that the address names, after a reload. */
async function resume(id) {
  try {
    const riff = await getRiff(id);
    if (!prompt.value) {
      for (const field of ["prompt", "bars", "metre", "key"]) order.elements[field].value = riff.request[field] ?? "";
    }
    await follow(riff);
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    stage.refuse(refusal.message);
  }
}

/** Show a sentence beside the field that it is about; an empty one takes it away. */
function accuse(field, sentence) {
  const line = order.querySelector(`[data-error="${CSS.escape(field)}"]`) ?? order.querySelector('[data-error=""]');
  line.textContent = sentence;
  line.hidden = !sentence;
  const controls = field ? order.querySelectorAll(`[name="${CSS.escape(field)}"]`) : [];
  for (const control of controls) {
    if (sentence) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  }
  if (!sentence) return;
  line.closest("details")?.setAttribute("open", "");
  controls[0]?.focus();
}

function measure() {
  const bpm = Number.parseFloat(order.elements.bpm.value.replace(",", "."));
  const bars = Number(order.elements.bars.value);
  const known = bpm >= Number(order.elements.bpm.dataset.least) && bpm <= Number(order.elements.bpm.dataset.most);
  const length = document.querySelector("#length");
  const metre = order.elements.metre.value;
  length.value = known ? `${((bars * sixteenths(metre || "4/4").bar * 15) / bpm).toFixed(2)} s` : "";
  document.querySelector("#length-label").textContent = metre ? "Length" : "Length in 4/4";
  length.parentElement.hidden = !known;
}

function turn(event) {
  const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  const { least, most, step = "1" } = this.dataset;
  const now = Number.parseFloat(this.value || this.placeholder);
  const value = (Number.isNaN(now) ? 120 : now) + by * Number(step) * (event.shiftKey ? 10 : 1);
  this.value = Math.min(Number(most), Math.max(Number(least), value));
  this.dispatchEvent(new Event("input", { bubbles: true }));
}

function roll({ moods, sounds, styles }) {
  const pick = (entries) => entries[Math.floor(Math.random() * entries.length)];
  return `${pick(JSON.parse(moods))} ${pick(JSON.parse(sounds))}, ${pick(JSON.parse(styles))}`;
}
