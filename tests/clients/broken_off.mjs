// Both clients read while the site, whose process is PID, ends.

import { HttpAgent } from "@ag-ui/client";
import { DefaultChatTransport } from "ai";

import { Chat } from "./chat.mjs";
import { headers, play, SITE, until } from "./shared.mjs";

const body = { operation: "test_words", params: { gate: "never" }, stream: true };

// HttpAgent also reports a lost connection where nobody can catch it.
process.on("unhandledRejection", (error) => console.error(error));

let reading = 0;
const leave = async () => {
  if (++reading === 2) process.kill(Number(process.env.PID), Number(process.env.SIGNAL));
};

const ai_sdk = async () => {
  const transport = new DefaultChatTransport({
    api: `${SITE}/api/runs?format=ai-sdk`,
    headers,
    prepareSendMessagesRequest: () => ({ body }),
  });
  const chat = new Chat({ transport });
  const running = chat.sendMessage({ text: "go" });
  await until(() => chat.text.includes("word5"));
  await leave();
  await running;
  return { status: chat.status, text: chat.text, errors: chat.heard.errors };
};

class Agent extends HttpAgent {
  requestInit(input) {
    return { ...super.requestInit(input), body: JSON.stringify(body) };
  }
}

const ag_ui = async () => {
  const agent = new Agent({ url: `${SITE}/api/runs?format=ag-ui`, headers });
  const text = () => agent.messages.find(({ role }) => role === "assistant")?.content ?? "";
  const running = agent.runAgent().then(
    () => false,
    () => true,
  );
  await until(() => text().includes("word5"));
  await leave();
  return { failed: await running, text: text() };
};

await play({ ai_sdk, ag_ui });
