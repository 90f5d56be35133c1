/** What a language model goes on with after a prompt: its tokens, of which each may choose what is explained. */

import { h } from "../../dom";
import { number } from "../../format";
import type { Continued, Example } from "../../document/types";
import { colour, textColour, type Scheme } from "../maps/colour";
import type { Shown } from "../maps/values";
import { featureTexts, valueIndices } from "./tokens";

/** The target whose score is this one token of the first text, where tokens are explained by themselves. */
export function targetOf(targets: Example[], token: number): Example | null {
  return targets.find(({ continued }) => continued?.weights[0]?.every((weight, place) => weight === Number(place === token)) ?? false) ?? null;
}

/** What a token does to the explained score. */
export function role(weight: number): "for" | "against" | "none" {
  return weight > 0 ? "for" : weight < 0 ? "against" : "none";
}

/**
 * The texts with the explained tokens marked: of a contrast in two colours. Pointing at a token, or pressing it, shows
 * its own maps where there are any.
 */
export function continuedLine(example: Example, targets: Example[], pick: (target: Example) => void): HTMLElement | null {
  const { continued } = example;
  if (!continued) return null;
  const several = continued.texts.length > 1;
  const texts = continued.texts.map((tokens, text) => {
    const line = h("span", { class: "examples-continued-text", dir: "auto" });
    tokens.forEach((token, place) => line.append(tokenOf(token, continued.weights[text]![place]!, text ? null : targetOf(targets, place), example, pick)));
    return line;
  });
  const words = several ? (hasBoth(continued) ? "log-odds of two texts: for the first, against the second" : "candidates") : "goes on with";
  return h("div", { class: "examples-continued", role: "group", "aria-label": "Continuation" }, h("span", { class: "examples-caption" }, words), texts);
}

function hasBoth(continued: Continued): boolean {
  return continued.weights.some((weights) => weights.some((weight) => weight < 0));
}

function tokenOf(token: string, weight: number, target: Example | null, example: Example, pick: (target: Example) => void): HTMLElement {
  const classes = `examples-continued-token examples-${role(weight)}`;
  const shown = token.replace(/\n/g, "↵");
  if (!target || targetsAlone(example)) return h("span", { class: classes }, shown);
  const button = h("button", { type: "button", class: classes, "aria-pressed": String(target === example), "aria-label": `explain ${token.trim() || token}` }, shown);
  const act = () => target !== example && pick(target);
  button.addEventListener("pointerenter", act);
  button.addEventListener("click", act);
  return button;
}

/** Whether the explained score is no single token. */
function targetsAlone(example: Example): boolean {
  return (example.continued?.weights.flat().filter((weight) => weight !== 0).length ?? 0) !== 1;
}

/** The matrix prompt by continuation: a row for each explained token, a column for each feature of the prompt. */
export function continuedMatrix(targets: Example[], maps: (target: Example) => Shown | null, scheme: Scheme, title: string): HTMLElement | null {
  const rows = targets.flatMap((target) => {
    const map = maps(target);
    return map && target.continued && !targetsAlone(target) ? [{ target, map }] : [];
  });
  if (rows.length < 2) return null;
  const [{ target: first, map: widest }] = rows as [(typeof rows)[number]];
  const texts = featureTexts(first, valueIndices(first, widest.values.length));
  const full = Math.max(...rows.map(({ map }) => map.full));
  const head = h("tr", null, h("td", null), [...texts.values()].map((text) => h("th", { scope: "col" }, h("bdi", null, text))));
  const body = rows.map(({ target, map }) =>
    h("tr", null, h("th", { scope: "row" }, h("bdi", null, target.target_name || "↵")), [...texts.keys()].map((feature) => cell(map, feature, full, scheme))),
  );
  return h("figure", { class: "examples-matrix" }, h("figcaption", null, `${title}: prompt by continuation`), h("div", { tabindex: 0, role: "group", "aria-label": "matrix" }, h("table", null, h("thead", null, head), h("tbody", null, body))), h("p", { class: "examples-caption" }, `one scale for all rows; full colour: ${number(full)}`));
}

function cell(map: Shown, feature: number, full: number, scheme: Scheme): HTMLElement {
  const value = map.values[feature]!;
  const fill = colour(value, map.signed, full, scheme);
  return h("td", { title: number(value), style: { background: fill, color: textColour(fill) } }, number(value));
}
