// The page: images and frames to the server, answers to the stage and the panel.
import { Answers } from "./answers.js";
import { Camera } from "./camera.js";
import { byId, element } from "./dom.js";
import { live } from "./live.js";
import { aboutModel, ClassList, ObjectList } from "./panel.js";
import { filtered, isFiltered, kindOf, summaryOf } from "./records.js";
import { Refusal, Server } from "./server.js";
import { Stage } from "./stage.js";
import { Strip, thumbOf } from "./strip.js";

/** What is served, what was given, and what of it is seen. */
class Page {
  constructor() {
    this.server = new Server(askToken);
    this.stage = new Stage();
    this.camera = new Camera();
    this.strip = new Strip(item => this.choose(item), item => this.remove(item));
    this.classes = new ClassList(name => this.toggle(name), mark => this.mark(mark));
    this.objects = new ObjectList(mark => this.mark(mark));
    this.items = [];
    this.current = this.frame = this.model = null;
    this.number = 0;
    this.view = { threshold: 0.5, off: new Set(), boxes: true, masks: true, names: true, heat: false, opacity: 0.5, marked: null };
    this.answers = new Answers(this.server, () => this.render());
  }

  async start() {
    for (const one of document.querySelectorAll(".of-serve")) one.hidden = false;
    this.strip.show([], null);
    this.listen();
    try {
      const { models, limits, explain } = await this.server.models();
      Object.assign(this, { models, limits: limits ?? {}, explain: explain ?? [] });
    } catch (error) {
      return say(error.message, () => location.reload());
    }
    byId("model").replaceChildren(...this.models.map(one => element("option", { value: one.name, text: one.name })));
    byId("model-label").hidden = false;
    byId("method").replaceChildren(...this.explain.map(name => element("option", { value: name, text: name })));
    this.useModel((this.models.find(one => one.default) ?? this.models[0]).name);
  }

  useModel(name) {
    this.model = this.models.find(one => one.name === name);
    byId("model").value = name;
    byId("about").textContent = aboutModel(this.model);
    const least = isFiltered(this.model) ? this.answers.least(this.model) : 0;
    Object.assign(byId("threshold"), { min: least, value: Math.max(least, this.model.threshold) });
    const masked = ["segment", "instances"].includes(this.model.task);
    byId("show-boxes").checked = !masked;
    this.view = { ...this.view, off: new Set(), marked: null };
    this.readView();
    this.frame = null;
    this.ask();
  }

  readView() {
    const on = name => byId(`show-${name}`).checked, task = this.model?.task ?? "";
    const threshold = Number(byId("threshold").value), opacity = Number(byId("opacity").value);
    Object.assign(this.view, { threshold, opacity, boxes: on("boxes"), masks: on("masks"), names: on("names"), heat: on("heat") });
    byId("threshold-value").textContent = String(Math.round(1000 * threshold) / 1000);
    byId("opacity-value").textContent = `${Math.round(100 * opacity)} %`;
    const has = { boxes: !["segment", "classify"].includes(task), masks: ["segment", "instances"].includes(task),
      names: task !== "classify", heat: this.explain?.length > 0 };
    for (const [name, there] of Object.entries(has)) byId(`show-${name}`).parentElement.hidden = !there;
    byId("show").hidden = !Object.values(has).some(Boolean);
    byId("method-label").hidden = !(has.heat && this.view.heat);
    byId("opacity-row").hidden = !(has.masks || (has.heat && this.view.heat));
  }

