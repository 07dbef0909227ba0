// Draws a RunState. Everything that comes from a run is set as text, never as markup.

import { RunChildren } from "./run-children.js";

const SECOND = 1000;
const QUESTIONS_BACK = ["invalid_request", "no_data"]; // errors that say what to ask instead: how far it came is of no interest

export class RunView {
  #parts;
  #announced = "";
  #pace = "";
  #folded = false;

  constructor(host, { cancel, retry }) {
    const parts = {
      message: make("p", "op-message"),
      percentage: make("span", "op-percentage"),
      time: make("span", "op-time"),
      pace: make("span", "op-pace"),
      bar: make("div", "op-bar", { role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100", "aria-label": host.getAttribute("label") || "Progress" }),
      fill: make("div", "op-fill"),
      steps: make("details", "op-steps"),
      stepsTitle: make("summary", "op-steps-title"),
      groups: make("div", "op-groups"),
      children: new RunChildren(host),
      text: make("div", "op-text"),
      warnings: make("ul", "op-warnings", { "aria-label": "Warnings" }),
      error: make("p", "op-error-id"),
      notice: make("p", "op-notice"),
      cancel: make("button", "op-button", { type: "button" }, "Cancel"),
      retry: make("button", "op-button op-retry", { type: "button" }, "Try again"),
      live: make("p", "op-live", { role: "status", "aria-live": "polite" }),
    };
    this.#parts = parts;
    parts.cancel.addEventListener("click", cancel);
    parts.retry.addEventListener("click", retry);
    parts.bar.append(parts.fill);
    parts.steps.append(parts.stepsTitle, parts.groups);
    parts.steps.open = true;
    parts.cancel.hidden = parts.retry.hidden = true;
    parts.text.hidden = host.getAttribute("text") === "off";
    const head = make("div", "op-head");
    const figures = make("div", "op-figures");
    figures.append(parts.percentage, parts.time, parts.pace, parts.cancel, parts.retry);
    head.append(parts.message, figures);
    host.replaceChildren(head, parts.bar, parts.notice, parts.error, parts.steps, parts.children.element, parts.warnings, parts.text, parts.live);
  }

  render(state) {
    const parts = this.#parts;
    // The place in the queue is shown beside; as part of the message each step forward would be said aloud.
    const own = state.message && !inLine(state);
    const message = own ? state.message : state.status === "queued" ? "Waiting to start" : "Working";
    parts.message.textContent = message;
    this.#bar(state, message);
    parts.cancel.hidden = state.ended;
    parts.retry.hidden = !state.error?.retryable && state.status !== "cancelled";
    parts.error.textContent = state.error?.errorId ? `Error id: ${state.error.errorId}` : "";
    parts.text.textContent = state.content;
    parts.warnings.replaceChildren(...state.warnings.map((warning) => make("li", "", {}, warning)));
    parts.children.render(state.children);
    this.#steps(state);
    this.#announce(state, message);
  }

  #bar(state, message) {
    const { bar, fill } = this.#parts;
    const { percentage, status } = state;
    const known = percentage !== null;
    const shown = inLine(state) || (known ? `${Math.floor(percentage)} %` : "");
    this.#parts.percentage.textContent = shown;
    bar.classList.toggle("op-indeterminate", !known && status === "running");
    if (known) bar.setAttribute("aria-valuenow", Math.floor(percentage));
    else bar.removeAttribute("aria-valuenow");
    bar.setAttribute("aria-valuetext", [shown, message].filter(Boolean).join(", "));
    fill.style.setProperty("--op-value", known ? percentage / 100 : 1);
  }

  #steps(state) {
    const { steps, stepsTitle, groups } = this.#parts;
    const shown = state.groups.filter((group) => group.stages.length);
    steps.hidden = !shown.length;
    const taken = shown.reduce((sum, group) => sum + group.seen.size, 0);
    stepsTitle.textContent = taken === 1 ? "1 step" : `${taken} steps`;
    groups.replaceChildren(...shown.map((group) => stageList(group, shown.length > 1)));
    if (!this.#folded && (state.status === "completed" || QUESTIONS_BACK.includes(state.error?.code))) {
      this.#folded = true; // once: a reader who opens the steps again keeps them
      steps.open = false;
    }
  }

