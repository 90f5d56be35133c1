/** What several studies show together: means of every metric, verdicts over seeds, agreement, sources of variance. */

import { sentences } from "../answer/section";
import { chart } from "../charts/chart";
import { define } from "../define";
import type { Comparison } from "../document/types";
import { h } from "../dom";
import { DASH, number } from "../format";
import { Section } from "../section";
import { table, type Cell } from "../tables/table";
import { acrossRows, panels, varying } from "./rows";

/** Most studies of one chart. */
const MOST = 8;

export class AcrossSection extends Section {
  readonly keys = ["metric", "across.facet"];

  draw(): void {
    const { across, studies } = this.context.content.document;
    if (!across) return;
    const chosen = across.comparisons.find((each) => each.metric === this.context.state.get("metric")) ?? across.comparisons[0];
    this.replaceChildren(
      h(
        "section",
        null,
        h("h2", null, "Studies"),
        h(
          "div",
          { class: "scroll", tabindex: "0", role: "region", "aria-label": "studies" },
          h(
            "table",
            null,
            h("thead", null, h("tr", null, ["study", "model", "dataset", "seed", "status", "cells", "accuracy or the like"].map((name) => h("th", { scope: "col" }, name)))),
            h(
              "tbody",
              null,
              studies.map((study, i) =>
                h(
                  "tr",
                  null,
                  h("th", { scope: "row" }, h("a", { href: "#", onclick: (event: Event) => this.open_study(event, i) }, `${i + 1}. ${study.folder}`)),
                  [study.model, study.dataset, study.seed, study.status].map((text) => h("td", null, text || DASH)),
                  h("td", { class: "n" }, study.cells.filter((cell) => cell.status === "done").length),
                  h("td", null, study.answer.performance || DASH),
                ),
              ),
            ),
          ),
        ),
      ),
      chosen ? this.charts(chosen) : "",
      chosen ? this.comparison(chosen) : h("p", null, "These studies have no scores."),
      across.pooled.length
        ? h(
            "section",
            null,
            h("h2", null, "Over seeds"),
            h("p", { class: "soft" }, "Studies that differ in their seeds alone. The value of an example is its mean over the seeds; intervals are for other examples and other seeds."),
            across.pooled.map((each) =>
              h(
                "details",
                { open: each.metric.startsWith(`${chosen?.metric},`) },
                h("summary", null, each.metric),
                h("p", null, sentences(each.sentence)),
                rows(each.metric, ["method / baseline", "mean", "95 % interval"], each.rows),
              ),
            ),
          )
        : "",
      ...across.agreement.map((each) =>
        h(
          "section",
          null,
          h("h2", null, `Agreement across ${each.differ}`),
          h("p", { class: "soft" }, `Rank correlation of the maps of each cell with its own maps in studies that differ in their ${each.differ} alone; mean over examples with its 95 % interval.`),
          rows(`agreement across ${each.differ}`, ["method / baseline", "mean", "95 % interval", "examples (pairs of studies)"], each.rows),
        ),
      ),
      across.sources.length
        ? h(
            "section",
            null,
            h("h2", null, "Where differences come from"),
            h("p", { class: "soft" }, "Shares of the variance between the mean scores, without controls, less what sampling noise adds. In brackets: 95 % bootstrap intervals over examples."),
            h("dl", { class: "glossary" }, across.sources.flatMap(([metric, sentence]) => [h("dt", null, metric), h("dd", null, sentence)])),
          )
        : "",
    );
  }

  private open_study(event: Event, place: number): void {
    event.preventDefault();
    this.context.state.set({ section: "answer", study: place ? String(place) : null });
  }

  private charts(chosen: Comparison): HTMLElement {
    const { across, studies } = this.context.content.document;
    const { state } = this.context;
    const factors = varying(studies);
    const facet = factors.find((factor) => factor === state.get("across.facet")) ?? null;
    const higher = chosen.direction.startsWith("higher") ? true : chosen.direction.startsWith("lower") ? false : null;
    const metrics = h(
      "select",
      { onchange: (event: Event) => state.set({ metric: (event.target as HTMLSelectElement).value }) },
      across!.comparisons.map((each) => h("option", { value: each.metric, ".selected": each === chosen }, each.metric)),
    );
    const facets = h(
      "select",
      { onchange: (event: Event) => state.set({ "across.facet": (event.target as HTMLSelectElement).value || null }) },
      h("option", { value: "" }, "nothing"),
      factors.map((factor) => h("option", { value: factor, ".selected": factor === facet }, factor)),
    );
    return h(
      "section",
      null,
      h("h2", null, `${chosen.metric} in all studies`),
      h("p", null, h("label", null, "Metric ", metrics), " ", factors.length ? h("label", null, "Panels by ", facets) : null),
      panels(studies, facet).map(([level, members]) =>
        members.length > MOST
          ? h("p", null, `${level ? `${facet} ${level}: ` : ""}${members.length} studies are too many for one chart; the table below has them all.`)
          : h(
              "div",
              { class: "across-panel" },
              level ? h("h3", null, `${facet} ${level}`) : null,
              chart(this.context, "across", acrossRows(chosen, higher, studies, members), {
                label: `Means of ${chosen.metric} for every cell in ${members.length} studies${level ? ` with ${facet} ${level}` : ""}`,
                caption: "Mean over examples with its marginal 95 % interval, which is for other examples of the same study. Overlap of intervals is no test.",
                most: 900,
                file: `across_${chosen.metric}${level ? `_${level}` : ""}`,
              }),
            ),
      ),
    );
  }

  private comparison(chosen: Comparison): HTMLElement {
    const { studies } = this.context.content.document;
    return h(
      "section",
      null,
      h("h2", null, "Means by study"),
      h("p", null, `${chosen.metric}, ${chosen.direction}. ★: no cell of this study is significantly better.`),
      table({
        caption: `${chosen.metric} by study`,
        columns: [{ name: "method / baseline" }, ...studies.map((study, i) => ({ name: String(i + 1), title: study.name })), { name: "★ in" }],
        rows: chosen.rows.map((row) => [
          row.cell,
          ...row.means.map((mean, i) => ({ value: mean, text: `${number(mean)}${row.best[i] ? " ★" : ""}` })),
          `${row.best.filter(Boolean).length} of ${row.means.length}`,
        ]),
      }),
    );
  }
}

function rows(caption: string, names: string[], values: string[][]): HTMLElement {
  return table({ caption, columns: names.map((name) => ({ name })), rows: values.map((row) => row.map((value, i) => (i ? number_of(value) : value))) });
}

/** A printed number as it sorts; other texts as they are. */
function number_of(text: string): Cell {
  const value = text === DASH ? null : Number(text);
  return value === null || (text !== "" && !Number.isNaN(value)) ? { value, text: text || DASH } : text || DASH;
}

define("xai-across", AcrossSection);
