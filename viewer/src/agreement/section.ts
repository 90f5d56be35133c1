/** The section on agreement: a measure, its matrix, and the examples on which a pair disagrees most. */

import { chart } from "../charts/chart";
import { define } from "../define";
import type { Measure } from "../document/types";
import { h } from "../dom";
import { number, plural } from "../format";
import { Section } from "../section";
import { State } from "../state";
import { table, type Cell } from "../tables/table";
import { agreementRows, scaleOf, worstRows } from "./rows";

const MOST = 40; // cells of the matrix
const COLUMN = 44; // pixels
const NAMES = 270; // pixels of the names beside it, and of those that reach beyond its last column
const WORST = 10;

export class AgreementSection extends Section {
  override readonly keys = ["measure", "agreement_pair", "cells"];

  override draw(changed: Set<string>): void {
    this.classList.add("agreement");
    const { agreements } = this.study;
    const measure = agreements.find((each) => each.name === this.context.state.get("measure")) ?? agreements[0];
    if (!measure) {
      this.replaceChildren(h("p", null, "This study compares no cells by a measure of agreement."));
      return;
    }
    if (changed.size && !changed.has("measure") && (changed.has("agreement_pair") || measure.cells.length <= MOST)) {
      if (changed.has("agreement_pair")) this.querySelector(".agreement-pair")?.replaceWith(this.pair(measure));
      return;
    }
    const focused = changed.size ? (this.querySelector<HTMLElement>(":focus")?.id ?? "") : "";
    const matrix = measure.cells.length > 1 ? [this.matrix(measure), this.pickers(measure), this.pair(measure)] : [];
    this.replaceChildren(this.picker(measure), h("h2", null, measure.name), this.words(measure), ...matrix);
    if (focused) this.querySelector<HTMLElement>(`#${CSS.escape(focused)}`)?.focus();
  }

  private picker(measure: Measure): HTMLElement {
    const choose = (event: Event): void => this.context.state.set({ measure: (event.target as HTMLSelectElement).value });
    const options = this.study.agreements.map((each) => h("option", { value: each.name, ".selected": each === measure }, each.name));
    return h("p", { class: "agreement-picker" }, h("label", { for: "agreement-measure" }, "Measure "), h("select", { id: "agreement-measure", onchange: choose }, options));
  }

  private words(measure: Measure): HTMLElement {
    const joint = measure.joint ? ` ${measure.joint} Mean over ${this.study.unit}; in brackets its marginal 95 % interval for other ${this.study.unit}.` : "";
    return h("p", { class: "agreement-summary" }, `${measure.summary}${/[.!?]$/.test(measure.summary) || !measure.summary ? "" : "."}${joint}`);
  }

  private matrix(measure: Measure): HTMLElement {
    const { context, study } = this;
    const { kept, left } = this.kept(measure);
    const rows = agreementRows(context.content, study, measure, kept);
    const { signed, limit } = scaleOf(measure, context.content.numbers(measure.matrix));
    const counts = rows.map((row) => Number(row["n"]));
    const n = Math.min(...counts) === Math.max(...counts) ? String(counts[0]) : `${Math.min(...counts)} to ${Math.max(...counts)}`;
    const caption = `Mean agreement over ${n} examples. Cells that agree stand side by side (average linkage). Click a pair for the examples on which it disagrees most.${left}`;
    return chart(context, signed ? "signed_agreement" : "agreement", rows, {
      label: `${measure.name} of all pairs of ${plural(kept.length, "cell")}. ${caption}`,
      caption,
      file: `${study.name} ${measure.name}`,
      fewest: NAMES + kept.length * COLUMN,
      most: NAMES + Math.max(5, kept.length) * 80,
      parameters: { limit },
      onclick: (row) => context.state.set({ agreement_pair: State.joined([String(row["row"]), String(row["column"])]) }),
    });
  }

  private kept(measure: Measure): { kept: number[]; left: string } {
    const { order } = measure;
    if (order.length <= MOST) return { kept: order, left: "" };
    const chosen = new Set(this.context.state.list("cells"));
    const picked = order.filter((place) => chosen.has(this.label(measure, place)));
    if (picked.length > 1) return { kept: picked.slice(0, MOST), left: ` ${picked.length} chosen of ${order.length} cells.` };
    const first = new Set([...order].sort((a, b) => a - b).slice(0, MOST));
    return { kept: order.filter((place) => first.has(place)), left: ` The first ${MOST} of ${order.length} cells.` };
  }

  private label(measure: Measure, place: number): string {
    return this.study.cells[measure.cells[place]!]!.label;
  }

