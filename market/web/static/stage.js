// The stage: the picture growing out of the noise, then the loop itself, played with a playhead and a beat counter.

import { cancelRiff, getRiff } from "./api.js";
import { sixteenths } from "./metre.js";
import { Noise } from "./noise.js";
import { player } from "./player.js";

const OPEN = new Set(["queued", "running"]);
const RECONNECT_MS = 2000;

export class Stage {
  loop = null;
  riff = null;
  #root;
  #noise;
  #events = null;
  #turn = 0;
  #spoken = "";
  #title = document.title;

  constructor(root) {
    this.#root = root;
    this.#noise = new Noise(this.#part("noise"));
    this.#noise.run(root.dataset.state === "idle" ? 5 : 0);
    for (const name of ["play", "desk"]) this.#part(name).hidden = false;
    this.#part("play").addEventListener("click", () => this.#toggle());
    this.#part("cancel").addEventListener("click", (event) => {
      event.preventDefault();
      this.#cancel();
    });
    const seek = this.#part("seek");
    seek.addEventListener("input", () => this.#seek(Number(seek.value)));
    const volume = this.#part("volume");
    volume.value = player.volume;
    volume.addEventListener("input", () => (player.volume = Number(volume.value)));
    document.addEventListener("keydown", (event) => {
      if (event.key !== " " || !this.loop || event.target.closest("input, select, textarea, button, a, summary")) return;
      event.preventDefault();
      this.#toggle();
    });
    player.addEventListener("change", () => this.#playing());
    if (root.dataset.loop) this.show([JSON.parse(root.dataset.loop)]);
  }

  get form() {
    return { again: this.#part("again"), vary: this.#part("vary") };
  }

  /**
   * Follow a riff, from how it is known to stand until it is finished: place in the queue, the picture as it grows,
   * then its loops. Gives its last state, or null once the stage was given another one meanwhile.
   */
  async follow(known) {
    this.#leave();
    const turn = ++this.#turn;
    const open = OPEN.has(known.status);
    if (open) {
      this.#showRiff(known);
      this.#reveal();
      await this.#listen(known.id);
    }
    const riff = !open && known.loops ? known : await getRiff(known.id);
    if (turn !== this.#turn) return null;
    const { top, bottom } = this.#root.getBoundingClientRect();
    this.#showRiff(riff);
    // Whoever looks elsewhere meanwhile is not torn away.
    if (top < innerHeight && bottom > 0) this.#reveal();
    return riff;
  }

  /** Put loops (a riff's takes) on the screen, ready to play. */
  show(loops, index = 0) {
    const loop = loops[index];
    if (player.loop && !player.plays(loop) && loops.some((other) => player.plays(other))) player.play(loop, player.position);
    this.loop = loop;
    this.#state("done");
    const picture = this.#part("picture");
    picture.src = loop.links.png;
    picture.alt = `Spectrogram of “${loop.prompt}”`;
    picture.hidden = false;
    this.#rule(loop.bars);
    this.#word("");
    this.#part("making").hidden = true;
    this.#part("transport").hidden = false;
    this.#part("title").textContent = loop.listing?.status === "published" ? loop.listing.title : loop.prompt;
    this.#part("title").href = loop.links.page;
    this.#part("wav").href = loop.links.wav;
    // What is for sale is varied and taken along by whoever holds a licence.
    for (const name of ["wav", "vary"]) this.#part(name).hidden = !loop.full;
    this.#part("again").action = `${loop.links.page}/again`;
    this.#part("vary").action = `${loop.links.page}/vary`;
    const badges = [`${plain(loop.bpm)} bpm`, loop.metre !== "4/4" && loop.metre, loop.key && keyName(loop.key), loop.bars === 1 ? "1 bar" : `${loop.bars} bars`, `${loop.seconds.toFixed(1)} s`];
    this.#part("badges").replaceChildren(list(badges.filter(Boolean)));
    const seek = this.#part("seek");
    seek.max = steps(loop) - 1;
    seek.hidden = false;
    this.#takes(loops, index);
    this.#playing();
  }

  refuse(sentence) {
    const trouble = this.#part("trouble");
    trouble.textContent = sentence;
    trouble.hidden = !sentence;
  }

  #part(name) {
    return this.#root.querySelector(`[data-${name}]`);
  }

  #state(state) {
    this.#root.dataset.state = state;
    this.#noise.run({ idle: 5, queued: 5, running: 14 }[state] ?? 0);
  }

  #leave() {
    this.#events?.close();
    this.#events = null;
    this.riff = null;
    this.refuse("");
  }

  /** Show a riff's events as they come, until its last one or until the stage follows another. */
  #listen(id) {
    return new Promise((resolve) => {
      const open = () => {
        const events = new EventSource(`/v1/riffs/${id}/events`);
        this.#events = events;
        events.onmessage = (message) => {
          if (this.#events !== events) return;
          const event = JSON.parse(message.data);
          this.#showEvent(event);
          if (OPEN.has(event.type) || event.type === "progress") return;
          events.close();
          resolve();
        };
        // A browser reconnects by itself and resumes, except after a refusal.
        events.onerror = () => {
          if (events.readyState === EventSource.CLOSED && this.#events === events) setTimeout(reopen, RECONNECT_MS);
        };
      };
      const reopen = async () => {
        const riff = await getRiff(id).catch(() => null);
        if (riff && !OPEN.has(riff.status)) resolve();
        else if (this.riff?.id === id) open();
      };
      open();
    });
  }

  #showRiff(riff) {
    this.riff = riff;
    if (riff.status === "done") {
      this.show(riff.loops);
      document.title = this.#title;
      return this.#say("Your loop is ready.");
    }
    this.loop = null;
    this.#part("transport").hidden = true;
    this.#part("takes").hidden = true;
    this.#part("picture").hidden = true;
    this.#part("seek").hidden = true;
    this.#playing();
    this.#rule(riff.request.bars);
    if (!OPEN.has(riff.status)) return this.#showEvent({ ...riff, type: riff.status });
    this.#state(riff.status);
    this.#word("");
    this.#part("preview").hidden = true;
    this.#part("making").hidden = false;
    this.#part("cancel").hidden = "foreign" in this.#root.dataset;
    this.#showEvent({ ...riff, type: riff.status === "running" ? "progress" : "queued" });
  }

  #showEvent(event) {
    if (event.type === "queued") {
      this.#phase(0, standing(event));
    } else if (event.type === "progress") {
      this.#state("running");
      this.#preview(event.preview, event.fraction);
      this.#phase(event.fraction, doing(event));
    } else if (event.type === "failed" || event.type === "cancelled") {
      this.#state(event.type);
      this.#part("making").hidden = true;
      this.#part("preview").hidden = true;
      this.#word(event.type === "cancelled" ? "Cancelled." : (event.error ?? "This riff could not be made."));
      document.title = this.#title;
    }
  }

  #phase(fraction, words) {
    const progress = this.#part("progress");
    progress.value = fraction;
    this.#part("phase").textContent = words;
    document.title = `${Math.round(fraction * 100)} % · ${this.#title}`;
    // Every quarter is enough to hear; every step would drown everything else.
    this.#say(fraction ? `${Math.floor(fraction * 4) * 25} percent` : words);
  }

  #preview(url, fraction) {
    this.#root.style.setProperty("--fraction", fraction);
    const preview = this.#part("preview");
    if (!url || preview.getAttribute("src") === url) return;
    const next = new Image();
    next.src = url;
    next.decode().then(
      () => {
        if (this.#root.dataset.state !== "running") return;
        preview.src = url;
        preview.alt = "The picture as it stands";
        preview.hidden = false;
      },
      () => {},
    );
  }

  #reveal() {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#root.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  }

  #word(words) {
    this.#part("word").textContent = words;
    if (words) this.#say(words);
  }

  #say(words) {
    if (words !== this.#spoken) this.#part("live").textContent = this.#spoken = words;
  }

  /** Number the bars, of long pieces every second or fourth or so. */
  #rule(bars) {
    const every = Math.ceil(bars / 16);
    const marks = Array.from({ length: Math.ceil(bars / every) }, (_, mark) => mark * every + 1);
    this.#part("ruler").replaceChildren(
      ...marks.map((bar) => Object.assign(document.createElement("span"), { textContent: bar })),
    );
  }

  #takes(loops, index) {
    const takes = this.#part("takes");
    takes.hidden = loops.length < 2;
    takes.replaceChildren(
      ...loops.map((_, take) => {
        const button = Object.assign(document.createElement("button"), { type: "button", textContent: take + 1 });
        button.setAttribute("aria-label", `Take ${take + 1}`);
        button.setAttribute("aria-pressed", String(take === index));
        button.addEventListener("click", () => {
          this.show(loops, take);
          takes.children[take].focus();
        });
        return button;
      }),
    );
  }

  async #toggle() {
    try {
      this.refuse("");
      await player.toggle(this.loop);
    } catch (trouble) {
      this.refuse(trouble.message);
    }
  }

  #seek(step) {
    const seconds = (step / steps(this.loop)) * this.loop.seconds;
    player.play(this.loop, seconds).catch((trouble) => this.refuse(trouble.message));
  }

  async #cancel() {
    if (!this.riff) return;
    try {
      await cancelRiff(this.riff.id);
    } catch (trouble) {
      this.refuse(trouble.message);
    }
  }

  #playing() {
    const on = player.plays(this.loop);
    const play = this.#part("play");
    play.setAttribute("aria-pressed", String(on));
    play.setAttribute("aria-label", on ? "Stop" : "Play");
    this.#root.classList.toggle("playing", on);
    this.#part("playhead").hidden = !on;
    if (on) requestAnimationFrame(() => this.#frame());
    else {
      this.#tell(0);
      this.#root.querySelectorAll("[data-meter]").forEach((bar) => bar.style.setProperty("--level", 0));
    }
  }

  #frame() {
    if (!player.plays(this.loop)) return;
    const along = player.position / this.loop.seconds;
    this.#part("playhead").style.setProperty("--along", along);
    const step = Math.floor(along * steps(this.loop));
    if (Number(this.#part("seek").value) !== step) this.#tell(step);
    const bars = this.#root.querySelectorAll("[data-meter]");
    player.levels().forEach((level, channel) => bars[channel].style.setProperty("--level", level));
    requestAnimationFrame(() => this.#frame());
  }

  /** Say which sixteenth is heard, in bars and beats. */
  #tell(step) {
    const { bar, beat } = sixteenths(this.loop?.metre ?? "4/4");
    const counter = `${Math.floor(step / bar) + 1}.${Math.floor((step % bar) / beat) + 1}`;
    this.#part("seek").value = step;
    this.#part("seek").setAttribute("aria-valuetext", `Bar ${counter.replace(".", ", beat ")}`);
    this.#part("counter").value = counter;
  }
}

