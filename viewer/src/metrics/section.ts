/** The section on metrics: one metric at a time, its verdict, the table of means, and its charts. */

import { sentences } from "../answer/section";
import { chart, type ChartName, type ChartOptions, type Row } from "../charts/chart";
import { define } from "../define";
import { pairsOf, type Pair } from "../document/access";
import type { Mean, Metric } from "../document/types";
import { h } from "../dom";
import { DASH, interval, number, plural } from "../format";
import { Section } from "../section";
import { table, type Cell } from "../tables/table";
import { costRows } from "./cost";
import { curveRows } from "./curves";
import { classRows, differenceRows, intervalRows, letterRows, outcomeRows, rankRows, unitsOf, winRows } from "./rows";

/** Most cells of a chart; of more, those with the best means or those that are chosen. */
const MOST = 40;
const FEW_PAIRS = 6; // that are shown at once unless more are asked for
const ROW_WIDTH = 35; // pixels of a column of a matrix
const NAMES = 270; // pixels of the names beside it, and of those that reach beyond its last column

export class MetricsSection extends Section {
  override readonly keys = ["metric", "metrics_pairs", "cells"];

  override draw(changed: Set<string>): void {
    const { metrics, cells } = this.study;
    this.classList.add("metrics");
    const metric = metrics.find((each) => each.name === this.context.state.get("metric")) ?? metrics[0];
    if (!metric) {
      this.replaceChildren(h("p", null, "This study has no scores."));
      return;
    }
    if (changed.size && !changed.has("metric") && !changed.has("metrics_pairs") && cells.length <= MOST) return;
    const focused = changed.size ? (this.querySelector<HTMLElement>(":focus")?.id ?? "") : "";
    this.replaceChildren(this.picker(metric), h("h2", null, `${metric.name}${arrow(metric)}`), ...this.words(metric), this.means(metric), this.charts(metric));
    if (focused) this.querySelector<HTMLElement>(`#${CSS.escape(focused)}`)?.focus();
  }

  private picker(metric: Metric): HTMLElement {
    const { state } = this.context;
    const choose = (event: Event): void => state.set({ metric: (event.target as HTMLSelectElement).value });
    return h(
      "p",
      { class: "metrics-picker" },
      h("label", { for: "metrics-metric" }, "Metric "),
      h(
        "select",
        { id: "metrics-metric", onchange: choose },
        this.study.metrics.map((each) => h("option", { value: each.name, ".selected": each === metric }, `${each.name}${arrow(each)}`)),
      ),
    );
  }

  private words(metric: Metric): HTMLElement[] {
    const facts = [metric.summary, direction(metric), bounds(metric), metric.unit && `in ${metric.unit}`];
    const removal = this.study.removals.find((each) => metric.name === each.metric || metric.name.startsWith(`${each.metric}@`));
    return [
      h("p", { class: "metrics-summary" }, facts.filter(Boolean).join("; ") + "."),
      ...(metric.verdict ? [h("p", { class: metric.refused ? "metrics-verdict metrics-refused" : "metrics-verdict" }, sentences(metric.verdict))] : []),
      ...(metric.shift ? [h("p", { class: "metrics-note" }, metric.shift)] : []),
      ...(removal ? [h("p", { class: "metrics-note" }, `${removal.sentence} Distance to the data: ${removal.distances.map(([name, distance]) => `${name} ${distance}`).join(", ")}.`)] : []),
    ];
  }

  private means(metric: Metric): HTMLElement {
    const { unit, cells } = this.study;
    const ranked = metric.means.some((mean) => mean.letters);
    const undefinedThere = metric.means.some((mean) => mean.undefined > 0);
    const columns = [
      { name: "method / baseline" },
      { name: "mean" },
      { name: "95 % interval", title: `marginal: of this mean alone, for other ${unit}` },
      ...(ranked ? [{ name: "letters", title: "cells that share no letter differ significantly" }, { name: "ranks", title: "that the tests leave possible" }] : []),
      { name: "n", title: unit },
      ...(undefinedThere ? [{ name: "undefined", title: "scores left out, and the mean if they were all the worst or all the best" }] : []),
    ];
    const rows = metric.means.map((mean): Cell[] => [
      { value: cells[mean.cell]!.label, class: mean.best ? "table-best" : "" },
      { value: mean.mean, class: mean.best ? "table-best" : "" },
      { value: mean.low, text: interval(mean.low, mean.high) },
      ...(ranked ? [mean.letters || DASH, { value: mean.ranks?.[0] ?? null, text: ranks(mean) }] : []),
      mean.n,
      ...(undefinedThere ? [{ value: mean.undefined, text: undefinedText(mean) }] : []),
    ]);
    const letters = ranked
      ? " Cells that share no letter differ significantly; sharing a letter does not show that two are equal. Bold: no cell is shown to be better."
      : "";
    return table({ caption: `${metric.name}: means over ${unit}, each with its own 95 % interval for other ${unit}.${letters}`, columns, rows });
  }