  listen() {
    byId("model").onchange = event => this.useModel(event.target.value);
    const look = () => { this.readView(); this.render(); };
    for (const id of ["opacity", "show-boxes", "show-masks", "show-names"]) byId(id).oninput = look;
    byId("threshold").oninput = look;
    byId("threshold").onchange = () => { if (!isFiltered(this.model)) this.ask(); };
    byId("threshold").onkeydown = stepOf;
    byId("method").onchange = () => { this.readView(); this.ask(); };
    byId("show-heat").onchange = event => {
      byId("show-masks").checked = !event.target.checked; // colours over colours say nothing
      this.readView();
      this.ask();
    };
    byId("files").onchange = event => { this.add([...event.target.files]); event.target.value = ""; };
    byId("camera").onclick = () => this.camera.running ? this.closeCamera() : this.openCamera();
    byId("device").onchange = event => this.openCamera(event.target.value);
    byId("all").onclick = () => { this.view.off = new Set(); this.render(); };
    byId("none").onclick = () => { this.view.off = new Set(this.model.classes); this.render(); };
    byId("copy").onclick = () => this.copy();
    byId("save").onclick = () => this.save();
    byId("dismiss").onclick = () => say("");
    this.listenToFiles();
  }

  listenToFiles() {
    const figure = byId("figure"), over = on => event => {
      event.preventDefault();
      figure.classList.toggle("over", on);
    };
    document.addEventListener("dragover", over(true));
    document.addEventListener("dragleave", over(false));
    document.addEventListener("drop", event => {
      over(false)(event);
      this.add([...event.dataTransfer.files]);
    });
    document.addEventListener("paste", event => {
      const files = [...event.clipboardData.files];
      if (files.length) { event.preventDefault(); this.add(files); }
    });
  }

  add(files) {
    if (!this.model) return;
    if (!files.length) return say("That was no file. Drop images, or choose them.");
    this.closeCamera(false);
    const added = files.map(blob => ({ id: ++this.number, name: blob.name || "pasted image", blob, thumb: thumbOf(blob) }));
    this.items.push(...added);
    this.choose(added[0]);
  }

  choose(item) {
    this.closeCamera(false);
    if (this.current && this.current !== item) {
      this.current.bitmap?.then(bitmap => bitmap?.close());
      this.current.bitmap = this.current.image = undefined;
    }
    this.current = item;
    this.view.marked = null;
    if (item && !item.bitmap) {
      item.bitmap = createImageBitmap(item.blob).catch(() => null);
      item.bitmap.then(bitmap => {
        if (this.current !== item) return;
        item.image = bitmap;
        this.render();
      });
    }
    this.ask();
  }

  remove(item) {
    const at = this.items.indexOf(item);
    this.items.splice(at, 1);
    if (item === this.current) this.choose(this.items[at] ?? this.items[at - 1] ?? null);
    else this.render();
  }

  ask() {
    say("");
    if (this.model) this.answers.want(this.items, this.current, this.model, this.limits, this.view, byId("method").value);
    this.render();
  }

  toggle(name) {
    if (!this.view.off.delete(name)) this.view.off.add(name);
    this.render();
  }

  mark(what) {
    this.view.marked = what;
    this.draw();
  }

  /** What is on the stage: a frame of the camera, or the current image with its answer. */
  shown() {
    if (this.frame) return this.frame;
    if (!this.current || !this.model) return null;
    const answer = this.answers.of(this.current, this.model, this.view);
    const image = this.current.image ?? null;
    return { image, model: this.model, ...answer, heat: this.answers.heat(this.current, this.model, byId("method").value) };
  }

  draw() {
    const shown = this.shown();
    const ready = shown && (shown.image || shown.record) && !(this.current && !this.frame && this.current.image === undefined);
    const record = shown?.record && filtered(shown.record, this.view.threshold, this.view.off);
    const words = record ? summaryOf(record) : "";
    this.stage.show(ready ? shown : null, { ...this.view }, words || "An image without an answer yet");
    byId("hint").hidden = Boolean(shown);
    return { shown, record, words };
  }

