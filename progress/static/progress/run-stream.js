// Follows the log of one run: every event once, in order, across broken connections, frozen tabs and restarted servers.
//
// The log is the truth and the stream only a fast way to hear of it. Whenever the stream is in doubt (the browser gave it up, it skipped
// a number, it is silent) the events after the last one seen are fetched as JSON, and the stream is opened again from there.
//
// Events: "event" (detail: {seq, type, data}), "connection" (detail: "connecting", "live" or "polling"), "end" (the terminal event was
// seen), "gone" (detail: an HTTP status: the run is not there or not ours).

const SILENCE_MS = 45_000; // without an event: look whether the stream is mute
const FIRST_EVENT_MS = 5_000; // the same, after the stream was opened: a proxy that buffers shows up here
const POLL_MS = 1_500;
const MAX_DELAY_MS = 30_000;
const FAILURES_BEFORE_POLLING = 3;
const POLLS_BEFORE_STREAM = 40;
const STREAMS_PER_BROWSER = 4; // HTTP/1.1 gives a site six connections, over all tabs: further tabs poll, and pages still load
const ENDINGS = ["completed", "failed", "cancelled"];
const GONE = [401, 403, 404, 410];

export class RunStream extends EventTarget {
  #src;
  #last;
  #source = null;
  #timer = 0;
  #failures = 0;
  #polls = 0;
  #release = null;
  #generation = 0; // of the open connection: what an older one still has in flight is ignored
  #running = false;
  #wake = (event) => this.#onWake(event);

  /** `src`: the run's events URL; `after`: the last event that the caller already has. */
  constructor(src, { after = 0 } = {}) {
    super();
    this.#src = new URL(src, document.baseURI);
    this.#last = after;
  }

  get last() {
    return this.#last;
  }