  /** The cells of the charts, best mean first. */
  private order(metric: Metric): { order: number[]; left: string } {
    const all = metric.means.filter((mean) => mean.mean !== null).map((mean) => mean.cell);
    if (all.length <= MOST) return { order: all, left: "" };
    const chosen = new Set(this.context.state.list("cells"));
    const picked = all.filter((cell) => chosen.has(this.study.cells[cell]!.label));
    if (picked.length > 1) return { order: picked.slice(0, MOST), left: ` ${picked.length} chosen of ${all.length} cells.` };
    return { order: all.slice(0, MOST), left: ` The ${MOST} of ${all.length} cells with the best means.` };
  }

  private charts(metric: Metric): HTMLElement {
    const { study, context } = this;
    const { content } = context;
    const { order, left } = this.order(metric);
    const pairs = pairsOf(content, metric);
    const units = study.unit;
    const grid = h("div", { class: "metrics-grid" });
    const card = (title: string, name: ChartName, rows: Row[], caption: string, options: Partial<ChartOptions> = {}, ...more: Node[]): void => {
      if (!rows.length) return;
      const file = `${study.name} ${metric.name} ${name}`;
      const label = `${title}, ${metric.name}. ${caption}`;
      const figure = chart(context, name, rows, { label, caption: caption + left, file, ...options });
      grid.append(h("section", { class: `metrics-card metrics-${name}` }, h("h3", null, title), ...more, figure));
    };
    const square = { fewest: NAMES + order.length * ROW_WIDTH, most: NAMES + Math.max(5, order.length) * 80 };

    const intervals = intervalRows(study, metric, order);
    const floor = intervals.some((row) => row["control"]) ? " Dashed: the means of controls, which every explanation should be better than." : "";
    const best = intervals.some((row) => row["best"]) ? " Blue diamonds: no cell is shown to be better." : "";
    card("Means", "intervals", intervals, `Mean over ${units} with its marginal 95 % interval, for other ${units}.${best}${floor}`);
    const letters = letterRows(study, metric, order);
    const width = NAMES + 46 * new Set(letters.map((row) => row["letter"])).size;
    card("Letters", "letters", letters, "A bar for each letter over the cells that carry it. Cells that share no letter differ significantly; sharing a letter does not show that two are equal.", { fewest: width });
    const rates = winRows(content, study, metric, pairs, order);
    const n = Math.max(0, ...rates.map((row) => Number(row["n"])));
    card("Win rates", "win_rates", rates, `Share of ${plural(n, unitName(units), units)} on which the cell of the row is better than that of the column; equal scores are no win.`, square);
    this.differences(metric, pairs, order, card);
    this.cost(metric, card);
    const curves = curveRows(content, study, metric, order, unitsOf(study));
    card("Curves", "curves", curves, `Mean ${metric.curves?.unit ?? "score"} over the share of ${metric.curves?.over ?? "features"}, with pointwise normal 95 % bands of the mean for other ${units}.`);
    this.groups(metric, order, card);
    if (metric.ranks && metric.ranks.cells.length <= MOST) {
      const height = 46 + 24 * (Math.ceil(metric.ranks.cells.length / 2) + 1);
      const words = "Mean ranks; cells that a bar joins do not differ by Nemenyi's test. This is another test than that of the letters: it is of ranks, not of means.";
      card("Another test: Nemenyi's critical difference", "critical_difference", rankRows(study, metric.ranks), words, { height, fewest: 640, most: 900, parameters: { cells: metric.ranks.cells.length } });
    }
    return grid;
  }

