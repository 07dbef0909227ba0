// Starts and follows runs over HTTP, from a browser or from Node 20 and later. It imports nothing.
//
//   const client = new Client({ base: "https://example.org", token });   // on the site's own page: new Client()
//   const run = await client.start({ operation: "demo", params: { seconds: 5 } });
//   for await (const { seq, type, data, resync } of run) …               // every event once, in order
//   const result = await run.result({ progress: ({ data }) => … });      // or this; throws RunFailed
//
// The log of a run is the truth, a stream only a way to read it: one that ends without `done` or `error`, breaks off or falls silent is
// opened again after the last event seen, where a proxy holds streams back the log is polled, and a request that starts work is sent
// again under the same Idempotency-Key, so that nothing starts twice.
//
// Bodies, answers and events are those of the API; paths are below its address, or what its links say.

export const SILENCE_MS = 45_000; // without a byte: the server sends a comment each 15 s
export const FIRST_BYTE_MS = 8_000; // a proxy that holds the stream back shows up here
const ANSWER_MS = 30_000; // for a whole answer that is no stream
const PATIENCE_MS = 60_000;
const RETRY_MS = 2_000;
const MAX_DELAY_MS = 30_000;
const POLL_MS = 1_500;
const POLLS = 40; // before the stream is tried again
const ENDINGS = ["completed", "failed", "cancelled"];

/** What the server refused, by its problem+json. `status` is 0 where no server answered, or not in time. */
export class ApiError extends Error {
  name = "ApiError";

  constructor(message, { status = 0, code = "unavailable", errors = [], retryAfter = 0, silent = false, cause } = {}) {
    super(message, { cause });
    Object.assign(this, { status, code, errors, retryAfter, silent });
  }

  /** Whether the same request may succeed in a moment. */
  get passing() {
    return [0, 408, 425, 429].includes(this.status) || this.status > 500;
  }
}

/** A run that did not complete: `message`, `code` and `retryable` are its error's, `run` is all that is known of it. */
export class RunFailed extends Error {
  name = "RunFailed";

  constructor(run) {
    super(run.error?.message ?? run.message);
    Object.assign(this, { code: run.error?.code, retryable: run.error?.retryable ?? false, run });
  }
}

/** Milliseconds to wait before the next try: what the server said, twice as long after each failure, and not all clients at once. */
export function backOff(failures, { retry = RETRY_MS, retryAfter = 0 } = {}) {
  const wait = failures ? Math.min(MAX_DELAY_MS, retry * 2 ** (failures - 2)) : retry;
  return retryAfter * 1000 + wait * (0.25 + 0.75 * Math.random());
}

/** Django's token against forged requests: that of the page, or of its cookie. */
export function csrfToken() {
  const meta = globalThis.document?.querySelector('meta[name="csrf-token"]');
  return meta?.content ?? globalThis.document?.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "";
}

export class Client {
  #root;
  #token;
  #csrf;
  #jar = new Map();
  patience;
  silence;
  firstByte;

  /**
   * `base`: the site, by default that of the page; `api`: where the API is on it. `token`: an API token; without one cookies say who
   * asks, and `csrf` (by default the page's) guards them. `patience`: milliseconds to wait in a row for a server that cannot be
   * reached or is busy. `silence`, `firstByte`: milliseconds without a byte after which a stream counts as broken.
   */
  constructor({ base, api = "/api/", token, csrf, patience = PATIENCE_MS, silence = SILENCE_MS, firstByte = FIRST_BYTE_MS } = {}) {
    const site = base ?? globalThis.location?.href;
    if (!/^https?:/.test(site)) throw new TypeError(`base is the address of a site, such as https://example.org, not ${site}.`);
    this.#root = new URL(api.endsWith("/") ? api : `${api}/`, site);
    this.#token = token;
    this.#csrf = csrf;
    Object.assign(this, { patience, silence, firstByte });
  }

  /** Starts `{operation, params, on_disconnect?}` and resolves to its Run once the server has taken it. Throws ApiError. */
  start(body, options) {
    return this.#begin("runs", body, options);
  }

  /** The same for a chat message: a text, or `{message, source?, …}`. */
  chat(body, options) {
    return this.#begin("agent/chat", typeof body === "string" ? { message: body } : body, options);
  }

  /** The same for `{items: [{operation, params, weight?}, …], on_failure?, concurrency?}`. */
  batch(body, options) {
    return this.#begin("batches", body, options);
  }

