/** The section Examples: a list with search and filters, one example large, and importance over all of them. */

import { define } from "../define";
import { h } from "../dom";
import type { Example } from "../document/types";
import { Section } from "../section";
import { Chips } from "./chips";
import { DisplayOptions } from "./display";
import { candidateOf, cellsInOrder, chosenCells, entriesOf, measureOf, Values, type Entry } from "./entries";
import { ImportanceView } from "./importance/view";
import { listen } from "./keyboard";
import { DISPLAY_KEYS, FILTER_KEYS, filterOf, IMPORTANCE_KEYS, ORDER_KEYS, sortOf, VIEW_KEYS } from "./keys";
import { Large } from "./large";
import { passes, sorted } from "./list/filter";
import { Filters } from "./list/filters";
import { ExamplesList, type Item } from "./list/list";
import { Pictures } from "./list/thumbnail";
import { drawAll } from "./visible";

/** The maps of so many cells lie beside each example in the list. */
const IN_LIST = 12;

/** The parts, made once; drawing again changes what they show, so that the focus stays. */
interface Parts {
  values: Values;
  pictures: Pictures;
  entries: Entry[];
  cells: number[];
  filters: Filters;
  list: ExamplesList;
  chips: Chips;
  display: DisplayOptions;
  large: Large;
  importance: ImportanceView | null;
}

