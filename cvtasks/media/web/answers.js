// Answers of images by models: asked for once, a few at a time, the current image's first.
import { preparedMasks, heatCanvas } from "./masks.js";
import { isFiltered } from "./records.js";
import { Refusal } from "./server.js";

const LEAST_SCORE = 0.01; // asked for, so that the slider need not ask again
const AT_A_TIME = 2;
const NONE = { state: "", record: null, masks: [] };

/** What is known of each image, and what is asked. `changed` is told when there is news. */
export class Answers {
  #known = new Map(); // of a key: {state, record, masks, error, word, seconds}
  #heats = new Map();
  #underWay = 0;
  #wanted = [];
  #current = ""; // key of the answer that is looked at
  #prepared = ""; // key of the only answer whose masks are kept ready

  constructor(server, changed) {
    Object.assign(this, { server, changed });
  }

  /** The least score that is asked for of a model. */
  least(model) {
    return Math.min(LEAST_SCORE, model.threshold);
  }

  /** What is known of an image: {state, record, masks, error, word, seconds}. */
  of(item, model, view) {
    return this.#known.get(this.#key(item, model, view.threshold)) ?? NONE;
  }

  /** The heat of an image as a canvas, once it is there. */
  heat(item, model, method) {
    return this.#heats.get(`${item.id} ${model.name} ${method}`)?.canvas ?? null;
  }

  /** Forget what went wrong with an image, so that it is asked again. */
  forget(item) {
    for (const [key, { state }] of this.#known) {
      if (key.startsWith(`${item.id} `) && state === "failed") this.#known.delete(key);
    }
    for (const key of this.#heats.keys()) if (key.startsWith(`${item.id} `)) this.#heats.delete(key);
  }

  /** Ask for what is not known, and prepare the current image's. */
  want(items, current, model, limits, view, method) {
    const order = current ? [current, ...items.filter(item => item !== current)] : items;
    this.#wanted = order.map(item => ({ item, model, threshold: view.threshold, limits }));
    const kept = new Set(items.map(item => String(item.id)));
    for (const known of [this.#known, this.#heats]) {
      for (const key of known.keys()) if (!kept.has(key.split(" ")[0])) known.delete(key);
    }
    this.#current = current ? this.#key(current, model, view.threshold) : "";
    this.#prepare(model);
    if (current && view.heat && method) this.#explain(current, model, method, view);
    this.#pump();
  }

  /** The answer of a camera's frame: {record, masks}. */
  async frame(blob, model, threshold) {
    const record = await this.server.predict(blob, "frame.jpg", { model: model.name, threshold });
    return { record, masks: preparedMasks(record, model) };
  }

  #key(item, model, threshold) {
    return isFiltered(model) ? `${item.id} ${model.name}` : `${item.id} ${model.name} ${threshold}`;
  }

  #prepare(model) {
    const known = this.#known.get(this.#current);
    if (!known?.record || this.#prepared === this.#current) return;
    const before = this.#known.get(this.#prepared);
    if (before) before.masks = [];
    try {
      known.masks = preparedMasks(known.record, model);
    } catch (error) {
      Object.assign(known, { state: "failed", record: null, error: new Error(`The answer cannot be drawn: ${error.message}.`) });
    }
    this.#prepared = this.#current;
  }

  #pump() {
    while (this.#underWay < AT_A_TIME && this.#wanted.length) {
      const wanted = this.#wanted.shift(), key = this.#key(wanted.item, wanted.model, wanted.threshold);
      if (this.#known.has(key)) continue;
      this.#underWay += 1;
      this.#ask(key, wanted).finally(() => {
        this.#underWay -= 1;
        if (key === this.#current) this.#prepare(wanted.model);
        this.changed();
        this.#pump();
      });
    }
  }

  async #ask(key, { item, model, threshold, limits }) {
    const begun = performance.now();
    this.#known.set(key, { ...NONE, state: "waiting", word: "asking …" });
    const busy = seconds => {
      this.#known.set(key, { ...NONE, state: "waiting", word: `the server is busy; asked again in ${seconds} s …` });
      this.changed();
    };
    try {
      checkSize(item.blob, limits);
      const query = { model: model.name, threshold: isFiltered(model) ? this.least(model) : threshold };
      const record = await this.server.predict(item.blob, item.name, query, undefined, busy);
      this.#known.set(key, { ...NONE, state: "done", record, seconds: (performance.now() - begun) / 1000 });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#known.set(key, { ...NONE, state: "failed", error });
    }
  }

  async #explain(item, model, method, view) {
    const key = `${item.id} ${model.name} ${method}`;
    if (this.#heats.has(key)) return;
    this.#heats.set(key, {});
    const about = () => this.of(item, model, view), say = word => {
      about().state && Object.assign(about(), { word });
      this.changed();
    };
    try {
      say("explaining …");
      const { heat } = await this.server.explain(item.blob, item.name, { model: model.name, method });
      const image = new Image();
      image.src = heat;
      await image.decode();
      this.#heats.set(key, { canvas: heatCanvas(image) });
      say("");
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      say(error.message);
    }
  }
}

function checkSize({ size }, { megabytes }) {
  if (megabytes && size > megabytes * 1e6) {
    throw new Refusal(
      `An image may have ${megabytes} MB at most on this server; this one has ${(size / 1e6).toFixed(1)} MB. Make it smaller.`, 413);
  }
}
