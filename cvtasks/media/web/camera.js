// The browser's camera: frame after frame to whoever answers them, one at a time.

const LONGEST_SIDE = 960;
const QUALITY = 0.85;
const RATE_OVER_MS = 3000;

/** A camera. While one frame is answered the others pass by: the next is the newest. */
export class Camera {
  #stream = null;
  #video = document.createElement("video");
  #answered = [];

  constructor() {
    this.#video.muted = true;
    this.#video.playsInline = true;
  }

  /** Whether it runs. */
  get running() {
    return this.#stream !== null;
  }

  /** Frames a second that were answered of late. */
  get rate() {
    const now = performance.now();
    this.#answered = this.#answered.filter(time => now - time < RATE_OVER_MS);
    const first = this.#answered[0];
    return this.#answered.length < 2 ? 0 : 1000 * (this.#answered.length - 1) / (now - first);
  }

  /** Open it; throws an Error in words. `device` is an id, or "" for the one that looks outward. */
  async open(device = "") {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("Browsers give the camera only to pages on this machine or by https. Open this page there.");
    }
    const video = device ? { deviceId: { exact: device } } : { facingMode: { ideal: "environment" } };
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...video, width: { ideal: 1280 } } });
    } catch (error) {
      throw new Error(whyNot(error));
    }
    this.#stream.getVideoTracks()[0].addEventListener("ended", () => this.close());
    this.#video.srcObject = this.#stream;
    await this.#video.play();
  }

  /** Hand over a frame (canvas, JPEG blob), wait for the answer, take the next; until it is closed. */
  async run(answer) {
    const stream = this.#stream, canvas = document.createElement("canvas");
    while (this.#stream && this.#stream === stream) {
      const { videoWidth, videoHeight } = this.#video;
      if (!videoWidth || document.hidden) {
        await new Promise(done => setTimeout(done, 200));
        continue;
      }
      const scale = Math.min(1, LONGEST_SIDE / Math.max(videoWidth, videoHeight));
      canvas.width = Math.round(videoWidth * scale);
      canvas.height = Math.round(videoHeight * scale);
      canvas.getContext("2d").drawImage(this.#video, 0, 0, canvas.width, canvas.height);
      const blob = await new Promise(done => canvas.toBlob(done, "image/jpeg", QUALITY));
      await answer(canvas, blob);
      this.#answered.push(performance.now());
    }
  }

  /** Cameras there are: [{id, name}]; names are known once one was opened. */
  async devices() {
    const all = await navigator.mediaDevices.enumerateDevices();
    return all.filter(one => one.kind === "videoinput")
      .map((one, i) => ({ id: one.deviceId, name: one.label || `camera ${i + 1}` }));
  }

  /** The id of the open one. */
  get device() {
    return this.#stream?.getVideoTracks()[0]?.getSettings().deviceId ?? "";
  }

  /** Let it go. */
  close() {
    this.#stream?.getTracks().forEach(track => track.stop());
    this.#stream = null;
    this.#video.srcObject = null;
    this.#answered = [];
  }
}

function whyNot(error) {
  return {
    NotAllowedError: "The camera was not allowed. Allow it for this page in the browser's settings.",
    NotFoundError: "No camera was found.",
    OverconstrainedError: "This camera is not there any more. Choose another.",
    NotReadableError: "The camera is used by another program. Close that first.",
  }[error.name] ?? `The camera could not be opened (${error.name}).`;
}