  /** The pair that is chosen: places in the measure. */
  private chosen(measure: Measure): [number, number] {
    const wanted = this.context.state.list("agreement_pair");
    const names = measure.cells.map((_, place) => this.label(measure, place));
    const [a, b] = wanted.map((name) => names.indexOf(name));
    return a !== undefined && b !== undefined && a >= 0 && b >= 0 && a !== b ? [a, b] : this.least(measure);
  }

  /** The pair that agrees least, among cells that are no controls where there are two. */
  private least(measure: Measure): [number, number] {
    const matrix = this.context.content.numbers(measure.matrix);
    const count = measure.cells.length;
    const all = measure.cells.map((_, place) => place);
    const methods = all.filter((place) => !this.study.cells[measure.cells[place]!]!.control);
    const places = methods.length > 1 ? methods : all;
    let [least, value]: [[number, number], number] = [[places[0]!, places[1]!], Infinity];
    for (const a of places) for (const b of places) if (a < b && matrix[a * count + b]! < value) [least, value] = [[a, b], matrix[a * count + b]!];
    return least;
  }

  private pickers(measure: Measure): HTMLElement {
    const pick = (side: 0 | 1) => (event: Event): void => {
      const pair = this.chosen(measure);
      pair[side] = Number((event.target as HTMLSelectElement).value);
      if (pair[0] === pair[1]) pair[1 - side] = measure.cells.findIndex((_, place) => place !== pair[side]);
      this.context.state.set({ agreement_pair: State.joined(pair.map((place) => this.label(measure, place))) });
    };
    const pair = this.chosen(measure);
    const select = (side: 0 | 1): HTMLElement =>
      h(
        "select",
        { id: `agreement-${"ab"[side]}`, "aria-label": side ? "second cell" : "first cell", onchange: pick(side) },
        measure.order.map((place) => h("option", { value: place, ".selected": place === pair[side] }, this.label(measure, place))),
      );
    return h("p", { class: "agreement-picker" }, h("span", null, "Pair "), select(0), h("span", null, " and "), select(1));
  }

  private pair(measure: Measure): HTMLElement {
    const [a, b] = this.chosen(measure);
    [a, b].forEach((place, side) => {
      const select = this.querySelector<HTMLSelectElement>(`#agreement-${"ab"[side]}`);
      if (select) select.value = String(place);
    });
    const [first, second] = [this.label(measure, a), this.label(measure, b)];
    const mean = this.context.content.numbers(measure.matrix)[a * measure.cells.length + b] ?? NaN;
    const head = h("h3", null, `${first} and ${second}: ${number(mean)} on average`);
    if (!measure.values) return h("section", { class: "agreement-pair" }, head, h("p", null, "This page leaves out the values by example."));
    const ranked = worstRows(this.context.content, measure, a, b, this.study.rows.example.length);
    const shown = ranked.filter(({ row }) => this.exampleOf(row) !== null);
    const lowest = ranked.slice(0, WORST);
    const more = lowest.some(({ row }) => this.exampleOf(row) !== null) ? [] : shown.slice(0, 3);
    const rows = [...lowest, ...more].map(({ row, value }): Cell[] => this.line(row, value, [first, second]));
    const columns = [{ name: "example" }, { name: "agreement" }, { name: "label" }, { name: "predicted" }];
    const caption = `The examples on which ${first} and ${second} agree least by ${measure.name}. Links show the maps of both; examples without a link have none on this page.`;
    return h("section", { class: "agreement-pair", "aria-live": "polite" }, head, rows.length ? table({ caption, columns, rows }) : h("p", null, "The measure is undefined for every example of this pair."));
  }

  private exampleOf(row: number): string | null {
    return this.study.examples.find((example) => example.row === row)?.id ?? null;
  }

  private line(row: number, value: number, cells: string[]): Cell[] {
    const { rows, classes } = this.study;
    const id = this.exampleOf(row);
    const name = rows.name[row] || rows.example[row]!;
    const named = (place: number | undefined): string => (place === undefined || place < 0 ? number(null) : (classes[place] ?? number(null)));
    return [
      id === null ? name : { value: name, node: this.link(name, id, cells) },
      value,
      named(rows.label[row]),
      { value: named(rows.predicted[row]), class: rows.wrong[row] === 1 ? "agreement-wrong" : "" },
    ];
  }

  private link(name: string, example: string, cells: string[]): HTMLElement {
    const changes = { section: "examples", example, cells: State.joined(cells) };
    const target = new URLSearchParams({ ...this.context.state.all(), ...changes }).toString();
    const follow = (event: MouseEvent): void => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.context.state.set(changes);
    };
    return h("a", { href: `#${target}`, onclick: follow }, name);
  }
}

define("xai-agreement", AgreementSection);
