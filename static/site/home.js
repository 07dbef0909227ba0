// The first page: a conversation. Each question is a turn that is followed to its answer. The conversation is in the URL, so a reload
// carries on.

import { Client } from "../progress/client.js";
import "../progress/operation-progress.js";
import { make } from "../progress/run-view.js";
import "./page.js";
import { newTurn, watch } from "./turn.js";

const work = document.getElementById("work");
const turns = document.getElementById("turns");
const form = document.getElementById("ask");
const message = document.getElementById("message");
const problem = document.getElementById("ask-error");
const send = form.querySelector("[type=submit]");
const limit = Number(form.dataset.limit);
const still = matchMedia("(prefers-reduced-motion: reduce)");
const client = new Client({ patience: 2_000 }); // a broken connection is tried again, a busy server is not waited for

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask(message.value.trim());
});
message.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});
message.addEventListener("input", () => {
  fit();
  complain(tooLong(message.value));
});
document.addEventListener("click", (event) => {
  const choice = event.target.closest("[data-ask]");
  if (!choice || event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  ask(choice.dataset.ask);
});
document.getElementById("source")?.addEventListener("change", ({ target }) => {
  const place = { source: target.value, q: message.value };
  if (work.dataset.conversation) place.conversation = work.dataset.conversation;
  location.assign(`/?${new URLSearchParams(place)}`); // its tables and questions
});
document.getElementById("delete").addEventListener("submit", (event) => {
  if (!confirm("Delete this conversation? Its charts stay.")) event.preventDefault();
});
window.addEventListener("popstate", () => location.reload());

for (const turn of turns.children) if (turn.querySelector("operation-progress")) attend(turn);
if (turns.childElementCount > 1 && !location.hash && !location.search.includes("before=")) turns.lastElementChild.scrollIntoView();
fit();

function tooLong(text) {
  const { length } = [...text];
  return length > limit ? `A question may have ${limit.toLocaleString("en")} characters; this one has ${length.toLocaleString("en")}.` : "";
}

function complain(text) {
  problem.textContent = text;
  message.setAttribute("aria-invalid", text ? "true" : "false");
}

function fit() {
  message.style.height = "auto";
  message.style.height = `${Math.min(message.scrollHeight + 2, 320)}px`;
}

async function ask(question) {
  const refused = question ? tooLong(question) || busy() : "Write a question first.";
  complain(refused);
  if (refused || send.disabled) return refused && message.focus();
  send.disabled = true;
  try {
    const run = await client.post(form.dataset.chat, { message: question, ...place() });
    message.value = "";
    fit();
    show(run, question);
  } catch (error) {
    message.value ||= question;
    complain(explain(error));
  } finally {
    send.disabled = false;
  }
}

function busy() {
  return turns.querySelector("[data-active]") ? "The last question is still being answered: wait for it, or cancel it." : "";
}

function place() {
  const source = form.elements.source?.value;
  const { conversation } = work.dataset;
  return { ...(source && { source }), ...(conversation && { conversation }) };
}

function explain({ status, message }) {
  if (status === 0) return "The server cannot be reached. Your question is still here: send it again in a moment.";
  if (status === 401) return "Sign in to ask questions.";
  if (status === 403) return "This page was open for too long. Reload it and ask again.";
  if (status === 404) return "This conversation is not there any more. Begin a new one.";
  return message;
}

function show(run, question) {
  if (!work.dataset.conversation) begin(run.id, question);
  for (const fold of turns.querySelectorAll(".worked-out[open]")) fold.open = false;
  const turn = newTurn(run, question);
  turns.append(turn);
  remember(question);
  attend(turn);
  turn.scrollIntoView({ behavior: still.matches ? "auto" : "smooth" });
}

// A conversation has the id of the run that began it.
function begin(id, question) {
  work.dataset.conversation = id;
  work.dataset.talking = "";
  history.pushState(null, "", `/?conversation=${id}`);
  document.title = `${question} · agentsite`;
  document.getElementById("starters")?.remove();
  document.getElementById("new-conversation").hidden = false;
  const remove = document.getElementById("delete");
  remove.action = `/conversations/${id}/delete/`;
  remove.hidden = false;
  const title = document.getElementById("ask-title");
  title.replaceChildren(make("span", "visually-hidden", {}, `Conversation: ${question}`));
  message.placeholder = "Go on: “only 2025”, “as a line”, or something else";
  message.rows = 1;
  fit();
}

function attend(turn) {
  turn.addEventListener("run-ended", ({ detail }) => mark(detail.standing));
  watch(turn);
}

function entry() {
  return document.querySelector("#history [aria-current]");
}

// The conversation goes to the top of the list.
function remember(question) {
  const list = document.getElementById("history");
  document.getElementById("history-empty").hidden = true;
  let link = entry();
  if (!link) {
    link = make("a", "", { href: `/?conversation=${work.dataset.conversation}`, "aria-current": "true" });
    link.append(make("span", "history-question", {}, question), make("span", "history-meta"));
    const item = make("li");
    item.append(link);
    list.prepend(item);
  } else {
    list.prepend(link.closest("li"));
  }
  mark("running");
}

function mark(standing) {
  const meta = entry()?.querySelector(".history-meta");
  if (!meta) return;
  meta.dataset.standing = standing;
  meta.textContent = standing === "completed" ? "just now" : standing;
}
