// Draws charts with Vega, which is loaded when the first chart comes into being. A chart that cannot be drawn is shown as its picture.

import { make } from "../progress/run-view.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const drawn = new Map(); // figure -> its spec, to draw again when the colours of the page change
let vega;

dark.addEventListener("change", () => {
  for (const [figure, spec] of drawn) figure.isConnected ? embed(figure, spec) : drawn.delete(figure);
});

/** `figure` names the chart's JSON in `data-chart` and its picture in `data-png`. */
export async function draw(figure) {
  try {
    const response = await fetch(figure.dataset.chart, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(`${figure.dataset.chart} answered ${response.status}`);
    const { spec } = await response.json();
    drawn.set(figure, spec);
    await embed(figure, spec);
  } catch (error) {
    console.warn("The chart is shown as a picture:", error);
    picture(figure);
  }
}

async function embed(figure, spec) {
  const { vegaEmbed } = await load();
  const { title, config, ...drawing } = spec; // the page has the title already, and colours of its own
  if (drawing.height?.step) drawing.height = heightOf(drawing);
  await vegaEmbed(figure.querySelector(".canvas"), drawing, {
    ast: true, // without eval, as the content security policy demands
    renderer: "svg",
    actions: false,
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
    config: theme(),
  });
  figure.dataset.drawn = dark.matches ? "dark" : "light";
}

// Vega-Lite warns on the console where a width that fits meets a height in steps: count the steps instead.
function heightOf({ height, encoding, data }) {
  return height.step * new Set(data.values.map((row) => row[encoding.y.field])).size;
}

function load() {
  return (vega ??= import(document.querySelector("meta[name=vega]").content));
}

function theme() {
  const themes = JSON.parse(document.getElementById("chart-themes").textContent);
  return { ...themes[dark.matches ? "dark" : "light"], background: "transparent", padding: 4 };
}

function picture(figure) {
  const canvas = figure.querySelector(".canvas");
  canvas.replaceChildren(make("img", "", { src: figure.dataset.png, alt: canvas.getAttribute("aria-label") }));
  figure.dataset.drawn = "picture";
}
