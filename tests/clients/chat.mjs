// The AI SDK's chat without a page: `useChat` is this with React's state.

import { AbstractChat } from "ai";

export class Chat extends AbstractChat {
  constructor({ messages = [], ...options }) {
    const state = {
      messages,
      status: "ready",
      error: undefined,
      pushMessage: (message) => (state.messages = [...state.messages, message]),
      popMessage: () => (state.messages = state.messages.slice(0, -1)),
      replaceMessage: (at, message) => (state.messages = state.messages.with(at, structuredClone(message))),
      snapshot: (value) => structuredClone(value),
    };
    const heard = { data: [], finished: [], errors: [], asked: 0, automatic: 0 };
    super({
      ...options,
      state,
      onData: (part) => heard.data.push(part),
      onFinish: ({ finishReason, isAbort, isDisconnect, isError }) =>
        heard.finished.push({ finishReason, isAbort, isDisconnect, isError }),
      onError: (error) => heard.errors.push(error.message),
      onToolCall: () => void heard.asked++,
      sendAutomaticallyWhen: () => {
        heard.automatic++;
        return false;
      },
    });
    this.heard = heard;
  }

  get answer() {
    return this.messages.findLast(({ role }) => role === "assistant");
  }

  get text() {
    return textOf(this.answer);
  }
}

const textOf = (message) =>
  (message?.parts ?? []).map((part) => (part.type === "text" && !part.providerMetadata ? part.text : "")).join("");
