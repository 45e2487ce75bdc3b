// A motion JPEG, read part by part. Browsers that show one as an image are a frame behind: they show a
// part only when the next one begins.

/** Hand each JPEG of a response (Blob) over, with the newest in the place of those that came
 * meanwhile; ends with the response. `show` may return a Promise, which is waited for. */
export async function eachFrame(response, show) {
  const reader = response.body.getReader();
  let bytes = new Uint8Array(0), newest = null, showing = false;
  const next = async () => {
    showing = true;
    while (newest) {
      const frame = newest;
      newest = null;
      await show(frame);
    }
    showing = false;
  };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    bytes = joined(bytes, value);
    for (let part; (part = firstPart(bytes)); bytes = bytes.slice(part.end)) {
      newest = new Blob([bytes.slice(part.start, part.end)], { type: "image/jpeg" });
    }
    if (newest && !showing) next();
  }
}

function joined(before, after) {
  const both = new Uint8Array(before.length + after.length);
  both.set(before);
  both.set(after, before.length);
  return both;
}

/** Where the content of the first whole part begins and ends; null as long as there is none. */
export function firstPart(bytes) {
  const length = /content-length: *(\d+)\r\n(?:.+\r\n)*\r\n/i.exec(ascii(bytes.subarray(0, 1000)));
  if (!length) return null;
  const start = length.index + length[0].length, end = start + Number(length[1]);
  return end <= bytes.length ? { start, end } : null;
}

function ascii(bytes) {
  return String.fromCharCode(...bytes);
}
