/** The cells of the study as chips: those that are on are shown side by side. */

import { h } from "../dom";
import { plural } from "../format";
import type { Study } from "../document/types";
import { State } from "../state";
import { orderingMetric } from "./entries";

/** From how many cells on they are searched. */
const MANY = 16;

export class Chips {
  readonly element: HTMLElement;
  private chips = new Map<string, HTMLElement>();
  private chosen: string[] = [];
  private order: string;
  private summary = h("span", { class: "examples-caption" });

  constructor(
    private state: State,
    study: Study,
    cells: number[],
  ) {
    const metric = orderingMetric(study);
    this.order = metric ? `ordered by mean ${metric.name}` : "in the order of the study";
    for (const cell of cells) {
      const { label, control } = study.cells[cell]!;
      const chip = h("button", { type: "button", class: "examples-chip", "aria-pressed": "false", onclick: () => this.toggle(label) }, h("bdi", null, label), control && h("small", null, " control"));
      this.chips.set(label, chip);
    }
    const missing = study.cells.length - cells.length;
    const search = h("input", { type: "search", placeholder: "Search cells", "aria-label": "Search cells", oninput: () => this.narrow(search.value) }) as HTMLInputElement;
    this.element = h(
      "div",
      { class: "examples-cells", role: "group", "aria-label": "Cells side by side" },
      h(
        "div",
        { class: "examples-options" },
        h("strong", null, "Cells"),
        this.summary,
        cells.length > MANY && search,
        h("button", { type: "button", onclick: () => state.set({ cells: null }) }, "First four"),
        h("button", { type: "button", onclick: () => state.set({ cells: State.joined(this.chips.keys()) }) }, "All"),
        missing > 0 && h("span", { class: "examples-caption" }, `${plural(missing, "cell")} without maps: skipped or failed`),
      ),
      h("div", { class: "examples-chips" }, [...this.chips.values()]),
    );
  }

  show(chosen: string[]): void {
    this.chosen = chosen;
    for (const [label, chip] of this.chips) chip.setAttribute("aria-pressed", String(chosen.includes(label)));
    this.summary.textContent = `${chosen.length} of ${this.chips.size} shown, ${this.order}`;
  }

  /** The last cell stays: a view without a map has nothing to show. */
  private toggle(label: string): void {
    const others = this.chosen.filter((each) => each !== label);
    const next = others.length < this.chosen.length ? others : [...this.chosen, label];
    if (next.length) this.state.set({ cells: State.joined(next) });
  }

  private narrow(query: string): void {
    const words = query.toLowerCase().split(/\s+/);
    for (const [label, chip] of this.chips) chip.hidden = !words.every((word) => label.toLowerCase().includes(word));
  }
}
