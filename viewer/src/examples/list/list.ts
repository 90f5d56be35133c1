/** The list of examples; what is not on the screen is not drawn. */

import { h } from "../../dom";
import { number } from "../../format";
import type { Example } from "../../document/types";
import type { Entry, Values } from "../entries";
import type { Sort } from "../keys";
import { schemeOf, type Scheme } from "../maps/colour";
import { whenVisible } from "../visible";
import type { Candidate } from "./filter";
import { miniature, thumbnail, type Pictures } from "./thumbnail";

export interface Item {
  entry: Entry;
  /** The target that passes the filters. */
  example: Example;
  candidate: Candidate;
}

export interface Look {
  /** Cells whose maps are in the list. */
  cells: number[];
  colours: string;
  sort: Sort;
}

export class ExamplesList {
  readonly element = h("ol", { class: "examples-list", "aria-label": "Examples" });
  private buttons = new Map<string, HTMLElement>();
  private forget: (() => void)[] = [];

  constructor(
    private values: Values,
    private pictures: Pictures,
    private open: (item: Item) => void,
  ) {}

  show(items: Item[], look: Look): void {
    for (const end of this.forget) end();
    this.forget = [];
    this.buttons.clear();
    this.element.classList.toggle("examples-with-maps", look.cells.length > 0);
    const scheme = schemeOf(look.colours);
    this.element.replaceChildren(...items.map((item) => h("li", null, this.button(item, look, scheme))));
    if (!items.length) this.element.append(h("li", { class: "examples-caption" }, "No example passes the filters."));
  }

  mark(id: string): void {
    for (const [each, button] of this.buttons) {
      if (each === id) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    const button = this.buttons.get(id);
    if (!button) return;
    const { offsetTop: top, offsetHeight: height, offsetLeft: left, offsetWidth: width } = button;
    const box = this.element;
    if (top < box.scrollTop || top + height > box.scrollTop + box.clientHeight) box.scrollTop = top - box.clientHeight / 3;
    if (left < box.scrollLeft || left + width > box.scrollLeft + box.clientWidth) box.scrollLeft = left - box.clientWidth / 3;
  }

  private button(item: Item, look: Look, scheme: Scheme): HTMLElement {
    const { entry, example, candidate } = item;
    const picture = h("span", { class: "examples-thumbnail" });
    const minis = h("span", { class: "examples-minis" });
    const value = { study: null, confidence: candidate.confidence, metric: candidate.value, agreement: candidate.agreement }[look.sort];
    const targets = entry.targets.length > 1 && `${entry.targets.length} targets`;
    const words = [candidate.predicted && `predicted ${candidate.predicted}`, targets].filter(Boolean).join(" · ");
    const button = h(
      "button",
      { type: "button", onclick: () => this.open(item), title: entry.name },
      picture,
      h(
        "span",
        { class: "examples-words" },
        h("bdi", { class: "examples-name" }, entry.name),
        words && h("span", { class: "examples-small" }, h("bdi", null, words)),
        candidate.wrong && h("span", { class: "examples-wrong" }, "wrong"),
        value !== null && h("span", { class: "examples-small" }, number(value)),
      ),
      look.cells.length > 0 && minis,
    );
    this.buttons.set(entry.id, button);
    this.forget.push(
      whenVisible(button, () => {
        const small = thumbnail(example, this.values, this.pictures, scheme);
        if (small) picture.append(small);
        else picture.remove();
        minis.append(...look.cells.map((cell) => miniature(example, cell, this.values, scheme)));
      }),
    );
    return button;
  }
}
