// <operation-progress src="/api/runs/<id>/events">: shows one run, live, and lets its owner cancel or retry it.
//
// Attributes
//   src      the run's events URL; changing it follows another run
//   label    the accessible name of the bar ("Progress" by default)
//   states   JSON, the declared states by operation, shown as stages to come: {"import_sales": ["loading", "checking"]}
//   csrf     Django's token for cancel and retry; without it the page's <meta name="csrf-token"> or the cookie is used
//   text     "off": streamed text is not shown here (the page listens to `operation-content`)
// DOM events, all bubbling; `detail` is {seq, type, data}, a native event, unless noted
//   operation-progress, operation-content, operation-done, operation-error
//   operation-retry  a new run was started in place of this one; detail: the run
//   operation-gone   the run does not exist or is not ours; detail: the HTTP status
// For style sheets there are the attributes `data-status` (queued, running, completed, failed, cancelled, gone), `data-code` (of an
// error) and `data-connection` (connecting, live, polling, closed), and custom properties that start with `--op-`.
// Server-rendered content is replaced when the element starts.

import { RunState } from "./run-state.js";
import { RunStream, fetchRun } from "./run-stream.js";
import { RunView } from "./run-view.js";

const TICK_MS = 200;
const CONNECTION_LOST_AFTER_MS = 3_000; // short breaks are healed without a word

export class OperationProgress extends HTMLElement {
  static observedAttributes = ["src"];

  #stream = null;
  #state = null;
  #view = null;
  #receivedAt = 0;
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
    if (this.isConnected && before !== now && now) this.#follow();
  }

  #follow() {
    this.#stop();
    this.#state = this.#newState();
    this.#view = new RunView(this, { cancel: () => this.#cancel(), retry: () => this.#retry() });
    this.#receivedAt = performance.now();
    this.#stream = new RunStream(this.getAttribute("src"));
    this.#stream.addEventListener("event", ({ detail }) => this.#receive(detail));
    this.#stream.addEventListener("connection", ({ detail }) => this.#connection(detail));
    this.#stream.addEventListener("end", () => this.#settle());
    this.#stream.addEventListener("gone", ({ detail }) => this.#gone(detail));
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#draw();
    this.#stream.start();
  }

  #stop() {
    this.#stream?.close();
    clearInterval(this.#ticker);
    clearTimeout(this.#lost);
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  #newState() {
    return new RunState(JSON.parse(this.getAttribute("states") || "{}"));
  }

  #receive(event) {
    if (event.data.metadata?.resync) this.#state = this.#newState(); // what was seen before is not part of this log
    this.#state.apply(event);
    this.#receivedAt = performance.now();
    this.#draw();
    this.#tell(`operation-${event.type}`, event);
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
    const since = this.#state.ended ? 0 : performance.now() - this.#receivedAt;
    this.#view.time(this.#state.elapsedMs + since, this.#state.etaMs === null ? null : this.#state.etaMs - since);
  }

  #connection(connection) {
    if (connection === this.dataset.connection) return; // a browser says at every try that it is connecting
    clearTimeout(this.#lost);
    this.dataset.connection = connection;
    this.#view.connection("");
    if (connection === "connecting") {
      this.#lost = setTimeout(() => this.#view.connection("Connection lost. Trying again; the work goes on."), CONNECTION_LOST_AFTER_MS);
    }
  }

  // The log has ended. Where its last event was not among those seen (it was pruned), the run itself says how.
  async #settle() {
    this.#connection("closed");
    clearInterval(this.#ticker);
    if (this.#state.ended) return;
    const { run } = await fetchRun(this.getAttribute("src"));
    if (!run) return;
    const type = run.status === "completed" ? "done" : "error";
    const metadata = { runId: run.id, ...(run.error ?? run.result) };
    this.#receive({ seq: run.last_seq, type, data: { operation: run.operation, message: run.error?.message ?? run.message, metadata } });
  }

  #gone(status) {
    this.#stop();
    this.#connection("closed");
    this.dataset.status = "gone";
    this.#view.gone();
    this.#tell("operation-gone", status);
  }

  async #cancel() {
    this.#view.cancelling(true);
    const answer = await this.#post("cancel");
    if (answer.ok) return; // the end itself comes over the stream
    this.#view.cancelling(false);
    this.#view.notice("This could not be cancelled. Try again.");
  }

  async #retry() {
    const answer = await this.#post("retry");
    if (!answer.ok) return this.#view.notice("This could not be started again. Try once more.");
    const run = await answer.json();
    this.#tell("operation-retry", run);
    this.setAttribute("src", run.links.events);
  }

  async #post(action) {
    try {
      const headers = { Accept: "application/json", Prefer: "respond-async", "X-CSRFToken": this.getAttribute("csrf") || csrfToken() };
      return await fetch(this.#url(action), { method: "POST", headers });
    } catch {
      return { ok: false };
    }
  }

  // A URL beside that of the run's events.
  #url(name) {
    return new URL(name, new URL(this.getAttribute("src"), document.baseURI)).href;
  }
}

export function csrfToken() {
  const meta = document.querySelector('meta[name="csrf-token"]');
  return meta?.content ?? document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "";
}

customElements.define("operation-progress", OperationProgress);
