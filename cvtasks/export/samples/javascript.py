"""JavaScript in a browser, by onnxruntime-web."""

from cvtasks.export.samples import Told

_RUN = """
import * as ort from "onnxruntime-web";

const classes = @CLASSES@;
const network = await ort.InferenceSession.create("@FILE@");

// image: an <img>, a <video>, a canvas or an ImageBitmap of width w and height h
export async function predict(image, w, h) {
  const scale = Math.min(@WIDTH@ / w, @HEIGHT@ / h);
  const width = Math.max(1, Math.round(w * scale)), height = Math.max(1, Math.round(h * scale));
  const left = Math.floor(@LEFT@), top = Math.floor(@TOP@);
  const pen = new OffscreenCanvas(@WIDTH@, @HEIGHT@).getContext("2d");
  pen.fillStyle = "rgb(@GREY@, @GREY@, @GREY@)";
  pen.fillRect(0, 0, @WIDTH@, @HEIGHT@);
  const how = { resizeWidth: width, resizeHeight: height, resizeQuality: "high" };
  pen.drawImage(await createImageBitmap(image, how), left, top);
  const rgba = pen.getImageData(0, 0, @WIDTH@, @HEIGHT@).data;
  const rgb = Float32Array.from(rgba.filter((_, index) => index % 4 < 3));
  const placed = new ort.Tensor("float32", rgb, [1, @HEIGHT@, @WIDTH@, 3]);
  const found = await network.run({ "@INPUT@": placed });
"""

_TELL = {
    "boxes": """
  const { boxes, scores, labels } = found;
  return Array.from(scores.data, (score, n) => ({
    name: classes[Number(labels.data[n])],
    score,
    box: Array.from(boxes.data.slice(4 * n, 4 * n + 4), (edge, side) =>
      side % 2 ? ((edge - top) * h) / height : ((edge - left) * w) / width),
  }));
}
""",
    "ids": """
  const share = {};
  for (let y = top; y < top + height; y++)
    for (let x = left; x < left + width; x++) {
      const name = classes[found.ids.data[y * @WIDTH@ + x]] ?? "void";
      share[name] = (share[name] ?? 0) + 1 / (width * height);
    }
  return share;
}
""",
    "scores": """
  const scores = Array.from(found.output.data, (score, n) => ({ name: classes[n], score }));
  return scores.sort((one, other) => other.score - one.score).slice(0, 3);
}
""",
    "arrays": """
  return Object.entries(found).map(([name, array]) => ({ name, shape: array.dims }));
}
""",
}


def code(told: Told) -> str:
    """A module with the function `predict`."""
    return told.fill(_RUN.strip() + "\n" + _TELL[told.kind].strip("\n"))