  // Stages and the end are worth saying aloud; every tick is not.
  #announce(state, message) {
    const current = state.groups.findLast((group) => !group.ending)?.current;
    const end = [...new Set([plain(state.status), message])].join(". ");
    const said = state.ended ? end : current ? plain(current) : message;
    if (said !== this.#announced) this.#parts.live.textContent = this.#announced = said;
  }

  /** What changes with the clock alone. Nothing of it is said aloud but that the pace has become slow, or has stalled. */
  time({ elapsedMs, etaMs, pace, silentMs }) {
    const { time, pace: note, live } = this.#parts;
    time.textContent = elapsedMs === null ? "" : duration(elapsedMs) + (etaMs > 0 ? `, ${timeLeft(etaMs)}` : "");
    note.textContent = pace === "stalled" ? `Nothing heard for ${duration(silentMs)}` : pace === "slow" ? "Slower than usual" : "";
    if (pace === this.#pace) return;
    this.#pace = pace;
    if (note.textContent) live.textContent = note.textContent;
  }

  notice(text) {
    this.#parts.notice.textContent = text;
  }

  cancelling(busy) {
    this.#parts.cancel.disabled = busy;
    this.#parts.cancel.textContent = busy ? "Cancelling…" : "Cancel";
  }

  retrying(busy) {
    this.#parts.retry.disabled = busy;
  }

  gone(text) {
    const { message, percentage, time, pace, cancel, retry, bar, steps, live } = this.#parts;
    message.textContent = live.textContent = text;
    percentage.textContent = time.textContent = pace.textContent = "";
    cancel.hidden = retry.hidden = bar.hidden = steps.hidden = true;
  }
}

function stageList(group, named) {
  const section = make("div", "op-group");
  const name = plain(group.operation);
  if (named) section.append(make("p", "op-group-name", {}, name));
  const current = group.stages.indexOf(group.current);
  const items = group.stages.map((stage, index) => stageItem(group, stage, index - current));
  const list = make("ol", "op-stages", { "aria-label": `Steps of ${name.toLowerCase()}` });
  list.append(...items);
  section.append(list);
  return section;
}

// `offset`: places after the current stage.
function stageItem(group, stage, offset) {
  const stopped = group.ending === "failed" || group.ending === "cancelled";
  let status = group.seen.has(stage) ? "done" : "skipped";
  if (group.ending !== "completed") {
    if (offset > 0) status = "pending";
    else if (offset === 0) status = stopped ? group.ending : "current";
  }
  const call = group.calls.get(stage);
  if (call) status = call === "failed" ? "failed" : call === "completed" ? "done" : (group.ending ?? "current");
  const item = make("li", `op-stage op-${status}`, status === "current" ? { "aria-current": "step" } : {}, plain(stage));
  if (offset === 0 && group.repair) item.append(make("span", "op-repair", {}, ` (repair ${group.repair})`));
  return item;
}

export function make(tag, className = "", attributes = {}, text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  return element;
}

// "understanding_schema" -> "Understanding schema"
export function plain(name) {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

// "3rd in line"; "" for a run that does not wait, or whose place nobody knows.
function inLine({ status, queuePosition }) {
  if (status !== "queued" || !(queuePosition > 0)) return "";
  if (queuePosition === 1) return "Next in line";
  const ending = { one: "st", two: "nd", few: "rd", other: "th" }[new Intl.PluralRules("en", { type: "ordinal" }).select(queuePosition)];
  return `${queuePosition}${ending} in line`;
}

// Rounded up, so that it neither flickers nor promises too much.
function timeLeft(ms) {
  const seconds = Math.ceil(ms / SECOND / 5) * 5;
  if (seconds < 60) return `about ${seconds} s left`;
  const minutes = Math.ceil(ms / SECOND / 60);
  return minutes < 60 ? `about ${minutes} min left` : `about ${Math.ceil(minutes / 60)} h left`;
}

function duration(ms) {
  const seconds = ms / SECOND;
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
