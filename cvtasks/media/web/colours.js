// Colours of classes and objects, as the program's own drawings have them.
import { DISTINCT } from "./palette.js";

const SHADES = [[0, 0], [0.45, 255], [0.4, 0], [0.25, 255], [0.22, 0], [0.6, 255]];
const VOID = 255;

/** "#rrggbb" → [red, green, blue]. */
export function rgbOf(colour) {
  return [1, 3, 5].map(place => parseInt(colour.slice(place, place + 2), 16));
}

/** [red, green, blue] → "#rrggbb". */
export function cssOf(rgb) {
  return "#" + rgb.map(value => value.toString(16).padStart(2, "0")).join("");
}

/** Half to the even number, as Python rounds. */
function rounded(value) {
  const low = Math.floor(value), rest = value - low;
  return rest === 0.5 ? low + (low % 2) : Math.round(value);
}

/** The colour itself for 0, and others of its kind after it, which begin again after six. */
export function shade(colour, number) {
  const [share, ground] = SHADES[number % SHADES.length];
  return cssOf(rgbOf(colour).map(value => rounded(value + share * (ground - value))));
}

/** The n-th colour, from 0, of objects that are all of one class. */
export function distinct(number) {
  const place = 6 * (1 + (number % (VOID - 1)));
  return "#" + DISTINCT.slice(place, place + 6);
}

/** The colour of a class of a model; grey for one that it does not know. */
export function classColour(model, name) {
  return model.colours?.[model.classes.indexOf(name)] ?? "#8a939c";
}

/** A colour for each box of a record: its class's; where they have masks, shades of it, so that
 * neighbours can be told apart. */
export function boxColours(record, model) {
  const seen = new Map();
  return record.boxes.map(box => {
    if (!box.mask) return classColour(model, box.name);
    const number = box.track ?? seen.get(box.name) ?? 0;
    seen.set(box.name, (seen.get(box.name) ?? 0) + 1);
    return model.classes.length === 1 ? distinct(number) : shade(classColour(model, box.name), number);
  });
}

/** Whether letters on the colour are black. */
export function isLight(colour) {
  const [red, green, blue] = rgbOf(colour);
  return 0.299 * red + 0.587 * green + 0.114 * blue > 130;
}
