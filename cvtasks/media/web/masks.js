// Masks as small canvases that are ready to be drawn: made once, when an answer comes.
import { boxColours, classColour, rgbOf } from "./colours.js";
import { decodeRle } from "./rle.js";

const MOST_A_SIDE = 1600; // pixels of the grid that masks are drawn from

/** For each box with a mask, or each class of a mask: `index` or `name`, `fill` and `edge`
 * (canvases), and its place in pixels of the image: `left`, `top`, `width`, `height`. */
export function preparedMasks(record, model) {
  if (record.boxes) {
    const colours = boxColours(record, model), masks = record.boxes.map(box => box.mask);
    const memory = memoryFor(masks);
    return masks.flatMap((rle, index) => rle ? [{ index, ...painted(rle, colours[index], memory) }] : [])
      .filter(one => one.fill);
  }
  if (!record.mask) return [];
  const entries = Object.entries(record.mask.rle), memory = memoryFor(entries.map(([, rle]) => rle));
  return entries.map(([name, rle]) => ({ name, ...painted(rle, classColour(model, name), memory) }))
    .filter(one => one.fill);
}

function memoryFor(masks) {
  const areas = masks.filter(Boolean).map(({ size }) => size[0] * size[1]);
  return areas.length ? new Uint8Array(Math.max(...areas)) : null;
}

/** Canvases of a mask in a colour, no larger than what it shows; {} where it shows nothing. */
function painted(rle, colour, memory) {
  const mask = decodeRle(rle, memory), scale = Math.min(1, MOST_A_SIDE / Math.max(mask.width, mask.height));
  const across = Math.max(1, Math.round(mask.width * scale)), down = Math.max(1, Math.round(mask.height * scale));
  const x0 = Math.floor(mask.left * across / mask.width), x1 = Math.ceil(mask.right * across / mask.width);
  const y0 = Math.floor(mask.top * down / mask.height), y1 = Math.ceil(mask.bottom * down / mask.height);
  const width = x1 - x0, height = y1 - y0;
  if (!width || !height) return {};
  const bits = sampled(mask, x0, y0, width, height, across, down);
  const [red, green, blue] = rgbOf(colour), broad = Math.max(1, Math.round(Math.max(across, down) / 700));
  const fill = new ImageData(width, height), edge = new ImageData(width, height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (!bits[i]) continue;
      fill.data.set([red, green, blue, 255], 4 * i);
      if (isEdge(bits, x, y, width, height, broad)) edge.data.set([red, green, blue, 255], 4 * i);
    }
  }
  const place = { left: x0 / across, top: y0 / down, width: width / across, height: height / down };
  return { fill: canvasOf(fill), edge: canvasOf(edge), ...place };
}

function sampled(mask, x0, y0, width, height, across, down) {
  const bits = new Uint8Array(width * height);
  for (let x = 0; x < width; x++) {
    const column = Math.floor((x0 + x + 0.5) * mask.width / across) * mask.height;
    for (let y = 0; y < height; y++) {
      bits[y * width + x] = mask.pixels[column + Math.floor((y0 + y + 0.5) * mask.height / down)];
    }
  }
  return bits;
}

function isEdge(bits, x, y, width, height, broad) {
  const outside = (across, down) =>
    across < 0 || down < 0 || across >= width || down >= height || !bits[down * width + across];
  return outside(x - broad, y) || outside(x + broad, y) || outside(x, y - broad) || outside(x, y + broad);
}

/** A canvas that holds pixels. */
export function canvasOf(pixels) {
  const canvas = document.createElement("canvas");
  canvas.width = pixels.width;
  canvas.height = pixels.height;
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

/** A canvas with the colours of heat, from an image whose grey levels say how much: see-through
 * where there is none, then red, yellow, white. */
export function heatCanvas(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height), data = pixels.data;
  for (let i = 0; i < data.length; i += 4) {
    const heat = data[i] / 255;
    data[i] = 255;
    data[i + 1] = Math.round(255 * Math.min(1, Math.max(0, 2 * heat - 0.5)));
    data[i + 2] = Math.round(255 * Math.max(0, 4 * heat - 3));
    data[i + 3] = Math.round(255 * Math.min(1, 1.6 * heat));
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}