  render() {
    for (const item of this.items) item.state = this.model && this.answers.of(item, this.model, this.view).state;
    const { shown, record, words } = this.draw();
    this.strip.show(this.items, this.frame ? null : this.current);
    byId("summary").textContent = words;
    byId("threshold-row").hidden = !this.model;
    this.classes.show(shown?.record, this.model, this.view);
    this.objects.show(shown?.record, this.model, this.view);
    byId("copy").disabled = byId("save").disabled = !record;
    byId("word").textContent = shown?.word ?? "";
    byId("time").textContent = shown?.seconds ? `answered in ${Math.round(1000 * shown.seconds)} ms` : "";
    if (shown?.record && shown.image === null) byId("time").textContent += " · this browser cannot show such a file; its answer is on grey";
    if (shown?.error) say(shown.error.message, () => { this.answers.forget(this.current); this.ask(); });
  }

  async openCamera(device = "") {
    say("");
    this.closeCamera(false);
    try {
      await this.camera.open(device);
    } catch (error) {
      return say(error.message);
    }
    byId("camera").textContent = "Stop camera";
    byId("camera").setAttribute("aria-pressed", "true");
    const devices = await this.camera.devices();
    byId("device").replaceChildren(...devices.map(one => element("option", { value: one.id, text: one.name })));
    byId("device").value = this.camera.device;
    byId("device-label").hidden = devices.length < 2;
    this.last = null;
    await this.camera.run((canvas, blob) => this.answerFrame(canvas, blob));
  }

  async answerFrame(canvas, blob) {
    const model = this.model, begun = performance.now();
    try {
      const { record, masks } = await this.answers.frame(blob, model, this.view.threshold);
      if (!this.camera.running || model !== this.model) return;
      const image = document.createElement("canvas");
      Object.assign(image, { width: canvas.width, height: canvas.height });
      image.getContext("2d").drawImage(canvas, 0, 0);
      this.frame = { image, record, masks, model, seconds: (performance.now() - begun) / 1000 };
      this.last = blob;
      say("");
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      say(error.message);
      await new Promise(done => setTimeout(done, 1000 * Math.max(1, Math.min(error.after, 10))));
    }
    byId("rate").textContent = this.camera.rate ? `${this.camera.rate.toFixed(1)} fps` : "";
    this.render();
  }

  /** Let the camera go; its last frame stays among the images. */
  closeCamera(keep = true) {
    if (!this.camera.running && !this.frame) return;
    this.camera.close();
    this.frame = null;
    byId("camera").textContent = "Use camera";
    byId("camera").setAttribute("aria-pressed", "false");
    byId("rate").textContent = "";
    byId("device-label").hidden = true;
    const last = this.last;
    this.last = null;
    if (keep && last) this.add([new File([last], `camera-${this.number + 1}.jpg`, { type: "image/jpeg" })]);
    else this.render();
  }

  async copy() {
    const { record } = this.draw(), text = JSON.stringify(record, null, 1);
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      if (!copiedByHand(text)) return say("The browser did not let this page copy. Save the image instead, or ask the server by its API.");
    }
    byId("time").textContent = "copied";
  }

  async save() {
    const { shown } = this.draw(), name = (this.current?.name ?? "frame").replace(/\.[^.]*$/, "");
    const address = URL.createObjectURL(await this.stage.png());
    element("a", { href: address, download: `${name}-${kindOf(shown.record)}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }
}

/** Say in words what went wrong, with a way to try again; nothing takes it away. */
function say(text, again = null) {
  byId("alert").hidden = !text;
  if (byId("alert-text").textContent !== text) byId("alert-text").textContent = text;
  byId("again").hidden = !again;
  byId("again").onclick = again;
}

/** Steps of a hundredth by the arrow keys, where the slider itself has finer ones. */
function stepOf(event) {
  const step = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  event.target.value = Number(event.target.value) + step;
  event.target.dispatchEvent(new Event("input"));
  event.target.dispatchEvent(new Event("change"));
}

function copiedByHand(text) {
  const area = element("textarea", { text });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

function askToken() {
  const dialog = byId("token-dialog");
  byId("token").value = "";
  if (!dialog.open) dialog.showModal();
  return new Promise(done => dialog.addEventListener("close", () => done(byId("token").value.trim()), { once: true }));
}

if (document.documentElement.dataset.mode === "live") live();
else new Page().start();
