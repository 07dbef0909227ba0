// Draws the children of a batch: a name, a small bar and a state for each, which link to its own page.

import { make, plain } from "./run-view.js";

const WORDS = { queued: "Waiting", completed: "Completed", failed: "Failed", cancelled: "Cancelled" };

export class RunChildren {
  element = make("ol", "op-children", { "aria-label": "Parts" });
  #items = []; // in order: 100 children report twice a second, so they are changed rather than made anew
  #names;
  #pages;

  constructor(host) {
    this.#names = JSON.parse(host.getAttribute("names") || "{}");
    this.#pages = host.getAttribute("pages");
  }

  /** `children`: entries of `metadata.children`, always the same ones in the same order. */
  render(children) {
    children.forEach((child, index) => {
      this.#items[index] ??= this.#add(child, index + 1);
      update(this.#items[index], child);
    });
  }

  #add({ id, operation }, number) {
    const title = this.#names[id] ?? plain(operation);
    const item = make("li", "op-child");
    const name = id && this.#pages ? make("a", "op-child-name", { href: this.#pages.replace("{id}", id) }) : make("span", "op-child-name");
    name.title = title;
    name.append(make("span", "op-child-number", {}, `${number} `), title);
    const bar = make("div", "op-child-bar", { "aria-hidden": "true" });
    const fill = make("div", "op-child-fill");
    bar.append(fill);
    const state = make("span", "op-child-state");
    item.append(name, state, bar);
    this.element.append(item);
    return { item, state, fill };
  }
}

function update({ item, state, fill }, { status, percentage, currentState }) {
  item.dataset.status = status;
  const known = percentage !== null;
  item.classList.toggle("op-indeterminate", !known && status === "running");
  state.textContent = WORDS[status] ?? (known ? `${Math.floor(percentage)} %` : plain(currentState));
  fill.style.setProperty("--op-value", known ? percentage / 100 : 0);
}
