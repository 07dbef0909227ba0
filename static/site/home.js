// The first page: asks, follows the run and shows what came of it. The run is in the URL, so a reload carries on.

import { Client } from "../progress/client.js";
import "../progress/operation-progress.js";
import { make } from "../progress/run-view.js";
import { follow } from "./page.js";

const form = document.getElementById("ask");
const message = document.getElementById("message");
const problem = document.getElementById("ask-error");
const send = form.querySelector("[type=submit]");
const limit = Number(form.dataset.limit);
const article = document.getElementById("run");
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
  message.value = choice.dataset.ask;
  fit();
  ask(choice.dataset.ask);
});
document.getElementById("source")?.addEventListener("change", ({ target }) => {
  location.assign(`/?${new URLSearchParams({ source: target.value, q: message.value })}`); // its tables and questions
});
window.addEventListener("popstate", () => location.reload());

if (!article.hidden) follow(article);
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
  const refused = question ? tooLong(question) : "Write a question first.";
  complain(refused);
  if (refused || send.disabled) return refused && message.focus();
  send.disabled = true;
  try {
    const run = await client.post(form.dataset.chat, { message: question, ...sourceField() });
    history.pushState(null, "", `/?run=${run.id}`);
    show(run, question);
  } catch (error) {
    complain(explain(error));
  } finally {
    send.disabled = false;
  }
}

function sourceField() {
  const source = form.elements.source?.value;
  return source ? { source } : {};
}

function explain({ status, message }) {
  if (status === 0) return "The server cannot be reached. Your question is still here: send it again in a moment.";
  if (status === 401) return "Sign in to ask questions.";
  if (status === 403) return "This page was open for too long. Reload it and ask again.";
  return message;
}

function show(run, question) {
  document.title = `${question} · agentsite`;
  document.getElementById("run-question").textContent = question;
  document.getElementById("run-link").href = `/runs/${run.id}/`;
  document.getElementById("starters")?.removeAttribute("open");
  article.querySelector(".outcome").replaceChildren();
  const bar = make("operation-progress", "", { src: run.events_url, states: article.dataset.states || "{}", label: "Answering", text: "off" });
  document.getElementById("run-bar").replaceChildren(bar);
  article.hidden = false;
  remember(run, question);
  follow(article);
}

function remember(run, question) {
  const list = document.getElementById("history");
  document.getElementById("history-empty").hidden = true;
  list.querySelector("[aria-current]")?.removeAttribute("aria-current");
  const link = make("a", "", { href: `/?run=${run.id}`, "aria-current": "true" });
  link.append(make("span", "history-question", {}, question), make("span", "history-meta", { "data-standing": "running" }, "running"));
  const entry = make("li");
  entry.append(link);
  list.prepend(entry);
  article.addEventListener("run-ended", ({ detail }) => {
    if (detail.run !== run.id) return;
    const meta = link.querySelector(".history-meta");
    meta.dataset.standing = detail.standing;
    meta.textContent = detail.standing === "completed" ? "just now" : detail.standing;
  });
}

