// <operation-progress src="/api/runs/<id>/events">: shows one run, live, and lets its owner cancel or retry it.
//
// Attributes
//   src      the run's events URL; changing it follows another run
//   label    the accessible name of the bar ("Progress" by default)
//   states   JSON, the declared states by operation, shown as stages to come: {"import_sales": ["loading", "checking"]}
//   csrf     Django's token for cancel and retry; without it the page's <meta name="csrf-token"> or the cookie is used
//   cancelling  it was asked to end before this page was made
//   text     "off": streamed text is not shown here (the page listens to `operation-content`)
// DOM events, all bubbling; `detail` is {seq, type, data}, a native event, unless noted
//   operation-progress, operation-content, operation-done, operation-error
//   operation-retry  a new run was started in place of this one; detail: the run
//   operation-gone   the run does not exist or is not ours; detail: the HTTP status
// For style sheets there are the attributes `data-status` (queued, running, completed, failed, cancelled, gone), `data-code` (of an
// error), `data-pace` (usual, slow, stalled) and `data-connection` (connecting, live, polling, closed), and custom properties that start
// with `--op-`.
// Server-rendered content is replaced when the element starts.

import { Client } from "./client.js";
import { RunState } from "./run-state.js";
import { RunStream } from "./run-stream.js";
import { RunView } from "./run-view.js";

const TICK_MS = 200;
const CONNECTION_LOST_AFTER_MS = 3_000; // short breaks are healed without a word
const STALLED_AFTER_MS = 40_000; // without an event, over a connection that works
const POST_PATIENCE_MS = 2_000; // a broken connection is tried again, a busy server is not waited for
const SETTLED_MS = 2_000; // what a new connection has to bring comes within this time

export class OperationProgress extends HTMLElement {
  static observedAttributes = ["src"];

  #stream = null;
  #state = null;
  #view = null;
  #receivedAt = 0; // the last event
  #workedAt = 0; // the last event that was not the server's own word that nothing happens
  #connectedAt = 0;
  #frame = 0;
  #ticker = 0;
  #lost = 0;

  /** What the events so far add up to: a RunState. */
  get state() {
    return this.#state;
  }

  connectedCallback() {
    if (this.getAttribute("src")) this.#follow();
  }

  disconnectedCallback() {
    this.#stop();
  }

  attributeChangedCallback(_name, before, now) {
    if (this.#stream && before !== now && now) this.#follow(); // the first one is followed once connected
  }

  #follow() {
    this.#stop();
    this.#state = this.#newState();
    this.#view = new RunView(this, { cancel: () => this.#cancel(), retry: () => this.#retry() });
    this.#view.cancelling(this.hasAttribute("cancelling"));
    this.removeAttribute("cancelling"); // the next run was not
    this.#receivedAt = this.#workedAt = performance.now();
    delete this.dataset.connection;
    this.#stream = new RunStream(this.getAttribute("src"));
    this.#stream.addEventListener("event", ({ detail }) => this.#receive(detail));
    this.#stream.addEventListener("connection", ({ detail }) => this.#connection(detail));
    this.#stream.addEventListener("reset", () => this.#reset());
    this.#stream.addEventListener("end", ({ detail }) => this.#settle(detail));
    this.#stream.addEventListener("gone", ({ detail }) => this.#gone(detail));
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#draw();
    this.#stream.start();
  }

  #stop() {
    this.#stream?.close();
    this.#stream = null;
    clearInterval(this.#ticker);
    clearTimeout(this.#lost);
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  #newState() {
    return new RunState(JSON.parse(this.getAttribute("states") || "{}"));
  }

  #receive(event) {
    this.#state.apply(event);
    this.#receivedAt = performance.now() - event.age;
    if (this.#state.pace !== "stalled") this.#workedAt = this.#receivedAt;
    this.#draw();
    this.#tell(`operation-${event.type}`, event);
  }

  #reset() {
    this.#state = this.#newState();
    this.#draw();
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
  }

  // Many events may arrive at once: draw them once.
  #draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.dataset.status = this.#state.status;
      if (this.#state.error) this.dataset.code = this.#state.error.code;
      else delete this.dataset.code;
      this.#view.render(this.#state);
      this.#tick();
    });
  }

  #tick() {
    const now = performance.now();
    const since = this.#state.ended ? 0 : now - this.#receivedAt;
    const silentMs = now - this.#workedAt;
    const pace = this.#pace(now, silentMs);
    if (pace) this.dataset.pace = pace;
    else delete this.dataset.pace;
    const elapsedMs = this.#state.status === "queued" ? null : this.#state.elapsedMs + since;
    const etaMs = this.#state.etaMs === null || pace === "stalled" ? null : this.#state.etaMs - since;
    this.#view.time({ elapsedMs, etaMs, pace, silentMs });
  }

  // Silence tells of the run only while the connection works.
  #pace(now, silentMs) {
    if (this.#state.status !== "running" || !["live", "polling"].includes(this.dataset.connection)) return "";
    if (silentMs > STALLED_AFTER_MS && now - this.#connectedAt > SETTLED_MS) return "stalled";
    return this.#state.pace;
  }

  #connection(connection) {
    if (connection === this.dataset.connection) return; // a browser says at every try that it is connecting
    clearTimeout(this.#lost);
    this.dataset.connection = connection;
    this.#connectedAt = performance.now();
    this.#view.notice("");
    if (connection === "connecting") {
      this.#lost = setTimeout(() => this.#view.notice("Reconnecting… The work goes on meanwhile."), CONNECTION_LOST_AFTER_MS);
    }
  }

  // The log has ended. `run` is there where its last event is not in the log any more: then the run itself says how it ended.
  #settle(run) {
    this.#connection("closed");
    clearInterval(this.#ticker);
    if (this.#state.ended || !run) return;
    const type = run.status === "completed" ? "done" : "error";
    const metadata = { runId: run.id, ...(run.error ?? run.result) };
    const data = { operation: run.operation, message: run.error?.message ?? run.message, metadata };
    this.#receive({ seq: run.last_seq, type, data, age: 0 });
  }

  #gone(status) {
    this.#stop();
    this.#connection("closed");
    this.dataset.status = "gone";
    delete this.dataset.pace;
    this.#view.gone(goneText(status, this.#state.operation !== null));
    this.#tell("operation-gone", status);
  }

  async #cancel() {
    this.#view.cancelling(true);
    try {
      await this.#post("cancel"); // the end itself comes over the stream
    } catch (error) {
      this.#view.cancelling(false);
      this.#view.notice(error.message);
    }
  }

  async #retry() {
    this.#view.retrying(true);
    try {
      const run = await this.#post("retry");
      this.#tell("operation-retry", run);
      this.setAttribute("src", run.links.events);
    } catch (error) {
      this.#view.notice(error.message);
    } finally {
      this.#view.retrying(false);
    }
  }

  #post(action) {
    const client = new Client({ csrf: this.getAttribute("csrf") ?? undefined, patience: POST_PATIENCE_MS });
    return client.post(this.#url(action));
  }

  // A URL beside that of the run's events.
  #url(name) {
    return new URL(name, new URL(this.getAttribute("src"), document.baseURI)).href;
  }
}

function goneText(status, seen) {
  if (status === 401) return "You are signed out. Sign in to follow this run.";
  if (seen) return "This run can be followed no longer: you were signed out, or it was deleted.";
  return "This run is not here: it was deleted, or it belongs to somebody else.";
}

customElements.define("operation-progress", OperationProgress);
