// One turn of a conversation while it is under way: what is being done, what the model thinks, the charts as they are made.

import { make, plain } from "../progress/run-view.js";
import { follow, showChart } from "./page.js";

const { words, general } = JSON.parse(document.getElementById("tool-words").textContent);
const MOMENTS = ["executing", "completed", "failed"];
const CHART = "make_chart";

/** Make the turn of a run that was just started, not yet on the page. */
export function newTurn(run, question) {
  const template = document.getElementById("turn");
  const turn = template.content.firstElementChild.cloneNode(true);
  turn.id = `turn-${run.id}`;
  const title = turn.querySelector(".turn-question");
  title.id = `question-${run.id}`;
  title.textContent = question;
  turn.setAttribute("aria-labelledby", title.id);
  turn.querySelector(".turn-head a").href = `/runs/${run.id}/`;
  const bar = make("operation-progress", "", { src: run.events_url, states: template.dataset.states, label: "Answering", text: "off" });
  turn.querySelector(".turn-bar").append(bar);
  return turn;
}

/** Follow the run of a turn to its end; dispatches "run-ended" on it. */
export function watch(turn) {
  const bar = turn.querySelector("operation-progress");
  const calls = turn.querySelector(".calls");
  calls.replaceChildren(); // the events say them again
  turn.toggleAttribute("data-active", true);
  bar.addEventListener("operation-progress", ({ detail: { data } }) => {
    const { toolCallId, toolName, reasoning } = data.metadata ?? {};
    if (toolName) noteCall(calls, toolCallId, data);
    if (reasoning) think(turn, reasoning);
    if (toolName === CHART && data.currentState === `completed_${CHART}`) showChart(turn, data.metadata.result?.id);
  });
  turn.addEventListener("run-ended", () => {
    turn.toggleAttribute("data-active", false);
    turn.querySelector(".thoughts").hidden = true;
  });
  follow(turn);
}

function noteCall(list, id, { currentState, metadata }) {
  const moment = MOMENTS.findIndex((name) => currentState === `${name}_${metadata.toolName}`);
  if (moment < 0) return;
  let line = [...list.children].find((each) => each.dataset.call === id);
  if (!line) list.append((line = make("li", "call", { "data-call": id, "data-arguments": JSON.stringify(metadata.arguments ?? {}) })));
  line.dataset.status = moment === 0 ? "running" : MOMENTS[moment];
  line.textContent = phrase(metadata.toolName, JSON.parse(line.dataset.arguments), moment);
}

// The same as agentsite/agent/tool_words.py says once the turn is over.
function phrase(tool, given, moment) {
  const fits = (text) => [...text.matchAll(/{(\w+)}/g)].every(([, key]) => key === "tool" || typeof given[key] === "string");
  const wanted = (words[tool] ?? general)[moment];
  const values = { ...given, tool: tool.replaceAll("__", ": ").replaceAll("_", " ") };
  return plain((fits(wanted) ? wanted : general[moment]).replace(/{(\w+)}/g, (_, key) => short(values[key])));
}

function short(value) {
  const line = String(value).split(/\s+/).join(" ").trim();
  return line.length <= 60 ? line : `${line.slice(0, 60)}…`;
}

function think(turn, text) {
  const thoughts = turn.querySelector(".thoughts");
  thoughts.hidden = false;
  thoughts.querySelector("p").append(text);
}
