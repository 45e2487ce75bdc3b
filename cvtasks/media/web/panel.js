// What stands beside the image: which model, how sure, which classes, and what was found.
import { boxColours, classColour } from "./colours.js";
import { byId, element, swatch } from "./dom.js";
import { classRows, kindOf } from "./records.js";

const MOST_OBJECTS = 200;

/** "detect · 416 px · 20 classes · openvino f32". */
export function aboutModel(model) {
  const [height, width] = [model.size].flat(), size = width && width !== height ? `${height} × ${width}` : height;
  const classes = model.classes.length === 1 ? "1 class" : `${model.classes.length} classes`;
  const engine = [model.engine, model.precision].filter(Boolean).join(" ");
  return [model.task, `${size} px`, classes, engine].filter(Boolean).join(" · ");
}

/** The classes of an answer, each with a tick; `toggle` is told the name of one that is turned. */
export class ClassList {
  constructor(toggle, mark) {
    Object.assign(this, { toggle, mark, list: byId("classes") });
  }

  /** Show the rows of a record as it came. */
  show(record, model, view) {
    const rows = record && model ? classRows(record, view.threshold) : [];
    const kind = record ? kindOf(record) : "nothing";
    byId("found").hidden = rows.length === 0;
    byId("found-title").textContent = kind === "mask" ? "Shares" : "Classes";
    const focused = document.activeElement?.dataset?.name;
    this.list.replaceChildren(...rows.map(row => this.#row(row, kind, model, view)));
    if (focused !== undefined) {
      [...this.list.querySelectorAll("input")].find(one => one.dataset.name === focused)?.focus();
    }
  }

  #row({ name, value, share, fixed }, kind, model, view) {
    const on = !view.off.has(name), colour = classColour(model, name);
    const tick = element("input", {
      type: "checkbox", "data-name": name, disabled: fixed, "aria-label": `Show ${name}, ${value}`,
      on: { change: () => this.toggle(name) },
    });
    tick.checked = on;
    const bar = element("i");
    bar.style.width = `${Math.max(0.5, 100 * share)}%`;
    bar.style.background = colour;
    const words = [element("span", { class: "name", text: name, title: name }), element("span", { class: "value", text: value })];
    const label = element("label", {}, [tick, swatch(colour), ...words]);
    const made = element("li", { class: on ? "" : "off", on: {
      pointerenter: () => this.mark(name), pointerleave: () => this.mark(null),
    } }, [label]);
    if (kind !== "boxes") made.append(element("span", { class: "bar", "aria-hidden": "true" }, [bar]));
    return made;
  }
}

/** The objects of an answer; `mark` is told the number of one that is pointed at, or null. */
export class ObjectList {
  constructor(mark) {
    Object.assign(this, { mark, all: byId("objects"), list: byId("object-list") });
    this.all.addEventListener("toggle", () => this.#fill());
    this.#given = [null];
  }

  #given;

  /** Show those of a record as it came that are sure enough and not off. */
  show(record, model, view) {
    this.#given = [record, model, view];
    const shown = this.#shown();
    this.all.hidden = shown.length === 0;
    byId("objects-title").textContent = `Objects (${shown.length})`;
    this.#fill();
  }

  #shown() {
    const [record, , view] = this.#given;
    if (!record?.boxes) return [];
    return record.boxes.map((_, i) => i)
      .filter(i => record.boxes[i].score >= view.threshold && !view.off.has(record.boxes[i].name))
      .sort((a, b) => record.boxes[b].score - record.boxes[a].score);
  }

  #fill() {
    if (!this.all.open || this.all.hidden) return;
    const [record, model] = this.#given, colours = boxColours(record, model), shown = this.#shown();
    const rows = shown.slice(0, MOST_OBJECTS).map(i => {
      const { name, score, xyxy } = record.boxes[i], on = () => this.mark(i), off = () => this.mark(null);
      const place = xyxy.map(value => Math.round(value)).join(", ");
      const parts = [swatch(colours[i]), element("span", { class: "name", text: name }),
        element("span", { class: "value", text: score.toFixed(2) })];
      const button = element("button", { type: "button", title: `left, top, right, bottom: ${place}`,
        "aria-label": `${name}, score ${score.toFixed(2)}, at ${place}`,
        on: { pointerenter: on, focus: on, click: on, pointerleave: off, blur: off } }, parts);
      return element("li", {}, [button]);
    });
    if (shown.length > MOST_OBJECTS) rows.push(element("li", { text: `and ${shown.length - MOST_OBJECTS} more` }));
    this.list.replaceChildren(...rows);
  }
}
