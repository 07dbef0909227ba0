// What a run's events add up to: a pure reducer, without a page.

const ENDINGS = new Set(["completed", "failed", "cancelled"]);
const PACES = ["usual", "slow", "stalled"];
const NOT_STAGES = new Set(["", "queued", "running"]); // an operation that declares no states is just "running"

export class RunState {
  operation = null; // the run's own: that of its first event
  status = "queued";
  percentage = 0; // null: unknown
  message = "";
  groups = []; // one per operation, nested ones too, in order of appearance
  warnings = [];
  children = []; // of a batch: {id, operation, status, percentage, currentState}, in order
  error = null;
  elapsedMs = 0;
  etaMs = null;
  queuePosition = null; // 1: next
  pace = "usual"; // or "slow", "stalled"
  #texts = new Map();
  #calls = new Map(); // of tools, by their ids
  #declared;

  /** `declared`: names of states by operation, in order: `{"chart_generation": ["planning", …]}`. */
  constructor(declared = {}) {
    this.#declared = declared;
  }

  get ended() {
    return ENDINGS.has(this.status);
  }

  /** The text so far: of the run's own operation or, if that has none, of the nested one that spoke last. */
  get content() {
    return this.#texts.get(this.operation) ?? [...this.#texts.values()].at(-1) ?? "";
  }

  apply({ type, data }) {
    this.operation ??= data.operation;
    const metadata = data.metadata ?? {};
    if (metadata.elapsedMs != null && data.operation === this.operation) this.elapsedMs = metadata.elapsedMs;
    if (metadata.children?.length && data.operation === this.operation) this.children = metadata.children;
    for (const warning of metadata.warnings ?? []) this.#warn(warning);
    if (type === "content") this.#append(data);
    else if (type === "progress") this.#progress(data, metadata);
    else this.#finish(type, data, metadata);
  }

  #append({ operation, content }) {
    const text = (this.#texts.get(operation) ?? "") + content;
    this.#texts.delete(operation); // so that the last one to speak is the last of the map
    this.#texts.set(operation, text);
  }

  #progress(data, metadata) {
    const { operation, percentage, message, currentState } = data;
    if (message) this.message = message;
    this.#stage(operation, currentState, metadata);
    if (operation !== this.operation) return;
    this.percentage = percentage;
    this.etaMs = metadata.etaMs ?? null;
    this.queuePosition = metadata.queuePosition ?? null;
    this.pace = PACES.includes(metadata.pace) ? metadata.pace : "usual";
    if (this.status === "queued" && currentState !== "queued") this.status = "running";
  }

  #finish(type, data, metadata) {
    this.status = type === "done" ? "completed" : metadata.code === "cancelled" ? "cancelled" : "failed";
    this.message = data.message;
    if (type === "done") this.percentage = 100;
    else this.error = { ...metadata, message: data.message };
    for (const group of this.groups) group.ending ??= this.status;
    // Where the batch was cut off, its last word of them is older than their ends.
    this.children = this.children.map((child) => (ENDINGS.has(child.status) ? child : { ...child, status: this.status }));
  }

  #stage(operation, state, metadata) {
    let group = this.groups.findLast((candidate) => candidate.operation === operation);
    if (!group || (group.ending && !ENDINGS.has(state))) {
      group = { operation, stages: [...(this.#declared[operation] ?? [])], seen: new Set(), calls: new Map(), current: null, ending: null, repair: 0 };
      this.groups.push(group);
    }
    if (ENDINGS.has(state)) group.ending = state;
    else if (!NOT_STAGES.has(state)) enter(group, this.#stageOf(group, state, metadata));
    group.repair = Math.max(group.repair, metadata.repair ?? 0);
  }

  // The states of one call of a tool are one stage. Calls are told apart by a number, and may be under way side by side.
  #stageOf(group, state, { toolCallId, toolName }) {
    if (toolName && !this.#calls.has(toolCallId)) {
      const before = [...this.#calls.values()].filter((call) => call.toolName === toolName).length;
      this.#calls.set(toolCallId, { toolName, operation: group.operation, stage: before ? `${toolName} (${before + 1})` : toolName });
    }
    const call = this.#calls.get(toolCallId);
    const moment = call?.operation === group.operation && ["executing", "completed", "failed"].find((each) => state.startsWith(`${each}_`));
    if (!moment) return state;
    group.calls.set(call.stage, moment);
    return call.stage;
  }

  #warn(warning) {
    const text = typeof warning === "string" ? warning : warning.message;
    if (text && !this.warnings.includes(text)) this.warnings.push(text);
  }
}

function enter(group, state) {
  const after = group.calls.has(state) ? group.stages.length : group.stages.indexOf(group.current) + 1;
  if (!group.stages.includes(state)) group.stages.splice(after, 0, state);
  group.seen.add(state);
  group.current = state;
}
