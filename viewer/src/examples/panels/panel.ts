/** One panel: the input, the map of a cell, or the difference of two, with caption, scores and buttons that save it. */

import { h } from "../../dom";
import { number } from "../../format";
import type { Example, MapOf } from "../../document/types";
import type { Values } from "../entries";
import type { Display } from "../keys";
import type { Scheme } from "../maps/colour";
import type { Stage } from "../maps/stage";
import type { Shown } from "../maps/values";
import { BARS, barsSvg, barsTable, largestOf, type Bar } from "./bars";
import { imagePanel } from "./image";
import { canvasFile, download, drawn, fileName, svgFile } from "./save";
import { curvesOf, seriesPanel } from "./series";
import { domainOf } from "./shown";
import { tokensPanel, tokensTable } from "./tokens";
import { tokensSvg } from "./tokens_svg";

/** What all panels of an example have in common. */
export interface Scene {
  values: Values;
  example: Example;
  display: Display;
  scheme: Scheme;
  stage: Stage;
  /** The picture of the input; null where there is none. */
  picture: Promise<HTMLImageElement> | null;
  /** The order of the features in bars. */
  order: number[];
}

export interface Content {
  title: string;
  /** The map before the display options; null for the input and for differences of grids. */
  map: MapOf | null;
  shown: Shown | null;
  caption: string;
  note: string;
  scores: [string, number | null][];
}

/** What a panel needs to be saved. */
interface Body {
  element: HTMLElement | HTMLElement[];
  png: () => Promise<HTMLCanvasElement>;
  svg: (() => SVGElement) | null;
}

export function panel(scene: Scene, content: Content): HTMLElement {
  const said = h("p", { class: "examples-said" }, "\u00a0");
  const body = bodyOf(scene, content, (words) => (said.textContent = words || "\u00a0"));
  const name = (ending: string) => fileName([scene.values.study.name, scene.example.name, content.title], ending);
  const save = h("span", { class: "examples-save" });
  const button = (ending: string, act: () => Promise<Blob>) =>
    save.append(h("button", { type: "button", "aria-label": `Save ${content.title} as ${ending.toUpperCase()}`, onclick: () => void act().then((file) => download(file, name(ending))) }, ending.toUpperCase()));
  button("png", async () => canvasFile(await body.png()));
  if (body.svg) button("svg", async () => svgFile(body.svg!()));
  return h(
    "figure",
    { class: "examples-panel" },
    h("figcaption", null, breakable(content.title), save),
    h("div", null, body.element),
    h(
      "div",
      null,
      said,
      content.caption && h("p", { class: "examples-caption" }, content.caption),
      content.note && h("p", { class: "examples-caption" }, content.note),
      content.scores.length > 0 && scoresTable(content),
    ),
  );
}

/** A name that may go on in the next line after `_` and `/`. */
export function breakable(name: string): HTMLElement {
  return h("bdi", null, name.split(/(?<=[_/])/).flatMap((part, i) => (i ? [h("wbr"), part] : [part])));
}

function scoresTable(content: Content): HTMLElement {
  const rows = content.scores.map(([metric, value]) => h("tr", null, h("th", { scope: "row" }, metric), h("td", { class: "examples-number" }, number(value))));
  return h("table", { class: "examples-scores" }, h("caption", { class: "examples-unseen" }, `scores of ${content.title} on this example`), h("tbody", null, rows));
}

function bodyOf(scene: Scene, content: Content, say: (words: string) => void): Body {
  const { example, display, scheme, stage, values } = scene;
  const { shown, title } = content;
  const domain = domainOf(content.map, example, values.study.modality);
  const mask = display.mask && example.mask ? { values: values.array(example.mask.values), shape: example.mask.shape } : null;
  const label = shown ? `attributions of ${title} for ${example.name}` : `the input ${example.name}`;
  if (domain === "tokens") {
    const text = tokensPanel(label, example, shown, scheme, mask?.values ?? null, stage, say);
    const svg = () => tokensSvg(text, title);
    return { element: shown ? [text, tokensTable(example, shown)] : [text], png: () => drawn(svg()), svg };
  }
  if (domain === "series") {
    const made = seriesPanel({ label, ...curvesOf(example, values, shown), features: example.steps, map: shown, scheme, mask: mask?.values ?? null }, stage, say);
    return { element: made.element, png: () => drawn(made.svg()), svg: made.svg };
  }
  if (domain === "image") {
    const size = example.size ?? (shown ? ([shown.shape[0], shown.shape[1]] as [number, number]) : [1, 1]);
    const made = imagePanel({ label, size, picture: scene.picture, map: shown, scheme, veil: display.overlay && scene.picture ? display.opacity : null, mask }, stage, say);
    return { element: made.element, png: () => made.at(800), svg: null };
  }
  const units = domain === "units";
  const bars = shown ? barsOf(example, content.map?.units ?? null, shown, units ? null : (mask?.values ?? null)) : [];
  const order = units ? bars.map((_, i) => i) : scene.order.filter((i) => i < bars.length);
  const visible = (display.all || units ? order : order.slice(0, BARS)).map((i) => bars[i]!);
  const largest = shown ? largestOf(shown.values) : 0;
  const signed = shown?.signed ?? true;
  const svg = () => barsSvg(visible, largest, signed, scheme, title);
  const rest = bars.length - visible.length;
  return {
    element: [barsTable(visible, largest, signed, scheme, units ? "unit" : "column"), ...(rest ? [h("p", { class: "examples-caption" }, `${rest} more in the same order`)] : [])],
    png: () => drawn(svg()),
    svg,
  };
}

function barsOf(example: Example, units: string[] | null, shown: Shown, mask: Float32Array | null): Bar[] {
  return Array.from(shown.values, (attribution, i) => ({
    name: units?.[i] ?? example.columns?.[i]?.name ?? `feature ${i}`,
    value: units ? "" : (example.columns?.[i]?.value ?? ""),
    attribution,
    inside: mask ? mask[i]! > 0.5 : null,
  }));
}