export class ExamplesSection extends Section {
  readonly keys = [...FILTER_KEYS, ...ORDER_KEYS, ...DISPLAY_KEYS, ...VIEW_KEYS, ...IMPORTANCE_KEYS, "ex.zoom", "ex.maps"];
  private parts: Parts | null = null;
  private items: Item[] = [];
  /** What is large, and where it stands in the list. */
  private shown: { example: Example | undefined; place: string } | null = null;
  private deaf: (() => void) | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    const print = () => drawAll(this);
    const deaf = listen(this, { step: (by) => this.step(by), search: () => this.parts?.filters.search.focus() });
    window.addEventListener("beforeprint", print);
    this.deaf = () => {
      deaf();
      window.removeEventListener("beforeprint", print);
    };
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.deaf?.();
    this.deaf = null;
    this.parts?.pictures.forget();
    this.parts = null;
    this.replaceChildren();
  }

  draw(changed: Set<string>): void {
    if (!this.isConnected) return; // another study was chosen in the same change
    if (!this.study.examples.length) {
      this.replaceChildren(h("p", null, "This page holds no single examples of the study."));
      return;
    }
    const isFirst = this.parts === null;
    const parts = (this.parts ??= this.build());
    const any = (keys: string[]) => isFirst || keys.some((key) => changed.has(key));
    const chosen = chosenCells(this.study, this.context.state.list("cells"));
    const isListed = any([...FILTER_KEYS, ...ORDER_KEYS, "cells", "ex.maps", "ex.colours"]);
    if (isListed) this.relist(parts, chosen);
    const view = this.view();
    const place = this.placeOf(view?.entry);
    if (any([...VIEW_KEYS, ...DISPLAY_KEYS]) || view?.example !== this.shown?.example || place !== this.shown?.place) {
      this.shown = { example: view?.example, place };
      parts.chips.show(chosen.map((cell) => this.study.cells[cell]!.label));
      parts.display.sync();
      if (view) parts.large.show(view.entry, view.example, chosen, place);
      else parts.large.nothing(this.missing());
    }
    if (view) parts.list.mark(view.entry.id);
    parts.large.zoom();
    if (isListed || any(IMPORTANCE_KEYS)) {
      parts.importance?.show(parts.entries, this.items.map((item) => item.entry), chosen[0] ?? -1);
    }
  }

  private build(): Parts {
    const { study, context } = this;
    const values = new Values(context.content, study);
    const pictures = new Pictures(context.content);
    const entries = entriesOf(study.examples);
    const cells = cellsInOrder(study);
    const filters = new Filters(context.state, study, cells, measureOf(study, context.state.get("measure")), entries.length);
    const list = new ExamplesList(values, pictures, (item) => this.choose(item));
    const chips = new Chips(context.state, study, cells);
    const [first] = study.examples;
    const overlay = study.examples.some((example) => example.picture);
    const isPlane = study.examples.some((example) => !example.tokens && !example.columns);
    const large = new Large(context, values, pictures, chips.element, (by) => this.step(by));
    const offered = { overlay, smooth: isPlane, mask: study.examples.some((example) => example.mask), bars: Boolean(first?.columns) };
    const display = new DisplayOptions(context.state, study, cells, offered, isPlane ? [large.zoomButtons()] : []);
    large.options.append(display.element);
    const named = study.examples.some((example) => example.columns || example.tokens);
    const importance = named ? new ImportanceView(context, values, cells) : null;
    this.classList.add("examples");
    this.replaceChildren(
      h("div", { class: "examples-layout" }, h("div", { class: "examples-side" }, filters.element, this.leftOut(), list.element), large.element),
      ...(importance ? [importance.element] : []),
    );
    return { values, pictures, entries, cells, filters, list, chips, display, large, importance };
  }

  /** What the page does not hold of the study. */
  private leftOut(): HTMLElement | false {
    const all = new Set(this.study.rows.example).size;
    const here = new Set(this.study.examples.map((example) => example.id)).size;
    return here < all && h("p", { class: "examples-caption" }, `${here} of the study's ${all.toLocaleString("en")} examples have their maps on this page.`);
  }

  private relist(parts: Parts, chosen: number[]): void {
    const { state } = this.context;
    const filter = filterOf(state);
    const { sort, down } = sortOf(state);
    const measure = measureOf(this.study, state.get("measure"));
    const isCompared = sort === "agreement" || filter.agreement.some((end) => end !== null);
    const metric = state.get("ex.metric", this.study.metrics[0]?.name ?? "");
    const named = this.study.cells.findIndex((cell) => cell.label === state.get("ex.cell"));
    const cell = named >= 0 ? named : (chosen[0] ?? -1);
    const items = parts.entries.flatMap((entry): Item[] => {
      const candidates = entry.targets.map((example) => {
        const agreement = isCompared ? parts.values.agreement(measure, chosen, example) : null;
        return { entry, example, candidate: candidateOf(parts.values, example, agreement, metric, cell) };
      });
      const passing = candidates.find(({ candidate }) => passes(candidate, filter));
      return passing ? [passing] : [];
    });
    this.items = sorted(items, sort, down);
    parts.filters.sync(this.items.length);
    parts.list.show(this.items, { cells: state.get("ex.maps") === "1" ? chosen.slice(0, IN_LIST) : [], colours: state.get("ex.colours"), sort });
  }

  /** The example and target that are shown large: the chosen one, or the first of the list. */
  private view(): { entry: Entry; example: Example } | null {
    const { state } = this.context;
    const id = state.get("example");
    const [first] = this.items;
    const entry = id ? this.parts?.entries.find((each) => each.id === id) : first?.entry;
    if (!entry) return null;
    const target = state.get("ex.target");
    const otherwise = id ? entry.targets[0] : first!.example;
    return { entry, example: entry.targets.find((each) => String(each.target) === target) ?? otherwise };
  }

  private placeOf(entry: Entry | undefined): string {
    const place = this.items.findIndex((item) => item.entry === entry);
    return place < 0 ? "not among the examples that the filters leave" : `${place + 1} of ${this.items.length}`;
  }

  private missing(): string {
    const id = this.context.state.get("example");
    if (!id) return "No example passes the filters.";
    return this.study.rows.example.includes(id) ? `The example ${id} has scores, but its maps are not on this page. ${this.context.content.document.omitted.join(" ")}` : `This study has no example ${id}.`;
  }

  private choose({ entry, example }: Item): void {
    this.context.state.set({ example: entry.id, "ex.target": example === entry.targets[0] ? null : String(example.target) });
  }

  private step(by: number): void {
    if (!this.items.length) return;
    const id = this.view()?.entry.id;
    const place = this.items.findIndex((item) => item.entry.id === id);
    const next = this.items[place < 0 ? 0 : Math.min(this.items.length - 1, Math.max(0, place + by))]!;
    this.choose(next);
  }
}

define("xai-examples", ExamplesSection);
