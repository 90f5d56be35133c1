/** A text with its tokens in place, coloured by the attribution of their feature. */

import type { Example } from "../../document/types";
import { h } from "../../dom";
import { number } from "../../format";
import { colour, textColour, type Scheme } from "../maps/colour";
import type { Stage } from "../maps/stage";
import type { Shown } from "../maps/values";
import { isByToken } from "./shown";

/** The feature of a token in a map, -1 for special tokens; maps of layers have a value for each token. */
export function valueIndices(example: Example, count: number): number[] {
  const tokens = example.tokens ?? [];
  return isByToken(example, count) ? tokens.map((_, place) => place) : tokens.map((token) => (token.feature < count ? token.feature : -1));
}

/** The text of each feature: its tokens, joined as in the text. */
export function featureTexts(example: Example, indices: number[]): Map<number, string> {
  const texts = new Map<number, string>();
  example.tokens?.forEach((token, place) => {
    const index = indices[place]!;
    if (index < 0) return;
    const before = texts.get(index);
    texts.set(index, before === undefined ? token.text : before + (token.joined ? "" : " ") + token.text);
  });
  return texts;
}

/** Whether each token is in the mask, which has a value for each token or each feature. */
export function tokensInMask(example: Example, mask: Float32Array): boolean[] {
  const tokens = example.tokens ?? [];
  return tokens.map((token, place) => (mask.length === tokens.length ? mask[place]! : (mask[token.feature] ?? 0)) > 0.5);
}

/** @param label for screen readers; Shift and arrows read the tokens one by one. */
export function tokensPanel(label: string, example: Example, map: Shown | null, scheme: Scheme, mask: Float32Array | null, stage: Stage, say: (words: string) => void): HTMLElement {
  const indices = valueIndices(example, map?.values.length ?? Infinity);
  const texts = featureTexts(example, indices);
  const inside = mask ? tokensInMask(example, mask) : null;
  const spans = new Map<number, HTMLElement[]>();
  const text = h("div", { class: "examples-tokens", dir: "auto", tabindex: 0, role: "group", "aria-label": label });
  const tell = (index: number) => (map && index >= 0 ? `${texts.get(index) ?? ""}: ${number(map.values[index])}` : "");
  (example.tokens ?? []).forEach((token, place) => {
    if (place && !token.joined) text.append(" ");
    const index = indices[place]!;
    const special = token.feature < 0 && index < 0;
    const classes = ["examples-token", special && "examples-special", inside?.[place] && "examples-inside"].filter(Boolean).join(" ");
    const title = special ? "special token: no attribution" : tell(index);
    const span = h("span", { class: classes, title: title || null }, token.text);
    if (map && index >= 0) {
      const fill = colour(map.values[index]!, map.signed, map.full, scheme);
      span.style.background = fill;
      span.style.color = textColour(fill);
      span.addEventListener("pointerenter", () => stage.point({ feature: index }));
      spans.set(index, [...(spans.get(index) ?? []), span]);
    }
    text.append(span);
  });
  text.addEventListener("pointerleave", () => stage.point(null));
  text.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move || !event.shiftKey || !spans.size) return;
    const order = [...spans.keys()];
    const from = stage.place && "feature" in stage.place ? order.indexOf(stage.place.feature) : move > 0 ? -1 : order.length;
    stage.point({ feature: order[Math.min(order.length - 1, Math.max(0, from + move))]! });
    event.preventDefault();
    event.stopPropagation();
  });
  let marked: HTMLElement[] = [];
  stage.add({
    pointed: (place) => {
      for (const span of marked) span.classList.remove("examples-pointed");
      marked = place && "feature" in place ? (spans.get(place.feature) ?? []) : [];
      for (const span of marked) span.classList.add("examples-pointed");
      if (map) say(marked.length && place && "feature" in place ? tell(place.feature) : "");
    },
  });
  return text;
}

/** Words and values for readers who cannot point: a table, made when it is opened. */
export function tokensTable(example: Example, map: Shown): HTMLElement {
  const indices = valueIndices(example, map.values.length);
  const body = h("tbody");
  const details = h("details", { class: "examples-table" }, h("summary", null, "Values as a table"));
  details.addEventListener("toggle", () => {
    if (!(details as HTMLDetailsElement).open || body.childElementCount) return;
    for (const [index, words] of featureTexts(example, indices)) {
      body.append(h("tr", null, h("th", { scope: "row", dir: "auto" }, words), h("td", null, number(map.values[index]))));
    }
    details.append(h("table", null, h("thead", null, h("tr", null, h("th", { scope: "col" }, "token"), h("th", { scope: "col" }, "attribution"))), body));
  });
  return details;
}
