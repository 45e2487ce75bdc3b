// An answer over its image, on a canvas of any size.
import { boxColours, classColour, isLight } from "./colours.js";
import { kindOf, percent } from "./records.js";

const FEW = 20; // objects with masks; of more, those that are smaller than their words go without
const MOST_LABELS = 5;

/**
 * Draw the image, and over it what is shown of its answer.
 *
 * @param context of a canvas of `scale` times the image's size.
 * @param given {image, record, model, masks, heat}: `record` whole, as it came; image may be null.
 * @param view {threshold, off, boxes, masks, names, opacity, marked, heat}: what is shown.
 * @param letters height of letters in pixels of the canvas.
 * @param panel whether labels, or a legend, stand on the image itself.
 */
export function draw(context, given, view, scale, letters, panel = false) {
  const { width, height } = context.canvas, { image, record, model } = given;
  context.globalAlpha = 1;
  context.fillStyle = "#777";
  context.fillRect(0, 0, width, height);
  if (image) context.drawImage(image, 0, 0, width, height);
  if (view.heat && given.heat) {
    context.globalAlpha = view.opacity;
    context.drawImage(given.heat, 0, 0, width, height);
    context.globalAlpha = 1;
  }
  if (!record || !model) return;
  const kind = kindOf(record);
  if (kind === "mask") drawMask(context, given, view, letters, panel);
  else if (kind === "labels" && panel) drawLabels(context, given, view, letters);
  else if (kind === "boxes") drawBoxes(context, given, view, scale, letters);
}

function stamp(context, one, canvas, opacity) {
  const { width, height } = context.canvas;
  context.globalAlpha = opacity;
  context.drawImage(canvas, one.left * width, one.top * height, one.width * width, one.height * height);
  context.globalAlpha = 1;
}

function drawMask(context, { masks, model, record }, view, letters, panel) {
  const shown = masks.filter(one => !view.off.has(one.name));
  if (view.masks) {
    for (const one of shown) {
      const dim = view.marked !== null && view.marked !== one.name;
      stamp(context, one, one.fill, dim ? view.opacity / 4 : view.opacity);
    }
  }
  if (!panel || !view.names) return;
  listed(context, letters, shown.map(({ name }) => ({
    colour: classColour(model, name), words: `${name} ${percent(record.mask.shares[name] ?? 0)}`,
  })));
}

function drawLabels(context, { record, model }, view, letters) {
  const rows = record.labels.filter(one => one.score >= view.threshold && !view.off.has(one.name));
  listed(context, letters, rows.slice(0, MOST_LABELS).map(({ name, score }) => ({
    colour: classColour(model, name), words: `${name} ${percent(score)}`,
  })));
}

/** A panel of swatches and words in the left top corner. */
function listed(context, letters, rows) {
  if (!rows.length) return;
  const line = 1.5 * letters, pad = 0.6 * letters;
  context.font = font(letters);
  const widest = Math.max(...rows.map(({ words }) => context.measureText(words).width));
  context.fillStyle = "rgb(16 20 24 / .72)";
  context.fillRect(0, 0, widest + letters + 3 * pad, line * rows.length + pad);
  context.textBaseline = "middle";
  rows.forEach(({ colour, words }, i) => {
    const middle = pad / 2 + line * (i + 0.5);
    context.fillStyle = colour;
    context.fillRect(pad, middle - letters / 2, letters, letters);
    context.fillStyle = "#fff";
    context.fillText(words, letters + 2 * pad, middle);
  });
}

function drawBoxes(context, { record, model, masks }, view, scale, letters) {
  const colours = boxColours(record, model), byIndex = new Map((masks ?? []).map(one => [one.index, one]));
  const order = record.boxes.map((_, i) => i)
    .filter(i => record.boxes[i].score >= view.threshold && !view.off.has(record.boxes[i].name))
    .sort((a, b) => record.boxes[a].score - record.boxes[b].score); // the surest on top
  const isDim = i => view.marked !== null && view.marked !== i && view.marked !== record.boxes[i].name;
  const line = Math.max(1.5, letters / 6);
  for (const i of order) {
    const mask = byIndex.get(i);
    if (mask && view.masks) {
      stamp(context, mask, mask.fill, isDim(i) ? view.opacity / 4 : view.opacity);
      stamp(context, mask, mask.edge, isDim(i) ? 0.3 : 1);
    }
    if (view.boxes || (record.boxes[i].mask && !mask)) {
      frame(context, record.boxes[i].xyxy, colours[i], scale, line, isDim(i));
    }
  }
  if (!view.names) return;
  const rows = order.toReversed().filter(i => !isDim(i)).map(i => ({
    box: record.boxes[i], colour: colours[i], words: wordsOf(record.boxes[i], model),
  }));
  writeTags(context, rows, byIndex.size > 0, scale, letters, line);
}

function wordsOf({ name, score, track }, model) {
  const named = model.classes.length === 1 ? [] : [name];
  return [...named, ...(track === undefined ? [] : [`#${track}`]), score.toFixed(2)].join(" ");
}

/** The words of objects, the surest first: each where it hides no other's if there is such a place.
 * Where there is none, those of masks are left out, and those of boxes stand below the others. */
function writeTags(context, rows, masked, scale, letters, line) {
  context.font = font(letters);
  const pad = 0.25 * letters, height = letters + 2 * pad, placed = [], { canvas } = context;
  for (const { box, colour, words } of rows) {
    const [left, top, right, bottom] = box.xyxy.map(value => value * scale);
    const width = context.measureText(words).width + 2 * pad;
    if (masked && rows.length > FEW && (right - left < width || bottom - top < height)) continue;
    const x = Math.max(0, Math.min(left - line / 2, canvas.width - width));
    const places = [top - height, top, bottom, bottom - height].filter(y => y >= 0 && y + height <= canvas.height);
    const isFree = y => placed.every(one => x >= one.x + one.width || one.x >= x + width || y >= one.y + height || one.y >= y + height);
    const y = places.find(isFree) ?? (masked ? undefined : places[0] ?? 0);
    if (y !== undefined) placed.push({ x, y, width, colour, words });
  }
  for (const one of placed.reverse()) {
    context.fillStyle = one.colour;
    context.fillRect(one.x, one.y, one.width, height);
    context.fillStyle = isLight(one.colour) ? "#000" : "#fff";
    context.textBaseline = "middle";
    context.fillText(one.words, one.x + pad, one.y + height / 2 + letters * 0.06);
  }
}

function frame(context, xyxy, colour, scale, line, dim) {
  const [left, top, right, bottom] = xyxy.map(value => value * scale);
  context.globalAlpha = dim ? 0.3 : 1;
  context.strokeStyle = colour;
  context.lineWidth = line;
  context.strokeRect(left, top, Math.max(right - left, 1), Math.max(bottom - top, 1));
  context.globalAlpha = 1;
}

function font(letters) {
  return `600 ${letters}px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif`;
}
