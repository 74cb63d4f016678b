// The noise that a picture grows out of, in the spectrogram's own colours.

const COLOURS = [
  [8, 6, 18], [44, 17, 84], [118, 26, 118], [198, 48, 104], [248, 112, 72], [254, 190, 96], [255, 244, 208],
];
const PALETTE = Uint32Array.from({ length: 256 }, (_, level) => {
  const at = (level / 255) * (COLOURS.length - 1);
  const low = Math.min(Math.floor(at), COLOURS.length - 2);
  const [red, green, blue] = COLOURS[low].map((value, i) => Math.round(value + (COLOURS[low + 1][i] - value) * (at - low)));
  return (255 << 24) | (blue << 16) | (green << 8) | red;
});
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Noise {
  #canvas;
  #pixels;
  #phase;
  #pace;
  #timer = 0;
  #rate = 0;
  #frame = 0;

  constructor(canvas) {
    this.#canvas = canvas;
    const { width, height } = canvas;
    this.#pixels = new ImageData(width, height);
    this.#phase = Float32Array.from({ length: width * height }, () => Math.random() * Math.PI * 2);
    this.#pace = Float32Array.from({ length: width * height }, () => 0.15 + Math.random() * 0.5);
    this.#draw();
    document.addEventListener("visibilitychange", () => this.run(this.#rate));
    still.addEventListener("change", () => this.run(this.#rate));
  }

  /** Let it move at `rate` frames a second; 0 stops it. */
  run(rate) {
    this.#rate = rate;
    clearInterval(this.#timer);
    if (rate && !document.hidden && !still.matches) this.#timer = setInterval(() => this.#draw(), 1000 / rate);
  }

  #draw() {
    const { width, height } = this.#canvas;
    const out = new Uint32Array(this.#pixels.data.buffer);
    this.#frame++;
    for (let y = 0, i = 0; y < height; y++) {
      // Quieter towards the top, as sound is.
      const level = 30 + 120 * (y / height) ** 1.2;
      for (let x = 0; x < width; x++, i++) {
        const wave = Math.sin(this.#phase[i] + this.#frame * this.#pace[i]);
        out[i] = PALETTE[Math.max(0, level * (0.55 + 0.5 * wave)) & 255];
      }
    }
    this.#canvas.getContext("2d").putImageData(this.#pixels, 0, 0);
  }
}