/** How many sixteenth notes a loop is long. */
function steps(loop) {
  return loop.bars * sixteenths(loop.metre).bar;
}

/** Where a waiting riff stands, in words. */
export function standing({ position, eta_seconds: eta }) {
  const place = !position || position <= 1 ? "Next in line" : `${position}${ordinal(position)} in line`;
  return eta ? `${place} · about ${Math.max(1, Math.round(eta))} s` : place;
}

function doing({ phase, step, steps, take, takes }) {
  const which = takes > 1 ? `Take ${take + 1} of ${takes} · ` : "";
  if (phase === "decoding") return `${which}From picture to sound`;
  return steps ? `${which}Out of the noise · ${step} / ${steps}` : `${which}Out of the noise`;
}

function ordinal(number) {
  return { one: "st", two: "nd", few: "rd", other: "th" }[new Intl.PluralRules("en", { type: "ordinal" }).select(number)];
}

function plain(number) {
  return String(Number(number.toFixed(2)));
}

function keyName(key) {
  const tonic = key.replace(/m$/, "").replace("#", "♯").replace(/b$/, "♭");
  return `${tonic} ${key.endsWith("m") ? "minor" : "major"}`;
}

function list(entries) {
  const badges = document.createElement("ul");
  badges.className = "badges";
  badges.setAttribute("aria-label", "Tempo, key and length");
  badges.replaceChildren(...entries.map((entry) => Object.assign(document.createElement("li"), { textContent: entry })));
  return badges;
}
