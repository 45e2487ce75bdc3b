// Questions to the server, and what it says in words where it cannot answer.

const KEY = "cvtasks-token";
const TRIES = 5;
const LONGEST_WAIT_S = 10;

/** Why there is no answer: a sentence for people, and the status of HTTP; 0 where nobody answered. */
export class Refusal extends Error {
  constructor(text, status, after = 0) {
    super(text);
    this.status = status;
    this.after = after;
  }
}

/** The server that this page is from. */
export class Server {
  /** @param askToken () → Promise of a token that somebody types. */
  constructor(askToken) {
    this.askToken = askToken;
    this.token = tokenOfAddress() ?? remembered() ?? "";
  }

  /** What is served: {models, limits, explain}. */
  models() {
    return this.#asked("models", {});
  }

  /** The record of an image. `busy` is told in how many seconds it is asked again. */
  async predict(blob, name, query, signal, busy = () => {}) {
    for (let attempt = 1; ; attempt++) {
      try {
        const { results } = await this.#asked(path("predict", query), body(blob, name, signal));
        if (results[0].error) throw new Refusal(results[0].error, results[0].status ?? 400);
        return results[0];
      } catch (error) {
        if (!(error instanceof Refusal && [429, 503].includes(error.status) && error.after)) throw error;
        if (attempt === TRIES) throw error;
        const seconds = Math.min(error.after, LONGEST_WAIT_S);
        busy(seconds);
        await new Promise(done => setTimeout(done, 1000 * seconds));
        if (signal?.aborted) throw error;
      }
    }
  }

  /** Where the reasons of an answer lie: {heat, target, …}. */
  explain(blob, name, query, signal) {
    return this.#asked(path("explain", query), body(blob, name, signal));
  }

  async #asked(where, options) {
    for (;;) {
      const headers = this.token ? { authorization: `Bearer ${this.token}` } : {};
      let response;
      try {
        response = await fetch(where, { cache: "no-store", ...options, headers });
      } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new Refusal("The server does not answer. Is it still running?", 0);
      }
      if (response.status === 401) {
        this.token = await this.askToken();
        remember(this.token);
        continue;
      }
      return await documentOf(response);
    }
  }
}

async function documentOf(response) {
  let found = null;
  try {
    found = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
  }
  if (response.ok && found) return found;
  const after = Number(response.headers.get("retry-after")) || 0;
  throw new Refusal(found?.error ?? inWords(response.status), response.status, after);
}

function inWords(status) {
  return {
    413: "The image is too large for this server.",
    415: "This is not a kind of image that the server reads.",
    429: "The server has too much to do. Try again soon.",
    503: "The server is stopping, or has too much to do.",
    504: "The answer took too long.",
  }[status] ?? `The server could not answer (status ${status}).`;
}

function path(where, query) {
  return `${where}?${new URLSearchParams(query)}`;
}

function body(blob, name, signal) {
  const form = new FormData();
  form.append("image", blob, name);
  return { method: "POST", body: form, signal };
}

/** The token of `?token=`, which is taken out of the address so that nobody copies it with it. */
function tokenOfAddress() {
  const address = new URL(location.href), token = address.searchParams.get("token");
  if (token === null) return null;
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
  remember(token);
  return token;
}

function remembered() {
  try { return sessionStorage.getItem(KEY); } catch { return null; }
}

function remember(token) {
  try { sessionStorage.setItem(KEY, token); } catch { /* a browser that keeps nothing */ }
}
