// One stream of events for all tabs of a browser: over HTTP/1.1 a site gets six connections, and a stream per tab would leave none for
// the pages.
//
// The tab that holds a Web Lock leads: it reads GET …/events?runs=… for the runs that all tabs follow, and passes on what it hears over a
// BroadcastChannel. When it is closed or crashes, the browser gives the lock to the next tab. One that is frozen with the lock falls silent;
// a tab that notices takes the lock from it.
//
// Nothing here decides what was seen. A follower {run, last, receive(event), heard(connection, position), tell(), rejoin()} knows its own
// last event: it drops what it has and fetches what it lacks, so a message too many or too few between tabs does no harm.
//
// Messages: to the leader {follow: {run, after}} and {leave: run}; from it {events: […]}, {who: run} (does anybody follow this run?),
// {who: null} (what does each follow? look first what was missed) and {state: {connection, positions}}, its sign of life too.
//
// Without Web Locks (plain HTTP on another machine than this) each tab streams for itself while it is visible, and polls while it is hidden.

import { backOff, Client, FIRST_BYTE_MS, SILENCE_MS } from "./client.js";

const ANSWER_MS = 10_000; // for a leader to answer a tab that begins to follow
const BEAT_MS = 5_000; // between two signs of life
const GATHER_MS = 50; // what tabs ask for together is asked of the server together
const RETRY_MS = 2_000;
const ROOM = 50; // runs of one stream; those beyond are polled
const FAILURES_BEFORE_POLLING = 3;
const DOUBTFUL = [204, 400, 401, 403, 404, 410, 422]; // answers that mean: ask again which of the runs can be followed

const client = new Client();
const streams = new Map();

/** The stream that brings the events of the run whose events URL is `src`, and of every other run below the same API. */
export function sharedStream(src) {
  const { href } = new URL("../../events", src);
  if (!streams.has(href)) streams.set(href, new SharedStream(href));
  return streams.get(href);
}

class SharedStream {
  #url;
  #name;
  #followers = new Set();
  #channel = null;
  #candidacy = null; // for the lock; aborted when this tab gives it up
  #reader = null; // while this tab leads
  #timer = 0;
  #visibility = () => this.#standIfVisible();

  constructor(url) {
    this.#url = url;
    this.#name = `operation-progress ${new URL(url).pathname}`;
  }

