// The images that were given, in a row.
import { byId, element } from "./dom.js";

const THUMB = 96; // pixels of the shorter side

/** The row: what is chosen in it is told to `choose`, what is taken away to `remove`. */
export class Strip {
  constructor(choose, remove) {
    Object.assign(this, { choose, remove, list: byId("strip") });
    this.list.addEventListener("keydown", event => this.#key(event));
  }

  /** Show the images, and which is the current one. */
  show(items, current) {
    this.list.hidden = items.length === 0;
    const focused = this.list.contains(document.activeElement);
    const known = new Map([...this.list.children].map(entry => [entry.dataset.id, entry]));
    const entries = items.map(item => known.get(String(item.id)) ?? this.#entry(item));
    entries.forEach((entry, i) => this.#mark(entry, items[i], items[i] === current, i));
    if (entries.length !== this.list.children.length || entries.some((entry, i) => entry !== this.list.children[i])) {
      this.list.replaceChildren(...entries);
    }
    const chosen = this.list.querySelector("[aria-current=true]");
    if (focused && !this.list.contains(document.activeElement)) chosen?.focus();
  }

  #entry(item) {
    const thumb = element("button", { type: "button", class: "thumb", on: { click: () => this.choose(item) } },
      [element("span", { text: "…" })]);
    const away = element("button", { type: "button", class: "away", text: "×", on: { click: () => this.remove(item) } });
    const made = element("li", { "data-id": item.id }, [thumb, element("span", { class: "mark", "aria-hidden": "true" }), away]);
    item.thumb.then(canvas => thumb.replaceChildren(canvas ?? element("span", { text: "no preview" })));
    return made;
  }

  #mark(entry, item, current, number) {
    const [thumb, mark, away] = entry.children;
    const state = { waiting: "…", failed: "error", done: "" }[item.state] ?? "";
    thumb.setAttribute("aria-current", String(current));
    thumb.setAttribute("aria-label", `Image ${number + 1}: ${item.name}${state === "error" ? ", an error" : ""}`);
    away.setAttribute("aria-label", `Remove ${item.name}`);
    thumb.title = item.name;
    mark.textContent = state;
    mark.hidden = !state;
    entry.className = item.state ?? "";
  }

  #key(event) {
    const thumbs = [...this.list.querySelectorAll(".thumb")], at = thumbs.indexOf(document.activeElement);
    if (at < 0) return;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: thumbs.length - 1 }[event.key];
    if (to !== undefined && thumbs[to]) {
      event.preventDefault();
      thumbs[to].focus();
      thumbs[to].click();
    } else if (event.key === "Delete") {
      event.preventDefault();
      thumbs[at].parentElement.querySelector(".away").click();
    }
  }
}

/** Promise of a small canvas of an image file; null where the browser cannot read it. */
export async function thumbOf(blob) {
  try {
    const bitmap = await createImageBitmap(blob), scale = Math.min(1, 2 * THUMB / Math.min(bitmap.width, bitmap.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.min(4 * THUMB, Math.round(bitmap.width * scale)));
    canvas.height = Math.max(1, Math.min(4 * THUMB, Math.round(bitmap.height * scale)));
    const context = canvas.getContext("2d"), fit = Math.max(canvas.width / bitmap.width, canvas.height / bitmap.height);
    const [across, down] = [bitmap.width * fit, bitmap.height * fit];
    context.drawImage(bitmap, (canvas.width - across) / 2, (canvas.height - down) / 2, across, down);
    bitmap.close();
    return canvas;
  } catch {
    return null;
  }
}
