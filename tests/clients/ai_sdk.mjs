// The published client of the AI SDK against a running site.

import { DefaultChatTransport, WebSocketChatTransport } from "ai";

import { Chat } from "./chat.mjs";
import { cancel, ended, gate, headers, play, SITE, until, written } from "./shared.mjs";

const outcome = async (chat) => {
  const run = chat.answer?.metadata?.runId;
  return {
    run,
    id: chat.answer?.id,
    messages: chat.messages.map(({ role }) => role),
    parts: chat.answer?.parts ?? [],
    metadata: chat.answer?.metadata,
    text: chat.text,
    status: chat.status,
    written: run && (await written(run)),
    ...chat.heard,
    transient: chat.heard.data.filter(({ type }) => type === "data-result"),
  };
};

// DefaultChatTransport as it is, but for what is started: any operation instead of the chat.
const of = (body, path = "/api/runs") =>
  new DefaultChatTransport({
    api: `${SITE}${path}?format=ai-sdk`,
    headers,
    prepareSendMessagesRequest: () => ({ body: { ...body, stream: true } }),
  });

const runs = (body, path) => async () => {
  const chat = new Chat({ transport: of(body, path) });
  await chat.sendMessage({ text: "go" });
  return outcome(chat);
};

const cancelled = async () => {
  const chat = new Chat({ transport: of({ operation: "test_calling" }) });
  const running = chat.sendMessage({ text: "go" });
  const call = () => chat.answer?.parts.some(({ state }) => state === "input-available");
  await until(call);
  await cancel(chat.answer.metadata.runId);
  await running;
  return outcome(chat);
};

const broken = async () => {
  // In the middle of the text the page loses its connection; it resumes, and a second page is opened, while the run goes on.
  const { path, open } = gate("ai-sdk");
  let connection = new AbortController();
  const events = () => `${SITE}/api/runs/${run}/events?format=ai-sdk`;
  const transport = () =>
    new DefaultChatTransport({
      api: `${SITE}/api/runs?format=ai-sdk`,
      headers,
      prepareSendMessagesRequest: () => ({
        body: { operation: "test_words", params: { gate: path }, stream: true },
      }),
      prepareReconnectToStreamRequest: () => ({ api: events(), headers }),
      fetch: (url, init) => fetch(url, { ...init, signal: connection.signal }),
    });
  const chat = new Chat({ transport: transport() });
  const running = chat.sendMessage({ text: "go" });
  await until(() => chat.text.includes("word5"));
  const run = chat.answer.metadata.runId;
  connection.abort(new TypeError("network error"));
  await running;
  const before = { text: chat.text, finished: chat.heard.finished.at(-1) };
  connection = new AbortController();
  const again = chat.resumeStream();
  const page = new Chat({ transport: transport() });
  const opened = page.resumeStream();
  await until(() => page.text.includes("word5"));
  open();
  await Promise.all([again, opened]);
  return { ...(await outcome(chat)), before, page: await outcome(page) };
};

const nothing = async () => {
  const chat = new Chat({ id: "a chat of nobody's", transport: new DefaultChatTransport({ api: `${SITE}/api/agent/ui`, headers }) });
  await chat.resumeStream();
  return outcome(chat);
};

// DefaultChatTransport as it is.
const asks = (transport) => async () => {
  const chat = new Chat({ id: `thread of ${transport.constructor.name}/1`, transport });
  await chat.sendMessage({ text: "Show revenue per month" });
  const first = await outcome(chat);
  await chat.sendMessage({ text: "Top 10 products by revenue" }, { body: { theme: "dark" } });
  const second = await outcome(chat);
  await chat.regenerate();
  const third = await outcome(chat);
  await chat.resumeStream();
  return { first, second, third, resumed: await outcome(chat) };
};

// Node.js lets a program send headers with the handshake, as a browser sends its cookies.
const socket = () =>
  new WebSocketChatTransport({
    url: `${SITE}/ws/ui/`,
    webSocket: class extends WebSocket {
      constructor(url) {
        super(url, { headers });
      }
    },
  });

const stopped = async () => {
  // `stop()` over WebSocket ends the run.
  const transport = socket();
  const chat = new Chat({ id: "stopped", transport });
  const page = new Chat({ id: "stopped", transport: socket() });
  const running = chat.sendMessage({ text: "Show revenue per month" });
  await until(() => chat.answer?.metadata?.runId);
  const run = chat.answer.metadata.runId;
  const opened = page.resumeStream();
  await until(() => page.answer?.id === run || page.status === "ready");
  await chat.stop();
  await running;
  await opened;
  const { status } = await ended(run);
  return { ...(await outcome(chat)), ended: status, page: await outcome(page) };
};

await play({
  story: runs({ operation: "test_story", params: { rest: 0.02 } }),
  part: runs({ operation: "test_drawn" }),
  timeout: runs({ operation: "test_stalling" }),
  failure: runs({ operation: "test_refuse" }),
  batch: runs(
    { items: [{ operation: "test_words", params: { words: 3 } }, { operation: "test_refuse" }] },
    "/api/batches",
  ),
  cancelled,
  broken,
  nothing,
  http: asks(new DefaultChatTransport({ api: `${SITE}/api/agent/ui`, headers })),
  socket: asks(socket()),
  stopped,
});