  /** Starts a failed or cancelled run again, as a new one. */
  retry(run, options) {
    return this.#begin(`${this.#pathOf(run)}/retry`, undefined, options);
  }

  /** The Run of an id, of the address of its events, or of the API's JSON of it, read from the event after number `after` on. */
  follow(run, { after = 0, ...options } = {}) {
    return new Run(this, this.#pathOf(run), { ...options, after });
  }

  /** Asks a run to end; resolves to the run. Its end comes as an event. */
  cancel(run, options) {
    return this.post(`${this.#pathOf(run)}/cancel`, undefined, options);
  }

  /** The JSON at an address. */
  async get(path, options = {}) {
    return (await this.request(path, options)).body;
  }

  /**
   * Sends JSON and resolves to the JSON of the answer: `202` at once where the request starts work. Sent again under the same `key`
   * while the server cannot be reached or is busy, for up to `patience` milliseconds of waiting. Throws ApiError.
   */
  async post(path, body, { key = newKey(), patience = this.patience, signal } = {}) {
    const headers = { "Idempotency-Key": key, Prefer: "respond-async" };
    const send = () => this.request(path, { method: "POST", body, headers, signal });
    return (await patiently(send, this.#recognised ? patience : 0, signal)).body;
  }

  /** Sends one request and resolves to its answer and the JSON in it: `{response, body}`. Throws ApiError. */
  async request(path, { headers, signal, ...request } = {}) {
    const watch = new Watch(signal);
    watch.expect(ANSWER_MS);
    try {
      const response = await this.#fetch(path, { ...request, headers: { Accept: "application/json", ...headers } }, watch);
      expect(response, "application/json", watch);
      return { response, body: await response.json().catch((error) => watch.fail(error)) };
    } finally {
      watch.abort();
    }
  }

  /** Opens a stream: `{response, frames}`, where `frames` yields what each piece of it brought, {id, data, retry} each. Throws ApiError. */
  async open(path, { headers, signal, ...request } = {}) {
    const watch = new Watch(signal);
    watch.expect(this.firstByte);
    const response = await this.#fetch(path, { ...request, headers: { Accept: "text/event-stream", ...headers } }, watch);
    watch.stop();
    if (response.status !== 204) expect(response, "text/event-stream", watch);
    return { response, frames: frames(response.body, watch, this) };
  }

  async #begin(path, body, { key = newKey(), signal, ...options } = {}) {
    // A first try that was lost may have started the run: another one asks which it is, and the stream is opened by itself.
    let lost = null;
    const stream = () => this.open(path, { method: "POST", body, headers: { "Idempotency-Key": key }, signal });
    const send = () => (lost ? this.post(path, body, { key, signal, patience: 0 }) : stream());
    const answer = await patiently(send, this.#recognised ? this.patience : 0, signal, (error) => (lost = error));
    const id = answer.id ?? answer.response.headers.get("X-Run-Id");
    return new Run(this, `runs/${id}`, { ...options, signal, frames: answer.frames, held: lost?.silent });
  }

  // A key belongs to its owner: that of a visitor who has no session yet is recognised by nobody.
  get #recognised() {
    return Boolean(this.#token || this.#jar.size || globalThis.document);
  }

  async #fetch(path, { body, method = "GET", headers }, watch) {
    const init = { method, headers: this.#headers(method, headers), cache: "no-store", signal: watch.signal };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers["Content-Type"] = "application/json";
    }
    const url = new URL(path, this.#root);
    if (url.origin !== this.#root.origin) throw new TypeError(`${url} is not on the site ${this.#root.origin}.`);
    try {
      const response = await fetch(url, init);
      this.#keep(response);
      if (response.ok) return response;
      throw await problem(response);
    } catch (error) {
      watch.stop();
      if (error instanceof ApiError) throw error;
      watch.fail(error);
    }
  }

  #headers(method, headers) {
    if (this.#token) return { Authorization: `Bearer ${this.#token}`, ...headers };
    const safe = method === "GET" ? {} : { "X-CSRFToken": this.#jar.get("csrftoken") || this.#csrf || csrfToken() };
    if (!this.#jar.size) return { ...safe, ...headers };
    const cookies = [...this.#jar].map(([name, value]) => `${name}=${value}`).join("; ");
    return { ...safe, Cookie: cookies, Origin: this.#root.origin, ...headers };
  }

  // Browsers keep cookies by themselves and show none. Elsewhere a visitor without a token stays the same one by this.
  #keep(response) {
    for (const line of response.headers.getSetCookie?.() ?? []) {
      const [, name, value] = /^([^=;]+)=([^;]*)/.exec(line) ?? [];
      if (name) this.#jar.set(name, value);
    }
    if (this.#jar.size && !this.#jar.has("csrftoken")) this.#jar.set("csrftoken", newKey().replaceAll("-", ""));
  }

  #pathOf(run) {
    const link = run.links?.self ?? run.path ?? String(run);
    return /[/:]/.test(link) ? link.replace(/\/events$/, "") : `runs/${link}`;
  }
}

/** One run and how far it was read. Iterating yields its events after `last`; to iterate again goes on there. */
export class Run {
  over = false; // its last event was read
  #client;
  #signal;
  #frames; // of the answer that started it
  #onConnection;
  #retry = RETRY_MS;
  #polls;

  constructor(client, path, { after = 0, signal, frames = null, held = false, onConnection = () => {} } = {}) {
    this.path = path;
    this.last = after;
    this.#client = client;
    this.#signal = signal;
    this.#frames = frames;
    this.#onConnection = onConnection;
    this.#polls = held ? POLLS : 0;
  }

  get id() {
    return this.path.split("/").at(-1);
  }

  /** The run as it stands. */
  snapshot() {
    return this.#client.get(this.path, { signal: this.#signal });
  }

  cancel() {
    return this.#client.cancel(this);
  }

  /** Reads to the end, calling `on.progress`, `on.content`, `on.done`, `on.error`, `on.resync` with the events and `on.event` with each. */
  async result(on = {}) {
    for await (const event of this) {
      on.event?.(event);
      on[event.resync ? "resync" : event.type]?.(event);
    }
    const run = await patiently(() => this.snapshot(), this.#client.patience, this.#signal);
    if (run.status !== "completed") throw new RunFailed(run);
    return run.result;
  }

  async *[Symbol.asyncIterator]() {
    const waits = new Waits(this.#client.patience);
    while (!this.over) {
      let wait;
      try {
        yield* this.#polls ? this.#poll(waits) : this.#stream(waits);
        wait = backOff(0, { retry: this.#polls ? POLL_MS : this.#retry });
      } catch (error) {
        this.#signal?.throwIfAborted();
        if (!(error instanceof ApiError) || (!error.passing && error.status < 500)) throw error;
        if (error.silent) this.#polls = POLLS;
        wait = waits.next(error, this.#retry);
        this.#onConnection("reconnecting", error);
      }
      if (!this.over) await sleep(wait, this.#signal);
    }
  }

  async *#stream(waits) {
    const frames = this.#frames ?? (await this.#open());
    this.#frames = null;
    if (!frames) return;
    let heard = false;
    for await (const some of frames) {
      if (!heard) this.#onConnection("live");
      heard = true;
      waits.reset();
      for (const { id, data, retry } of some) {
        if (retry) this.#retry = Number(retry) || RETRY_MS;
        const event = data ? this.#see(Number(id), JSON.parse(data)) : null;
        if (event) yield event;
        if (this.over) return;
      }
    }
    if (!heard) throw new ApiError("The server ended the stream before its first byte.");
  }

  async #open() {
    const { response, frames } = await this.#client.open(`${this.path}/events?after=${this.last}`, { signal: this.#signal });
    this.over = response.status === 204; // all was read
    return this.over ? null : frames;
  }

  // Where streams are held back: what the log has by now.
  async *#poll(waits) {
    this.#polls -= 1;
    let page = await this.#stored();
    this.#onConnection("polling");
    waits.reset();
    if (!page.items.length) {
      const run = await this.snapshot();
      if (run.last_seq < this.last) return yield this.#resync(run, 1);
      if (ENDINGS.includes(run.status)) page = await this.#stored(); // its last events came meanwhile
      this.over = ENDINGS.includes(run.status) && !page.items.length;
    }
    for (; ; page = await this.#stored()) {
      for (const { id, type, data } of page.items) {
        if (id > this.last + 1) yield this.#resync(await this.snapshot(), id);
        const event = this.#see(id, { type, data });
        if (event) yield event;
      }
      if (!page.next || this.over) return;
    }
  }

  #stored() {
    return this.#client.get(`${this.path}/events?after=${this.last}`, { signal: this.#signal });
  }

  // What the stream would have said: the log cannot be read on from there, this is where the run stands.
  #resync(run, oldest) {
    const { id: runId, operation, percentage, message, currentState, attempt, status, last_seq: lastSeq } = run;
    const metadata = { runId, attempt, status, resync: true, oldest, lastSeq };
    return this.#see(oldest - 1, { type: "progress", data: { operation, percentage, message, currentState, metadata } });
  }

  #see(seq, { type, data }) {
    this.#signal?.throwIfAborted(); // also of events that had come already
    const resync = data.metadata?.resync === true;
    if (!resync && seq <= this.last) return null;
    if (!resync && seq !== this.last + 1) throw new ApiError(`Event ${seq} came after event ${this.last}.`);
    this.last = seq;
    this.over = type === "done" || type === "error";
    return { seq, type, data, resync };
  }
}

// Ends a request that takes too long, or that its caller ends.
class Watch {
  #controller = new AbortController();
  #timer = 0;
  #signal;

  constructor(signal) {
    this.#signal = signal;
    this.signal = this.#controller.signal;
    signal?.throwIfAborted();
    signal?.addEventListener("abort", () => this.#controller.abort(signal.reason), { signal: this.signal });
  }

  expect(ms) {
    const silence = new ApiError("The server did not answer in time.", { silent: true });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(silence), ms);
  }

  stop() {
    clearTimeout(this.#timer);
  }

  abort() {
    this.stop();
    this.#controller.abort();
  }

  /** Throw what `error` means. */
  fail(error) {
    this.#signal?.throwIfAborted();
    if (this.#controller.signal.aborted) throw this.#controller.signal.reason;
    throw new ApiError("The server cannot be reached. Try again in a moment.", { cause: error });
  }
}

async function* frames(body, watch, { firstByte, silence }) {
  const chunks = body?.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new FrameParser();
  try {
    for (let patience = firstByte; chunks; patience = silence) {
      watch.expect(patience); // only while waiting for it: a reader may take its time
      const { done, value } = await chunks.read().catch((error) => watch.fail(error));
      watch.stop();
      if (done) return;
      yield parser.push(value);
    }
  } finally {
    watch.abort();
  }
}

/** Takes a stream in pieces. The server ends lines with LF alone and writes each event on one line. */
export class FrameParser {
  #rest = "";

  /** Returns the frames that `text` completes: their fields. */
  push(text) {
    this.#rest += text;
    if (!text.includes("\n")) return [];
    const complete = this.#rest.split("\n\n");
    this.#rest = complete.pop();
    return complete.map(fields);
  }
}

function fields(frame) {
  return Object.fromEntries(frame.split("\n").map((line) => /^(\w*): ?(.*)$/.exec(line)?.slice(1) ?? ["", ""]));
}

// How long to wait after one failure after the other: longer each time, and no more once `patience` milliseconds were waited in all.
class Waits {
  #patience;
  #failures = 0;
  #waited = 0;

  constructor(patience) {
    this.#patience = patience;
  }

  reset() {
    this.#failures = this.#waited = 0;
  }

  next(error, retry) {
    const wait = backOff((this.#failures += 1), { retry, retryAfter: error.retryAfter });
    this.#waited += wait;
    if (this.#waited > this.#patience) throw error;
    return wait;
  }
}

async function patiently(send, patience, signal, failed = () => {}) {
  for (const waits = new Waits(patience); ; ) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof ApiError) || !error.passing) throw error;
      failed(error);
      await sleep(waits.next(error), signal);
    }
  }
}

function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const end = () => (clearTimeout(timer), reject(signal.reason));
    const timer = setTimeout(() => (signal?.removeEventListener("abort", end), resolve()), ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}

function expect(response, kind, watch) {
  if (response.headers.get("Content-Type")?.startsWith(kind)) return;
  watch.abort();
  throw new ApiError(`There is no ${kind} at ${response.url}.`, { status: 406, code: "invalid_request" });
}

async function problem(response) {
  const { status, headers } = response;
  const { detail, title, code, errors } = await response.json().catch(() => ({}));
  const retryAfter = Number(headers.get("Retry-After")) || 0;
  const message = detail || title || `The server answered ${status} at ${response.url}.`;
  return new ApiError(retryAfter ? `${message} Try again in ${retryAfter} s.` : message, { status, code, errors, retryAfter });
}

function newKey() {
  return globalThis.crypto?.randomUUID?.() ?? Array.from({ length: 4 }, () => Math.random().toString(36).slice(2)).join("");
}
