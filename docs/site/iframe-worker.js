// A page that is opened from the disk may start no worker; the search's then runs in a hidden frame.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    #waiting = []

    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      frame.srcdoc =
        "<script>postMessage = told => parent.postMessage(told, '*')</script>" +
        `<script src="${new URL(url, location)}"></script>`
      frame.addEventListener("load", () => {
        this.#frame = frame
        for (const told of this.#waiting) this.postMessage(told)
      })
      window.addEventListener("message", event => {
        if (event.source !== frame.contentWindow) return
        const heard = new MessageEvent("message", { data: event.data })
        this.dispatchEvent(heard)
        this.onmessage?.(heard)
      })
      const begin = () => document.body.append(frame)
      if (document.body) begin()
      else addEventListener("DOMContentLoaded", begin)
    }

    #frame = null

    postMessage(told) {
      if (this.#frame) this.#frame.contentWindow.dispatchEvent(new MessageEvent("message", { data: told }))
      else this.#waiting.push(told)
    }

    terminate() {
      this.#frame?.remove()
    }
  }
}
