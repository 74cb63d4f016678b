// The one place that makes sound. A loop is decoded once and repeated by the audio clock itself, so its end
// meets its start on the sample. One loop plays at a time, on whichever page part asked last.

// The loops' own rate: at any other the browser resamples, and the length is no longer exact.
const SAMPLE_RATE = 44100;
const FADE = 0.012;
const VOLUME = "riffmarket.volume";

class Player extends EventTarget {
  context = null;
  source = null;
  loop = null;
  #gain = null;
  #analysers = [];
  #startedAt = 0;
  #asked = 0;
  #decoded = new Map();
  #volume = storedVolume();

  /** Play a loop ({id, kind, links}) from `offset` seconds; whatever played before falls silent. */
  async play(loop, offset = 0) {
    const ask = ++this.#asked;
    this.#open();
    const resumed = this.context.resume();
    const buffer = await this.#buffer(loop);
    await resumed;
    if (ask !== this.#asked) return;
    this.#silence();
    const source = new AudioBufferSourceNode(this.context, { buffer, loop: loop.kind !== "song" });
    source.onended = () => source === this.source && this.stop();
    source.connect(this.#gain);
    this.#startedAt = this.context.currentTime - offset;
    source.start(0, offset);
    this.source = source;
    this.loop = loop;
    this.dispatchEvent(new Event("change"));
  }

  stop() {
    this.#asked++;
    this.#silence();
    this.loop = null;
    this.dispatchEvent(new Event("change"));
  }

  toggle(loop) {
    if (!this.plays(loop)) return this.play(loop);
    this.stop();
    return Promise.resolve();
  }

  plays(loop) {
    return Boolean(loop) && this.loop?.id === loop.id;
  }

  /** Seconds into the loop that are being heard now. */
  get position() {
    if (!this.source) return 0;
    const heard = this.context.currentTime - this.#startedAt - (this.context.outputLatency || 0);
    return Math.max(0, heard) % this.source.buffer.duration;
  }

  get volume() {
    return this.#volume;
  }

  set volume(value) {
    this.#volume = value;
    localStorage.setItem(VOLUME, value);
    this.#gain?.gain.setTargetAtTime(value ** 2, this.context.currentTime, FADE);
  }

  /** What a meter shows, left and right: the loudest sample of the last moments, 0 (-48 dB) to 1 (full scale). */
  levels() {
    const frame = new Float32Array(1024);
    return this.#analysers.map((analyser) => {
      analyser.getFloatTimeDomainData(frame);
      const peak = frame.reduce((loudest, sample) => Math.max(loudest, Math.abs(sample)), 1e-9);
      return Math.min(1, Math.max(0, 1 + (20 * Math.log10(peak)) / 48));
    });
  }

  #open() {
    if (this.context) return;
    this.context = new AudioContext({ sampleRate: SAMPLE_RATE, latencyHint: "interactive" });
    this.#gain = new GainNode(this.context, { gain: this.#volume ** 2 });
    this.#gain.connect(this.context.destination);
    const splitter = new ChannelSplitterNode(this.context, { numberOfOutputs: 2 });
    this.#gain.connect(splitter);
    this.#analysers = [0, 1].map((channel) => {
      const analyser = new AnalyserNode(this.context, { fftSize: 1024 });
      splitter.connect(analyser, channel);
      return analyser;
    });
  }

  #silence() {
    this.source?.stop();
    this.source?.disconnect();
    this.source = null;
  }

  #buffer(loop) {
    if (!this.#decoded.has(loop.id)) {
      const loading = fetch(loop.links.listen)
        .then((answer) => {
          if (!answer.ok) throw new Error("This loop's audio is not there.");
          return answer.arrayBuffer();
        })
        .then((bytes) => this.context.decodeAudioData(bytes));
      loading.catch(() => this.#decoded.delete(loop.id));
      this.#decoded.set(loop.id, loading);
      // A 16-bar loop is some 10 MB once decoded: keep the last few.
      if (this.#decoded.size > 8) this.#decoded.delete(this.#decoded.keys().next().value);
    }
    return this.#decoded.get(loop.id);
  }
}

function storedVolume() {
  const stored = Number.parseFloat(localStorage.getItem(VOLUME));
  return stored >= 0 && stored <= 1 ? stored : 0.8;
}

export const player = new Player();
