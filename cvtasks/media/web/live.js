// The live view: what another program on this machine sees, as it comes.
import { element } from "./dom.js";
import { eachFrame } from "./motion_jpeg.js";

const ASK_MS = 400;
const STALLED_MS = 3000;

/** Show the stream until it ends. */
export function live() {
  const [title, list, stop, image, word] = ["title", "facts", "stop", "stream", "word"].map(id => document.getElementById(id));
  for (const one of document.querySelectorAll(".of-live")) one.hidden = false;
  word.textContent = "waiting for the first frame …";
  let frame = 0, changed = performance.now(), asking = false;
  const end = text => {
    clearInterval(timer);
    document.body.classList.remove("live");
    stop.disabled = true;
    word.textContent = text;
  };
  const look = async () => {
    if (asking) return;
    asking = true;
    let news;
    try {
      news = await (await fetch("facts", { cache: "no-store" })).json();
    } catch {
      return end("ended");
    } finally {
      asking = false;
    }
    document.title = title.textContent = news.title;
    list.replaceChildren(...Object.entries(news.facts).map(([name, value]) =>
      element("div", {}, [element("dt", { text: name }), element("dd", { text: value })])));
    if (news.frame !== frame) [frame, changed] = [news.frame, performance.now()];
    const waited = performance.now() - changed, stalled = frame > 0 && waited > STALLED_MS;
    document.body.classList.toggle("live", !news.ended && !stalled);
    if (frame > 0) word.textContent = stalled ? `no new frame for ${Math.round(waited / 1000)} s` : "";
    if (news.ended) end("ended");
  };
  const timer = setInterval(look, ASK_MS);
  fetch("stream").then(response => eachFrame(response, jpeg => show(image, jpeg))).catch(() => {});
  stop.onclick = () => {
    stop.disabled = true;
    fetch("stop", { method: "POST" }).catch(() => {});
  };
  look();
}

async function show(canvas, jpeg) {
  const bitmap = await createImageBitmap(jpeg);
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height, hidden: false });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
}