  private differences(metric: Metric, pairs: Pair[], order: number[], card: Card): void {
    const all = differenceRows(this.study, metric, pairs, order);
    if (!all.length) return;
    const { state } = this.context;
    const first = this.study.cells[order.find((cell) => pairs.some(({ a, b }) => a === cell || b === cell)) ?? 0]!.label;
    const of = state.get("metrics_pairs") || (all.length > FEW_PAIRS ? first : "all");
    const rows = of === "all" ? all.slice(0, 300) : all.filter((row) => row["a"] === of || row["b"] === of).map((row) => turned(row, of));
    const names = [...new Set(all.flatMap((row) => [String(row["a"]), String(row["b"])]))];
    const picker = h(
      "p",
      { class: "metrics-picker" },
      h("label", { for: "metrics-pairs" }, "Pairs "),
      h(
        "select",
        { id: "metrics-pairs", onchange: (event: Event) => state.set({ metrics_pairs: (event.target as HTMLSelectElement).value }) },
        h("option", { value: "all", ".selected": of === "all" }, `all ${all.length}`),
        names.map((name) => h("option", { value: name, ".selected": of === name }, `with ${name}`)),
      ),
    );
    const margin = metric.margin ? ` Equal: within the band of ±${number(metric.margin)}.` : "";
    const what = of === "all" ? "Difference of the means of two cells, the better mean first," : `Mean of ${of} less that of each other cell,`;
    const words = `${what} with 95 % intervals that hold for all pairs at once.${margin} Unknown: neither is shown.`;
    card("Differences", "differences", rows.map((row, place) => ({ ...row, place })), words, {}, ...(all.length > 1 ? [picker] : []));
  }

  private cost(metric: Metric, card: Card): void {
    if (metric.higher === null) return;
    const rows = costRows(this.study.cells, metric.means, metric.higher);
    if (rows.filter((row) => !row["control"]).length < 2) return;
    const lacking = metric.means.filter((mean) => mean.mean !== null).length - rows.length;
    const words = [
      "Mean over the passes that the attributions of a cell took. The line joins the Pareto front: no cell has as good a mean for fewer passes.",
      rows.some((row) => !row["passes"]) ? " Cells at the left edge had no passes of their own: they need none, or shared those of other cells." : "",
      lacking ? ` ${plural(lacking, "cell")} came from the store, so that no passes were counted.` : "",
    ];
    card("Quality and cost", "cost", rows, words.join(""));
  }

  private groups(metric: Metric, order: number[], card: Card): void {
    const { study } = this;
    const { content } = this.context;
    const plain = "Plain means over the examples of each group, without a test.";
    card("By right or wrong prediction", "groups", outcomeRows(content, study, metric, order), `${plain} The number of examples is in brackets.`);
    const { rows, by } = classRows(content, study, metric, order);
    const count = new Set(rows.map((row) => row["group"])).size;
    const width = { fewest: NAMES + count * ROW_WIDTH, most: NAMES + Math.max(4, count) * 80 };
    if (count <= MOST) card("By class", "group_means", rows, `${plain} Groups are by ${by}; the number of examples is in brackets.`, width);
  }
}

type Card = (title: string, name: ChartName, rows: Row[], caption: string, options?: Partial<ChartOptions>, ...more: Node[]) => void;

/** The row of a pair with `first` in front, named by the other cell. */
function turned(row: Row, first: string): Row {
  if (row["a"] === first) return { ...row, pair: row["b"]! };
  const [difference, low, high] = [row["difference"], row["high"], row["low"]].map((value) => -Number(value)) as [number, number, number];
  return { ...row, pair: row["a"]!, a: first, b: row["a"]!, difference, low, high };
}

function arrow(metric: Metric): string {
  return metric.higher === null ? "" : metric.higher ? " ↑" : " ↓";
}

function direction(metric: Metric): string {
  return metric.higher === null ? "descriptive, not ranked" : metric.higher ? "higher is better" : "lower is better";
}

function bounds({ bounds: [low, high] }: Metric): string {
  if (low === null && high === null) return "unbounded";
  return `${low === null ? "-∞" : number(low)} to ${high === null ? "∞" : number(high)}`;
}

function ranks(mean: Mean): string {
  if (!mean.ranks) return DASH;
  const [low, high] = mean.ranks;
  return low === high ? String(low) : `${low} to ${high}`;
}

function undefinedText(mean: Mean): string {
  return mean.range && mean.undefined ? `${mean.undefined} (mean ${number(mean.range[0])} to ${number(mean.range[1])})` : String(mean.undefined);
}

function unitName(units: string): string {
  return units.replace(/s$/, "");
}

define("xai-metrics", MetricsSection);
