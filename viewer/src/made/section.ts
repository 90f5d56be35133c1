/** How a study was made: facts, cost of the cells, components, configuration, and the command that repeats it. */

import { problemList } from "../answer/section";
import { h } from "../dom";
import { DASH, number } from "../format";
import { Section } from "../section";

export class MadeSection extends Section {
  readonly keys = [];

  draw(): void {
    const { made, cells } = this.study;
    this.replaceChildren(
      made.command ? h("section", null, h("h2", null, "The command that repeats it"), h("pre", { tabindex: "0" }, made.command)) : "",
      h("section", null, h("h2", null, "Facts"), h("dl", { class: "facts" }, made.facts.flatMap(([name, value]) => [h("dt", null, name), h("dd", null, value)]))),
      this.study.problems.length ? problemList(this.study) : "",
      h(
        "details",
        { open: true },
        h("summary", null, "Cost of each cell"),
        h(
          "div",
          { class: "scroll", tabindex: "0", role: "region", "aria-label": "cost of each cell" },
          h(
            "table",
            null,
            h("thead", null, h("tr", null, ["method / baseline", "status", "examples", "forward passes", "backward passes", "time", "peak memory", "from the store"].map((name, i) => h("th", { scope: "col", class: i > 1 && i < 7 ? "n" : "" }, name)))),
            h(
              "tbody",
              null,
              cells.map((cell) =>
                h(
                  "tr",
                  null,
                  h("th", { scope: "row" }, cell.label),
                  h("td", { title: cell.reason }, cell.status),
                  [cell.examples, cell.forward, cell.backward].map((value) => h("td", { class: "n" }, value === null ? DASH : value.toLocaleString("en"))),
                  h("td", { class: "n" }, cell.seconds === null ? DASH : `${number(cell.seconds)} s`),
                  h("td", { class: "n" }, cell.memory ? `${(cell.memory / 2 ** 20).toFixed(1)} MiB` : DASH),
                  h("td", null, cell.cached ? "yes" : "no"),
                ),
              ),
            ),
          ),
        ),
      ),
      h(
        "details",
        null,
        h("summary", null, "Methods, baselines, metrics and agreements"),
        made.glossary.map(({ kind, entries }) =>
          h(
            "section",
            null,
            h("h3", null, kind),
            h(
              "dl",
              { class: "glossary" },
              entries.flatMap((entry) => [
                h("dt", null, entry.label),
                h("dd", null, entry.summary, entry.details ? h("span", { class: "soft" }, ` ${entry.details}.`) : null, entry.source ? h("cite", { class: "soft" }, ` ${entry.source}`) : null),
              ]),
            ),
          ),
        ),
      ),
      h("details", null, h("summary", null, "Configuration"), made.config ? h("pre", { tabindex: "0" }, made.config) : h("p", null, "config.yaml is missing.")),
    );
  }
}

customElements.define("xai-made", MadeSection);