  start() {
    if (this.#running) return;
    this.#running = true;
    document.addEventListener("visibilitychange", this.#wake);
    for (const name of ["pageshow", "pagehide", "online"]) window.addEventListener(name, this.#wake);
    this.#connect();
  }

  close() {
    this.#running = false;
    document.removeEventListener("visibilitychange", this.#wake);
    for (const name of ["pageshow", "pagehide", "online"]) window.removeEventListener(name, this.#wake);
    this.#disconnect();
  }

  #onWake(event) {
    if (event.type === "pagehide") this.#disconnect();
    else if (event.type !== "visibilitychange" || document.visibilityState === "visible") {
      this.#failures = 0;
      this.#connect();
    }
  }

  #disconnect() {
    this.#generation += 1;
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.#release?.();
    this.#release = null;
  }

  async #connect() {
    this.#disconnect();
    const generation = this.#generation;
    const release = this.#failures < FAILURES_BEFORE_POLLING ? await takeSlot() : null;
    if (generation !== this.#generation) release?.();
    else if (release) this.#stream(release);
    else this.#poll();
  }

  #stream(release) {
    this.#release = release;
    this.#say("connecting");
    const source = new EventSource(this.#url());
    this.#source = source;
    source.onopen = () => {
      this.#say("live");
      this.#watch(FIRST_EVENT_MS);
    };
    source.onmessage = ({ data, lastEventId }) => {
      this.#failures = 0;
      this.#watch(SILENCE_MS);
      const event = { ...JSON.parse(data), seq: Number(lastEventId) };
      if (!this.#receive(event) || isResync(event)) this.#catchUp();
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) this.#catchUp();
      else this.#say("connecting"); // the browser is already trying again, from the last id it saw
    };
    this.#watch(SILENCE_MS);
  }

  #watch(delay) {
    this.#after(delay, () => this.#catchUp());
  }

  #poll() {
    this.#say("polling");
    this.#polls += 1;
    if (this.#polls % POLLS_BEFORE_STREAM === 0) this.#failures = FAILURES_BEFORE_POLLING - 1;
    this.#catchUp(POLL_MS);
  }

  // Read what the log holds beyond the last event seen, then open the stream again. What the stream should have brought by then, a skipped
  // number or an answer that EventSource gives up on all count as failures of the stream.
  async #catchUp(delay = 0) {
    const streaming = this.#source?.readyState === EventSource.OPEN;
    const generation = this.#generation;
    clearTimeout(this.#timer);
    const before = this.#last;
    const answer = await fetchEvents(this.#url(), (event) => generation === this.#generation && this.#receive(event, true));
    if (generation !== this.#generation || !this.#running) return;
    if (GONE.includes(answer.status)) return this.#giveUp(answer.status);
    if (answer.ok && this.#last === before) {
      const ended = await this.#hasEnded();
      if (generation !== this.#generation) return;
      if (ended) return this.#end();
      if (streaming) return this.#watch(SILENCE_MS); // silent because nothing happened
    }
    if (!delay || !answer.ok) this.#failures += 1;
    this.#source?.close();
    this.#after(answer.ok && delay ? delay : this.#delay(answer), () => this.#connect());
  }

  // Whether the run is over and its log has nothing more for us. Its terminal event may be pruned.
  async #hasEnded() {
    const { run } = await fetchRun(this.#src);
    return Boolean(run) && ENDINGS.includes(run.status) && run.last_seq <= this.#last;
  }

  #delay({ retryAfter }) {
    const backOff = Math.min(MAX_DELAY_MS, 500 * 2 ** Math.min(this.#failures, 10));
    return Math.max(retryAfter * 1000, backOff) * (0.5 + Math.random() / 2);
  }

  // Pass the event on if it is the next one. Returns false where numbers were skipped; `trusted` events come from the log itself.
  #receive(event, trusted = false) {
    const { seq, type } = event;
    const resync = isResync(event);
    if (!this.#running || (seq <= this.#last && !resync)) return true;
    if (seq !== this.#last + 1 && !resync && !trusted) return false;
    this.#last = seq;
    this.dispatchEvent(new CustomEvent("event", { detail: event }));
    if (type === "done" || type === "error") this.#end();
    return true;
  }

  #end() {
    this.close();
    this.dispatchEvent(new CustomEvent("end"));
  }

  #giveUp(status) {
    this.close();
    this.dispatchEvent(new CustomEvent("gone", { detail: status }));
  }

  #after(delay, callback) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(callback, delay);
  }

  #say(connection) {
    this.dispatchEvent(new CustomEvent("connection", { detail: connection }));
  }

  #url() {
    const url = new URL(this.#src);
    if (this.#last) url.searchParams.set("after", this.#last);
    return url.href;
  }
}

/** Resolves to {run}, the run's snapshot, or to {status} where there is none. `src`: its events URL. */
export async function fetchRun(src) {
  try {
    const response = await fetch(new URL(src, document.baseURI).pathname.replace(/\/events$/, ""), { headers: { Accept: "application/json" } });
    return response.ok ? { run: await response.json() } : { status: response.status };
  } catch {
    return { status: 0 };
  }
}

async function fetchEvents(url, receive) {
  let status = 0;
  for (let next = url; next; ) {
    try {
      const response = await fetch(next, { headers: { Accept: "application/json" } });
      status = response.status;
      if (status !== 200) return { ok: false, status, retryAfter: Number(response.headers.get("Retry-After")) || 0 };
      const page = await response.json();
      for (const { id, type, data } of page.items) receive({ seq: id, type, data });
      next = page.next && new URL(page.next, next).href;
    } catch {
      return { ok: false, status: 0, retryAfter: 0 };
    }
  }
  return { ok: true, status, retryAfter: 0 };
}

// The server's word that what was seen is not part of this log, or that the log is no longer whole.
function isResync({ data }) {
  return data.metadata?.resync === true;
}

// Resolves to a function that gives the slot back, or to null when all are taken. Without Web Locks (plain HTTP) every tab may stream.
async function takeSlot() {
  if (!navigator.locks) return () => {};
  for (let slot = 0; slot < STREAMS_PER_BROWSER; slot += 1) {
    const release = await lockSlot(`operation-progress-${slot}`);
    if (release) return release;
  }
  return null;
}

function lockSlot(name) {
  return new Promise((resolve) => {
    navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(null);
      return new Promise((release) => resolve(release));
    });
  });
}
