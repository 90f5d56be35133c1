/** All cells and metrics in one table: means with letters and sets of ranks, shaded between the worst and best mean. */

import { h } from "../dom";
import type { Mean, Metric, Study } from "../document/types";
import { number } from "../format";
import type { State } from "../state";
import type { Value } from "../tables/markup";
import { copyTools, type Leaving } from "../tables/tools";

/** How far a mean lies from the worst to the best of its metric, 0 to 1; null where nothing is ranked. */
export function shade(metric: Metric, mean: Mean): number | null {
  if (metric.higher === null || mean.mean === null) return null;
  const means = metric.means.flatMap((each) => (each.mean === null ? [] : [each.mean]));
  const [low, high] = [Math.min(...means), Math.max(...means)];
  if (low === high) return null;
  const share = (mean.mean - low) / (high - low);
  return metric.higher ? share : 1 - share;
}

/** The cells in the order of their mean shade over all metrics: an order for reading, which no test supports. */
export function reading_order(study: Study): number[] {
  const shades = study.cells.map(() => [] as number[]);
  for (const metric of study.metrics) {
    for (const mean of metric.means) {
      const value = shade(metric, mean);
      if (value !== null) shades[mean.cell]!.push(value);
    }
  }
  const average = shades.map((values) => (values.length ? values.reduce((a, b) => a + b) / values.length : -1));
  return study.cells.map((_, i) => i).filter((i) => study.cells[i]!.status === "done").sort((a, b) => average[b]! - average[a]! || a - b);
}

export function heatTable(study: Study, state: State): HTMLElement {
  if (!study.metrics.length) return h("p", null, "This study has no scores.");
  const table = h(
    "table",
    { class: "heat" },
    h("caption", null, "Means of all cells"),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "method / baseline"), study.metrics.map((metric) => head(metric, state)))),
    h("tbody", null, reading_order(study).map((cell) => row(study, cell))),
  );
  const family = study.made.families === "all" ? "over all metrics" : "within one metric, not over metrics";
  return h(
    "section",
    { class: "answer-table" },
    h("h2", null, "Methods and metrics"),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "means of all cells" }, table),
    copyTools(names(study), () => leaving(study), "Means of all cells, with letters"),
    h(
      "p",
      { class: "soft" },
      `Letters: two cells of a metric that share no letter differ significantly (paired tests, 5 % family-wise ${family}); cells that share one are not shown to be equal. `,
      "In brackets: the ranks that the tests leave possible; ★ where rank 1 is among them. Shade: the mean between the worst (none) and the best (full) of its metric. The order of the rows is for reading and not tested.",
    ),
  );
}

function names(study: Study): string[] {
  return ["method / baseline", ...study.metrics.flatMap((metric) => [metric.name, `${metric.name} letters`])];
}

function leaving(study: Study): Leaving {
  const rows = (value: (mean: Mean) => Value): Value[][] =>
    reading_order(study).map((cell) => [
      study.cells[cell]!.label,
      ...study.metrics.flatMap((metric) => {
        const mean = metric.means.find((each) => each.cell === cell);
        return mean ? [value(mean), mean.letters] : [null, ""];
      }),
    ]);
  return { exact: rows((mean) => mean.mean), shown: rows((mean) => number(mean.mean)) };
}

function head(metric: Metric, state: State): HTMLElement {
  const arrow = metric.higher === null ? "" : metric.higher ? " ↑" : " ↓";
  const words = metric.higher === null ? "descriptive, not ranked" : metric.higher ? "higher is better" : "lower is better";
  const open = (event: Event): void => {
    event.preventDefault();
    state.set({ section: "metrics", metric: metric.name });
  };
  return h("th", { scope: "col", class: "n", title: `${metric.summary}; ${words}` }, h("a", { href: "#", onclick: open }, metric.name), arrow && h("span", { role: "img", "aria-label": words }, arrow));
}

function row(study: Study, place: number): HTMLElement {
  const cell = study.cells[place]!;
  return h(
    "tr",
    { class: cell.control ? "control" : "" },
    h("th", { scope: "row" }, cell.label, cell.control ? h("span", { class: "tag" }, "control") : null),
    study.metrics.map((metric) => {
      const mean = metric.means.find((each) => each.cell === place);
      if (!mean || mean.mean === null) return h("td", { class: "n undefined", title: "undefined" }, "–");
      const value = shade(metric, mean);
      const ranks = mean.ranks ? ` [${mean.ranks[0] === mean.ranks[1] ? mean.ranks[0] : `${mean.ranks[0]} to ${mean.ranks[1]}`}]` : "";
      const interval = mean.low === null ? "" : `; 95 % interval of this mean ${number(mean.low)} to ${number(mean.high)}; n ${mean.n}`;
      return h(
        "td",
        { class: "n", style: value === null ? {} : { "--shade": value.toFixed(3) }, title: `${cell.label}, ${metric.name}: ${number(mean.mean)}${interval}` },
        h("span", { class: "mean" }, number(mean.mean)),
        " ",
        h("span", { class: "letters" }, mean.letters),
        " ",
        h("span", { class: "ranks" }, ranks.trim(), mean.best ? " ★" : ""),
        mean.undefined > 0 ? [" ", h("span", { class: "few" }, `n ${mean.n}`)] : null,
      );
    }),
  );
}
