// Follows the log of one run: every event once, in order, across broken connections, frozen tabs and restarted servers.
//
// The log is the truth and the stream, which all tabs share, only a fast way to hear of it. Whenever it is in doubt whether everything was
// heard (at first, after a skipped number, when the stream or the page was away) the events after the last one seen are fetched as JSON.
//
// Events: "event" (detail: {seq, type, data, age}; `age`: milliseconds since it was stored), "connection" (detail: "connecting", "live" or
// "polling"), "reset" (what was seen before is not part of the log), "end" (nothing more comes; detail: the run itself if its last event is
// not in the log any more), "gone" (detail: an HTTP status: the run is not there or not ours).

import { Client } from "./client.js";
import { sharedStream } from "./shared-stream.js";

const POLL_MS = 1_500;
const HIDDEN_POLL_MS = 10_000;
const MAX_POLL_MS = 10_000; // while polls fail
const ENDINGS = ["completed", "failed", "cancelled"];
const GONE = [401, 403, 404, 410];
const WAKING = ["pageshow", "pagehide", "online"];

const client = new Client();

export class RunStream extends EventTarget {
  run;
  #src;
  #last;
  #shared;
  #running = false;
  #joining = false;
  #again = false;
  #connection = "connecting";
  #timer = 0;
  #failures = 0; // of polls
  #wake = ({ type }) => this.#onWake(type);

  /** `src`: the run's events URL; `after`: the last event that the caller already has. */
  constructor(src, { after = 0 } = {}) {
    super();
    this.#src = new URL(src, document.baseURI);
    this.#last = after;
    this.#shared = sharedStream(this.#src);
    this.run = this.#src.pathname.split("/").at(-2);
  }

  get last() {
    return this.#last;
  }

  start() {
    if (this.#running) return;
    document.addEventListener("visibilitychange", this.#wake);
    for (const name of WAKING) window.addEventListener(name, this.#wake);
    this.#resume();
  }

  close() {
    this.#pause();
    document.removeEventListener("visibilitychange", this.#wake);
    for (const name of WAKING) window.removeEventListener(name, this.#wake);
  }

  // For the shared stream

  /** An event of this run was heard. */
  receive({ id, type, data }) {
    if (!this.#running) return;
    // The server's word that the log cannot be read on from there: catching up finds what it has, or that it begins anew.
    if (data.metadata?.resync || id > this.#last + 1) this.#join();
    else this.#receive({ seq: id, type, data, age: 0 });
  }

  /** How the stream is; `position`: the last event of this run that it brought, undefined where it does not bring this run. */
  heard(connection, position) {
    if (!this.#running) return;
    const changed = connection !== this.#connection;
    this.#connection = connection;
    if (connection === "polling") return changed && this.#poll(0);
    clearTimeout(this.#timer);
    this.#say(connection);
    // Behind, or not streamed at all: a word between the tabs was lost. Not at once, as each answer brings the state again.
    const behind = connection === "live" && !(position <= this.#last);
    if (behind && !this.#joining) this.#timer = setTimeout(() => this.#join(), POLL_MS);
  }

  /** The stream broke off, or begins anew in this tab or another. */
  rejoin() {
    if (!this.#joining) this.#join();
  }

  /** Say what is to be streamed. */
  tell() {
    if (this.#running && !this.#joining) this.#shared.follow(this);
  }

  // Fetch what is missing, then have the rest streamed.
  async #join() {
    this.#again = true;
    if (this.#joining) return;
    this.#joining = true;
    while (this.#again && this.#running) {
      this.#again = false;
      await this.#catchUp();
    }
    this.#joining = false;
    this.tell();
  }

  #resume() {
    this.#running = true;
    this.#connection = "connecting";
    this.#say("connecting");
    this.#shared.add(this);
    this.#join();
  }

  #pause() {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#shared.remove(this);
  }

  #onWake(type) {
    if (type === "pagehide") return this.#pause();
    if (type === "visibilitychange" && document.visibilityState === "hidden") return;
    if (!this.#running) return this.#resume();
    if (type === "pageshow") return; // of a page that is just being loaded
    this.#failures = 0;
    this.#shared.check(type === "online");
    this.#join();
  }

  #poll(delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      const ok = await this.#catchUp();
      if (!this.#running || this.#connection !== "polling") return;
      this.#failures = ok ? 0 : this.#failures + 1;
      this.#say(ok ? "polling" : "connecting");
      const pace = document.hidden ? HIDDEN_POLL_MS : POLL_MS;
      this.#poll(ok ? pace : Math.min(MAX_POLL_MS, pace * 2 ** this.#failures) * (0.5 + Math.random() / 2));
    }, delay);
  }

  // Read what the log holds after the last event seen. Where that is nothing, ask whether anything is to come: the last event may have been
  // pruned. Resolves to whether the server answered.
  async #catchUp() {
    for (let asked = false; this.#running; asked = true) {
      const before = this.#last;
      const { status } = await fetchEvents(this.#url(), (event) => this.#receive(event));
      if (!this.#running) return true;
      if (GONE.includes(status)) return this.#giveUp(status);
      if (status !== 200) return false;
      if (this.#last !== before) return true;
      const run = await fetchRun(this.#src);
      if (!this.#running) return true;
      if (!run) return false;
      if (this.#last !== before) return true; // streamed meanwhile: the snapshot is older
      if (run.last_seq < before) this.#reset();
      else if (ENDINGS.includes(run.status) && (asked || run.last_seq === before)) return this.#end(run);
      else if (asked || run.last_seq === before) return true;
    }
    return true;
  }

  #receive(event) {
    if (!this.#running || event.seq <= this.#last) return;
    this.#last = event.seq;
    this.#tell("event", event);
    if (event.type === "done" || event.type === "error") this.#end();
  }

  #reset() {
    this.#last = 0;
    this.#tell("reset");
  }

  #end(run) {
    this.close();
    this.#tell("end", run);
  }

  #giveUp(status) {
    this.close();
    this.#tell("gone", status);
  }

  #say(connection) {
    this.#tell("connection", connection);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #url() {
    const url = new URL(this.#src);
    if (this.#last) url.searchParams.set("after", this.#last);
    return url;
  }
}

// Resolves to the run's snapshot, or null where there is none. `src`: its events URL.
async function fetchRun(src) {
  const { body } = await fetchJson(new URL(src.pathname.replace(/\/events$/, ""), src));
  return body;
}

// Calls `receive` with each stored event; resolves to the HTTP status, 0 where no server answered.
async function fetchEvents(url, receive) {
  for (let next = url; ; ) {
    const { status, body, at } = await fetchJson(next);
    if (!body) return { status };
    for (const { id, at: stored, type, data } of body.items) receive({ seq: id, type, data, age: Math.max(0, at - stored) || 0 });
    if (!body.next) return { status };
    next = new URL(body.next, next);
  }
}

async function fetchJson(url) {
  try {
    const { response, body } = await client.request(url);
    // The server's own clock, as its events have it: the browser's may be wrong.
    return { status: response.status, body, at: Date.parse(response.headers.get("Date")) };
  } catch ({ status = 0 }) {
    return { status, body: null };
  }
}
