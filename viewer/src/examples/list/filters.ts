/** The form above the list: search, filters, order, count, and what clears them. */

import { h } from "../../dom";
import type { Measure, Study } from "../../document/types";
import type { State } from "../../state";
import { className } from "../entries";
import { check, field, range, select, type Field } from "../fields";
import { cleared, FILTER_KEYS } from "../keys";

export class Filters {
  readonly element: HTMLElement;
  readonly search: HTMLInputElement;
  private count = h("p", { class: "examples-count", role: "status" });
  private clear: HTMLButtonElement;
  private order: HTMLSelectElement;
  private fields: Field[] = [];
  private more: HTMLDetailsElement;

  constructor(
    private state: State,
    study: Study,
    cells: number[],
    measure: Measure | null,
    private examples: number,
  ) {
    this.search = h("input", { type: "search", placeholder: "Search examples ( / )", "aria-label": "Search examples: names, classes, words, columns", "aria-keyshortcuts": "/", oninput: () => state.set({ "ex.q": this.search.value || null }) }) as HTMLInputElement;
    this.search.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      this.search.blur();
    });
    this.clear = h("button", { type: "button", onclick: () => state.set(cleared()) }, "Clear") as HTMLButtonElement;
    const agreement = measure ? `agreement of the chosen cells (${measure.name})` : "agreement of the chosen cells (cosine)";
    const add = (name: string, control: Field) => {
      this.fields.push(control);
      return field(name, control);
    };
    const classes = (of: number[]): [string, string][] => [["", "any"], ...[...new Set(of)].map((index) => className(study, index)).filter(Boolean).sort().map((name): [string, string] => [name, name])];
    const any = (of: number[]) => of.some((index) => index >= 0);
    const { rows } = study;
    const metrics = study.metrics.map((metric): [string, string] => [metric.name, metric.name]);
    const labels = cells.map((cell): [string, string] => [study.cells[cell]!.label, study.cells[cell]!.label]);
    const scored = metrics.length > 0 && labels.length > 0;
    const orders: [string, string, boolean][] = [
      ["study:", "order of the study", true],
      ["agreement:", `most disagreement first: ${agreement}`, cells.length > 1],
      ["agreement:1", "most agreement first", cells.length > 1],
      ["confidence:", "lowest probability first", rows.probability.some((value) => value !== null)],
      ["confidence:1", "highest probability first", rows.probability.some((value) => value !== null)],
      ["metric:", "lowest score first", scored],
      ["metric:1", "highest score first", scored],
    ];
    this.order = h("select", { onchange: () => this.sort() }, orders.filter(([, , offered]) => offered).map(([value, label]) => h("option", { value }, label))) as HTMLSelectElement;
    this.more = h(
      "details",
      { class: "examples-filters" },
      h("summary", null, "Filters and order"),
      any(rows.label) && add("Label", select(state, "ex.label", classes(rows.label))),
      any(rows.predicted) && add("Prediction", select(state, "ex.predicted", classes(rows.predicted))),
      rows.wrong.some((wrong) => wrong >= 0) && add("Right or wrong", select(state, "ex.outcome", [["", "any"], ["right", "right"], ["wrong", "wrong"]])),
      rows.probability.some((value) => value !== null) && add("Probability", range(state, "ex.confidence", "probability")),
      cells.length > 1 && add(agreement.replace(/^a/, "A"), range(state, "ex.agreement", agreement)),
      scored && add("Score: metric", select(state, "ex.metric", [["", metrics[0]![1]], ...metrics.slice(1)])),
      scored && add("Score: cell", select(state, "ex.cell", [["", "the first chosen cell"], ...labels])),
      scored && add("Score", range(state, "ex.value", "score")),
      h("label", { class: "examples-field" }, h("span", null, "Order"), this.order),
      add("Maps in the list (up to 12 cells)", check(state, "ex.maps")),
    ) as HTMLDetailsElement;
    this.more.open = this.isFiltered() || Boolean(state.get("ex.sort"));
    this.element = h("div", { class: "examples-form", role: "search", "aria-label": "Examples" }, this.search, h("div", { class: "examples-options" }, this.count, this.clear), this.more);
  }

  /** @param listed how many examples the filters leave. */
  sync(listed: number): void {
    if (this.search.value !== this.state.get("ex.q")) this.search.value = this.state.get("ex.q");
    for (const each of this.fields) each.sync();
    this.order.value = `${this.state.get("ex.sort", "study")}:${this.state.get("ex.down")}`;
    if (this.order.selectedIndex < 0) this.order.value = "study:";
    this.count.textContent = `${listed} of ${this.examples} ${this.examples === 1 ? "example" : "examples"}`;
    this.clear.hidden = !this.isFiltered() && !this.state.get("ex.sort");
  }

  private isFiltered(): boolean {
    return FILTER_KEYS.some((key) => this.state.get(key));
  }

  private sort(): void {
    const [sort, down] = this.order.value.split(":");
    this.state.set({ "ex.sort": sort === "study" ? null : sort!, "ex.down": down || null });
  }
}
