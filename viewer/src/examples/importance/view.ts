/** Importance over all examples of the page for one cell: a beeswarm and bars for tables, words for texts. */

import { h } from "../../dom";
import { number, plural } from "../../format";
import type { Context } from "../../section";
import type { Entry, Values } from "../entries";
import { field, select, type Field } from "../fields";
import { schemeOf, type Scheme } from "../maps/colour";
import { barsSvg, barsTable, largestOf, type Bar } from "../panels/bars";
import { download, fileName, svgFile } from "../panels/save";
import { whenVisible } from "../visible";
import { beeswarm, VALUE_GRADIENT } from "./beeswarm";
import { columnsOf, wordsOf, type Explained } from "./importance";

const SHOWN = 15;

export class ImportanceView {
  readonly element = h("section", { class: "examples-importance", "aria-label": "Importance over the examples" });
  private body = h("div");
  private fields: Field[];
  private seen = false;
  private entries: Entry[] = [];
  private listed: Entry[] = [];
  private cell = -1;

  constructor(
    private context: Context,
    private values: Values,
    cells: number[],
  ) {
    const labels = cells.map((cell) => values.study.cells[cell]!.label);
    const over = select(context.state, "ex.over", [["", "all examples of the page"], ["listed", "the examples that the filters leave"]]);
    const important = select(context.state, "ex.important", [["", "the first chosen cell"], ...labels.map((label): [string, string] => [label, label])]);
    this.fields = [important, over];
    this.element.append(h("h2", null, "Importance over the examples"), h("div", { class: "examples-options" }, field("Cell", important), field("Over", over)), this.body);
    whenVisible(this.element, () => {
      this.seen = true;
      this.fill();
    });
  }

  /** @param cell the cell that is shown where the reader has chosen none. */
  show(entries: Entry[], listed: Entry[], cell: number): void {
    [this.entries, this.listed] = [entries, listed];
    const label = this.context.state.get("ex.important");
    const chosen = this.values.study.cells.findIndex((each) => each.label === label);
    this.cell = chosen >= 0 ? chosen : cell;
    for (const each of this.fields) each.sync();
    if (this.seen) this.fill();
  }

  private fill(): void {
    const over = this.context.state.get("ex.over") === "listed" ? this.listed : this.entries;
    const explained = over.flatMap(({ targets: [example] }): Explained[] => {
      const map = example.maps[this.cell];
      return map && !map.units ? [{ example, map, values: this.values.map(map) }] : [];
    });
    const cell = this.values.study.cells[this.cell];
    if (!cell || !explained.length) {
      this.body.replaceChildren(h("p", { class: "examples-caption" }, "This cell has no attributions of features with names on these examples."));
      return;
    }
    const several = over.some((entry) => entry.targets.length > 1);
    const targets = new Set(explained.map(({ example }) => example.target));
    const mixed = cell.signed && targets.size > 1 ? [h("p", { class: "examples-caption" }, "Evidence is for or against what is explained of each example, which is not the same class everywhere. Filter by prediction, and choose the examples that the filters leave, to see one class alone.")] : [];
    const scope = `${cell.label}, over ${plural(explained.length, "example")}${several ? ", the first target of each" : ""}`;
    const scheme = schemeOf(this.context.state.get("ex.colours"));
    const isText = explained.some(({ example }) => example.tokens);
    this.body.replaceChildren(...mixed, ...(isText ? this.words(explained, cell.signed, scope, scheme) : this.columns(explained, scope, scheme)));
  }

  private columns(explained: Explained[], scope: string, scheme: Scheme): HTMLElement[] {
    const columns = columnsOf(explained);
    const shown = columns.slice(0, SHOWN);
    const swarm = beeswarm(shown, `attributions of each column: ${scope}`, (id) => this.context.state.set({ example: id, "ex.target": null }));
    const bars = shown.map((column): Bar => ({ name: column.name, value: "", attribution: column.meanMagnitude, inside: null }));
    const largest = largestOf(shown.map((column) => column.meanMagnitude));
    const rest = columns.length - shown.length;
    return [
      h("p", null, `${scope}${rest ? `; the ${shown.length} of ${columns.length} columns with the largest mean magnitude` : ""}.`),
      h(
        "div",
        { class: "examples-pair" },
        h("figure", null, h("figcaption", null, "Attribution of each example", this.saver("beeswarm", () => standalone(swarm))), h("div", { class: "examples-scroll", tabindex: 0, role: "group", "aria-label": "beeswarm" }, swarm), valueLegend()),
        h("figure", null, h("figcaption", null, "Mean magnitude", this.saver("magnitude", () => barsSvg(bars, largest, false, scheme, `mean magnitude: ${scope}`))), barsTable(bars, largest, false, scheme, "column")),
      ),
    ];
  }

  private words(explained: Explained[], signed: boolean, scope: string, scheme: Scheme): HTMLElement[] {
    const words = wordsOf(explained);
    if (!words.length) return [h("p", { class: "examples-caption" }, `${scope}: no word occurs in at least 2 examples.`)];
    const largest = largestOf(words.map((word) => word.mean));
    const sides: [string, typeof words][] = signed
      ? [["Words for the explained class", words.filter((word) => word.mean > 0)], ["Words against it", words.filter((word) => word.mean < 0).reverse()]]
      : [["Words of the largest attribution", words]];
    const table = ([title, side]: [string, typeof words]) => {
      const bars = side.slice(0, SHOWN).map((word): Bar => ({ name: word.word, value: "", attribution: word.mean, inside: null }));
      const counted = barsTable(bars, largest, signed, scheme, "word");
      counted.querySelector("thead tr")!.append(h("th", { scope: "col" }, "examples"), h("th", { scope: "col" }, "times"));
      counted.querySelectorAll("tbody tr").forEach((row, i) => {
        row.append(h("td", { class: "examples-number" }, number(side[i]!.examples)), h("td", { class: "examples-number" }, number(side[i]!.occurrences)));
      });
      const more = side.length > SHOWN && h("p", { class: "examples-caption" }, `${side.length - SHOWN} more words`);
      return h("figure", null, h("figcaption", null, title, this.saver(title, () => barsSvg(bars, largest, signed, scheme, `${title}: ${scope}`))), side.length ? counted : h("p", { class: "examples-caption" }, "none"), more);
    };
    return [h("p", null, `Mean attribution of each word that occurs in at least 2 examples: ${scope}. A word's attribution is the sum over its tokens.`), h("div", { class: "examples-pair" }, sides.map(table))];
  }

  private saver(what: string, svg: () => SVGElement): HTMLElement {
    const name = fileName([this.values.study.name, this.values.study.cells[this.cell]!.label, what], "svg");
    return h("span", { class: "examples-save" }, h("button", { type: "button", "aria-label": `Save ${what} as SVG`, onclick: () => download(svgFile(svg()), name) }, "SVG"));
  }
}

function valueLegend(): HTMLElement {
  return h("p", { class: "examples-caption examples-legend" }, "small value of the column ", h("span", { class: "examples-scale", style: { background: VALUE_GRADIENT } }), " large value; grey: a level, or the same value everywhere. Click a point to open its example.");
}

/** A copy with its own colours, which does not need the page's. */
function standalone(svg: SVGElement): SVGElement {
  const copy = svg.cloneNode(true) as SVGElement;
  copy.querySelectorAll(".examples-ink").forEach((text) => text.setAttribute("fill", "#111111"));
  return copy;
}
