// COCO's compressed run lengths (cocoapi, common/maskApi.c): runs of 0 and 1 in turn, down the columns.

const MOST_PIXELS = 2 ** 28;

/** The lengths of the runs of a compressed string, the first of zeros. */
export function runsOf(counts) {
  const runs = [];
  for (let place = 0; place < counts.length;) {
    let value = 0, more = true;
    for (let shift = 0; more; shift += 5) {
      const letter = counts.charCodeAt(place++) - 48;
      if (!(letter >= 0 && letter < 64) || shift > 30) throw new RangeError("no run lengths of COCO");
      value |= (letter & 31) << shift;
      more = Boolean(letter & 32);
      if (!more && letter & 16 && shift < 27) value |= -1 << (shift + 5);
    }
    if (runs.length > 2) value += runs[runs.length - 2];
    runs.push(value);
  }
  return runs;
}

/** {height, width, pixels: Uint8Array down the columns, left, top, right, bottom} of {size, counts}.
 * `memory`, if it is given and large enough, is used for the pixels. */
export function decodeRle({ size, counts }, memory = null) {
  const [height, width] = size, area = height * width;
  if (!(area > 0 && area <= MOST_PIXELS)) throw new RangeError("no size of a mask");
  const pixels = memory && memory.length >= area ? memory.subarray(0, area) : new Uint8Array(area);
  pixels.fill(0);
  let place = 0, set = false, left = width, right = 0, top = height, bottom = 0;
  for (const run of typeof counts === "string" ? runsOf(counts) : counts) {
    if (!(run >= 0) || place + run > area) throw new RangeError("runs that do not fit their mask");
    if (set && run) {
      const last = place + run - 1, first = Math.floor(place / height), end = Math.floor(last / height);
      pixels.fill(1, place, place + run);
      left = Math.min(left, first);
      right = Math.max(right, end + 1);
      top = Math.min(top, first === end ? place % height : 0);
      bottom = Math.max(bottom, first === end ? (last % height) + 1 : height);
    }
    place += run;
    set = !set;
  }
  if (place !== area) throw new RangeError("runs that do not fill their mask");
  return right ? { height, width, pixels, left, top, right, bottom }
    : { height, width, pixels, left: 0, top: 0, right: 0, bottom: 0 };
}
