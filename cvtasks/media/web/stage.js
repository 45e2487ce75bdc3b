// The image with its answer, as large as there is room for.
import { byId } from "./dom.js";
import { draw } from "./drawing.js";

const LETTERS = 13; // height in pixels of CSS
const MOST_SAVED_A_SIDE = 8192;

/** The canvas in its figure. */
export class Stage {
  #given = null;
  #view = null;
  #waits = false;

  constructor() {
    this.figure = byId("figure");
    this.canvas = byId("canvas");
    new ResizeObserver(() => this.#soon()).observe(this.figure);
  }

  /** Show what is given as it is to be seen (see `draw`); null for nothing. */
  show(given, view, words) {
    [this.#given, this.#view] = [given, view];
    byId("hint").hidden = given !== null;
    this.canvas.hidden = given === null;
    this.canvas.setAttribute("aria-label", words);
    this.#soon();
  }

  /** A PNG at the image's own size, with what stands beside it here drawn on it. */
  async png() {
    const { width, height } = sizeOf(this.#given), longest = Math.max(width, height);
    const scale = Math.min(1, MOST_SAVED_A_SIDE / longest), canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const letters = Math.max(11, Math.min(36, Math.min(canvas.width, canvas.height) / 30));
    draw(canvas.getContext("2d"), this.#given, { ...this.#view, marked: null }, canvas.width / width, letters, true);
    return new Promise(done => canvas.toBlob(done, "image/png"));
  }

  #soon() {
    if (this.#waits) return;
    this.#waits = true;
    requestAnimationFrame(() => {
      this.#waits = false;
      this.#draw();
    });
  }

  #draw() {
    if (!this.#given) return;
    const { width, height } = sizeOf(this.#given), room = this.figure.getBoundingClientRect();
    const fit = Math.min(room.width / width, room.height / height);
    const dots = window.devicePixelRatio || 1;
    const across = Math.max(1, Math.floor(width * fit)), down = Math.max(1, Math.floor(height * fit));
    Object.assign(this.canvas.style, { width: `${across}px`, height: `${down}px` });
    this.canvas.width = Math.round(across * dots);
    this.canvas.height = Math.round(down * dots);
    const context = this.canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    draw(context, this.#given, this.#view, this.canvas.width / width, LETTERS * dots);
  }
}

function sizeOf({ image, record }) {
  return record?.width ? record : { width: image.width, height: image.height };
}
