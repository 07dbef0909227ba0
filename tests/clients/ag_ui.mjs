// The published client of AG-UI against a running site.

import { HttpAgent, runHttpRequest, transformHttpEventStream } from "@ag-ui/client";

import { api, cancel, gate, headers, play, SITE, until, written } from "./shared.mjs";

// HttpAgent as it is, but for what is started: any operation instead of the chat.
class RunAgent extends HttpAgent {
  constructor(body, path = "/api/runs") {
    super({ url: `${SITE}${path}?format=ag-ui`, headers });
    this.body = body;
  }

  requestInit(input) {
    return { ...super.requestInit(input), body: JSON.stringify({ ...this.body, stream: true }) };
  }
}

// An agent that comes back: `connect` is left to applications.
const coming = (agent, url) => {
  agent.connect = () => transformHttpEventStream(runHttpRequest(() => fetch(url(), { headers })));
  return agent;
};

const listen = (agent) => {
  const heard = { events: [], run: null, seq: 0, error: null };
  agent.subscribe({
    onEvent: ({ event }) => {
      heard.events.push(event);
      heard.run ??= event.metadata?.["app.run"];
      heard.seq = event.metadata?.["app.seq"] ?? heard.seq;
    },
    onRunErrorEvent: ({ event }) => void (heard.error = { message: event.message, code: event.code }),
  });
  return heard;
};

const outcome = async (agent, heard, result) => ({
  run: heard.run,
  messages: agent.messages,
  state: agent.state,
  error: heard.error,
  last: heard.events.at(-1),
  types: [...new Set(heard.events.map(({ type }) => type))],
  custom: heard.events.filter(({ type }) => type === "CUSTOM").map(({ name, value }) => ({ name, value })),
  subagents: heard.events.filter(({ type }) => type.startsWith("SUBAGENT")),
  result: result?.result,
  written: await written(heard.run),
});

const runs = (body, path) => async () => {
  const agent = new RunAgent(body, path);
  const heard = listen(agent);
  return outcome(agent, heard, await agent.runAgent());
};

const cancelled = async () => {
  const agent = new RunAgent({ operation: "test_calling" });
  const heard = listen(agent);
  const running = agent.runAgent();
  await until(() => heard.events.some(({ type }) => type === "TOOL_CALL_END"));
  await cancel(heard.run);
  return outcome(agent, heard, await running);
};

const broken = async () => {
  // In the middle of the text the page loses its connection; it goes on, and a second page is opened, while the run goes on.
  const { path, open } = gate("ag-ui");
  const agent = new RunAgent({ operation: "test_words", params: { gate: path } });
  const heard = listen(agent);
  const running = agent.runAgent();
  await until(() => heard.events.some(({ delta }) => delta?.includes?.("word5")));
  const { run, seq } = heard;
  agent.abortRun();
  await running;
  const before = agent.messages.find(({ id }) => id === run).content;
  const events = `${SITE}/api/runs/${run}/events?format=ag-ui`;
  const again = coming(agent, () => `${events}&after=${seq}`).connectAgent();
  const page = coming(new HttpAgent({ url: SITE }), () => events);
  const pageHeard = listen(page);
  const opened = page.connectAgent();
  await until(() => pageHeard.events.length > 5);
  open();
  const found = await outcome(agent, heard, await again);
  return { ...found, before, page: await outcome(page, pageHeard, await opened) };
};

const cuts = async () => {
  // A new page after each event of a run: what it has in the end is what a page that was never away has.
  const agent = new RunAgent({ operation: "test_story" });
  const heard = listen(agent);
  await agent.runAgent();
  const shown = ({ metadata, ...message }) => Object.entries({ content: "", ...message }).sort();
  const seen = ({ messages, state }) => JSON.stringify([messages.map(shown).sort(), state]);
  const different = [];
  for (let cut = 1; cut < heard.seq; cut++) {
    const url = `${SITE}/api/runs/${heard.run}/events?format=ag-ui&after=${cut}`;
    const page = coming(new HttpAgent({ url: SITE }), () => url);
    await page.connectAgent();
    if (seen(page) !== seen(agent)) different.push([cut, seen(page), seen(agent)]);
  }
  return { events: heard.seq, different };
};

// HttpAgent as it is.
const chat = async () => {
  const agent = new HttpAgent({ url: `${SITE}/api/agent/agui`, headers });
  const heard = listen(agent);
  agent.addMessage({ id: "m1", role: "user", content: "Show revenue per month" });
  const first = await outcome(agent, heard, await agent.runAgent({ runId: "turn 1" }));
  // The answer got lost, and the same is sent again.
  const again = new HttpAgent({ url: agent.url, headers, threadId: agent.threadId });
  const againHeard = listen(again);
  again.addMessage({ id: "m1", role: "user", content: "Show revenue per month" });
  await again.runAgent({ runId: "turn 1" });
  const repeated = await outcome(again, againHeard);
  const nextHeard = listen(agent);
  agent.addMessage({ id: "m2", role: "user", content: [{ type: "text", text: "Top 10 products by revenue" }] });
  await agent.runAgent({ forwardedProps: { theme: "dark" } });
  const second = await outcome(agent, nextHeard);
  const page = coming(
    new HttpAgent({ url: SITE, threadId: agent.threadId }),
    () => `${agent.url}/${encodeURIComponent(agent.threadId)}/stream`,
  );
  const pageHeard = listen(page);
  await page.connectAgent();
  const thread = (run) => api(`/api/runs/${run}`).then(({ operation, status }) => ({ operation, status }));
  return { first, repeated, second, page: await outcome(page, pageHeard), runs: [await thread(first.run), await thread(second.run)] };
};

const count = { operation: "test_words", params: { words: 3 } };
await play({
  story: runs({ operation: "test_story", params: { rest: 0.02 } }),
  part: runs({ operation: "test_drawn" }),
  timeout: runs({ operation: "test_stalling" }),
  failure: runs({ operation: "test_refuse" }),
  batch: runs({ items: [count, { operation: "test_refuse" }, count] }, "/api/batches"),
  cancelled,
  broken,
  cuts,
  chat,
});