  add(follower) {
    this.#followers.add(follower);
    if (this.#followers.size > 1) return;
    if (!navigator.locks) {
      document.addEventListener("visibilitychange", this.#visibility);
      return this.#standIfVisible();
    }
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#stand();
  }

  remove(follower) {
    if (!this.#followers.delete(follower)) return;
    if (!this.#following(follower.run).length) this.#send({ leave: follower.run });
    if (this.#followers.size) return;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.#visibility);
    this.#resign();
    this.#channel?.close();
    this.#channel = null;
  }

  /** Have the follower's run read from the event after `follower.last`. */
  follow({ run, last }) {
    this.#watch(ANSWER_MS);
    this.#send({ follow: { run, after: last } });
  }

  /** The page was away or the network is back: make sure that the stream is alive. `now`: open it again in any case. */
  check(now) {
    this.#reader?.check(now);
  }

  #following(run) {
    return [...this.#followers].filter((follower) => follower.run === run);
  }

  #send(message) {
    this.#channel?.postMessage(message);
    this.#hear(message); // a channel does not bring one's own words back
  }

  #hear({ follow, leave, who, events, state }) {
    if (follow) this.#reader?.follow(follow.run, follow.after);
    else if (leave) this.#reader?.leave(leave);
    else if (who) for (const follower of this.#following(who)) follower.tell();
    else if (who === null) for (const follower of [...this.#followers]) follower.rejoin();
    else this.#hearLeader(events ?? [], state);
  }

  #hearLeader(events, state) {
    this.#watch(SILENCE_MS);
    for (const event of events) for (const follower of this.#following(event.run)) follower.receive(event);
    if (state) for (const follower of [...this.#followers]) follower.heard(state.connection, state.positions[follower.run]);
  }

  // A leader that leads alone has no one to watch: its reader watches the stream.
  #watch(delay) {
    clearTimeout(this.#timer);
    if (this.#channel) this.#timer = setTimeout(() => this.#takeOver(), delay);
  }

  #takeOver() {
    if (this.#reader) return this.#watch(SILENCE_MS);
    this.#stand({ steal: true });
  }

  #stand(options) {
    this.#resign();
    const candidacy = new AbortController();
    this.#candidacy = candidacy;
    const lead = () => this.#lead(candidacy.signal);
    navigator.locks.request(this.#name, options ?? { signal: candidacy.signal }, lead).catch(() => {
      if (!candidacy.signal.aborted) this.#stand(); // another tab took the lock: it found this one silent
    });
  }

  #standIfVisible() {
    if (document.visibilityState === "visible") {
      if (this.#candidacy) return;
      this.#candidacy = new AbortController();
      this.#lead(this.#candidacy.signal);
    } else {
      this.#resign();
      this.#send({ state: { connection: "polling", positions: {} } });
    }
  }

  #resign() {
    this.#candidacy?.abort();
    this.#candidacy = null;
  }

  // Lead until the candidacy is given up: the promise holds the lock.
  #lead(signal) {
    if (signal.aborted) return;
    const reader = new Reader(this.#url, (message) => this.#send(message));
    this.#reader = reader;
    this.#send({ who: null });
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => {
        reader.stop();
        if (this.#reader === reader) this.#reader = null;
        resolve();
      });
    });
  }
}

// Reads the server's stream over a changing set of runs. A fetch, not an EventSource: it knows the answer's status and hears the heartbeats.
class Reader {
  #url;
  #send;
  #positions = new Map(); // of each run: the last event passed on
  #read = ""; // the runs of the open stream
  #attempt = null;
  #connection = "connecting";
  #retry = RETRY_MS;
  #failures = 0;
  #saidAt = 0;
  #byteAt = 0;
  #notBefore = 0; // while backing off
  #opensAt = Infinity;
  #opening = 0;

  constructor(url, send) {
    this.#url = url;
    this.#send = send;
  }

  stop() {
    this.#positions.clear();
    this.#close();
  }

  follow(run, after) {
    if (!this.#positions.has(run) && this.#positions.size < ROOM) {
      this.#positions.set(run, after);
      this.#openIn(GATHER_MS);
    }
    // A frozen page may answer although it hears nothing, and its timers stand still: better another tab takes the lock.
    if (!this.#attempt || Date.now() - this.#byteAt < SILENCE_MS + FIRST_BYTE_MS) this.#say(this.#connection);
  }

  leave(run) {
    if (!this.#positions.delete(run)) return;
    this.#send({ who: run });
    this.#openIn(RETRY_MS); // no hurry: what comes of this run until then is ignored
  }

  check(now) {
    if (!now && Date.now() - this.#byteAt < SILENCE_MS / 2) return;
    this.#failures = this.#notBefore = 0;
    this.#close();
    this.#openIn(0);
  }

  #runs() {
    return [...this.#positions.keys()].sort().join(",");
  }

  // Open the stream for the runs of then; where an earlier moment is set already, at that.
  #openIn(delay) {
    const now = performance.now();
    const at = Math.max(now + delay, this.#notBefore);
    if (at >= this.#opensAt) return;
    this.#opensAt = at;
    clearTimeout(this.#opening);
    this.#opening = setTimeout(() => this.#open(), at - now);
  }

  #open() {
    this.#opensAt = Infinity;
    const runs = this.#runs();
    if (runs === this.#read) return;
    this.#close();
    if (!runs) return;
    this.#read = runs;
    this.#byteAt = Date.now();
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#stream(attempt.signal)
      .catch(({ status = 0, retryAfter }) => ({ status, retryAfter }))
      .then((answer) => attempt === this.#attempt && this.#closed(answer));
  }

  #close() {
    clearTimeout(this.#opening);
    this.#opensAt = Infinity;
    this.#attempt?.abort();
    this.#attempt = null;
    this.#read = "";
  }

  // Resolves when the server has ended the stream, rejects where it opened none, broke off or fell silent.
  async #stream(signal) {
    const { response, frames } = await client.open(this.#address(), { signal });
    let status = response.status === 200 ? 0 : response.status; // 0: ended before its first byte
    for await (const some of frames) {
      if (signal.aborted) break;
      status = 200;
      this.#byte();
      this.#pass(some);
    }
    return { status };
  }

  #byte() {
    this.#byteAt = Date.now();
    this.#failures = this.#notBefore = 0;
    if (this.#connection !== "live" || performance.now() - this.#saidAt > BEAT_MS) this.#say("live");
  }

  #pass(frames) {
    const events = [];
    for (const { data, retry } of frames) {
      if (retry) this.#retry = Number(retry) || RETRY_MS;
      if (data) events.push(JSON.parse(data));
    }
    if (!events.length) return;
    for (const { run, id, type } of events) {
      if (type === "done" || type === "error") this.#positions.delete(run);
      else if (this.#positions.has(run)) this.#positions.set(run, id);
    }
    this.#send({ events });
  }

  #closed({ status, retryAfter = 0 }) {
    this.#close();
    if (!this.#positions.size) return;
    if (status !== 200) this.#failures += 1;
    this.#notBefore = performance.now() + backOff(this.#failures, { retry: this.#retry, retryAfter });
    if (DOUBTFUL.includes(status)) this.#positions.clear();
    if (status !== 200) this.#send({ who: null });
    this.#say(this.#failures < FAILURES_BEFORE_POLLING ? "connecting" : "polling");
    this.#openIn(0);
  }

  #say(connection) {
    this.#connection = connection;
    this.#saidAt = performance.now();
    this.#send({ state: { connection, positions: Object.fromEntries(this.#positions) } });
  }

  #address() {
    const runs = [...this.#positions].map(([run, after]) => `${run}:${after}`);
    return `${this.#url}?runs=${runs.join(",")}`;
  }
}
