/** How a study was made: facts, cost of the cells, components, configuration, and the command that repeats it. */

import { problemList } from "../answer/section";
import { define } from "../define";
import { h } from "../dom";
import { DASH } from "../format";
import { Section } from "../section";
import { table } from "../tables/table";

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
        table({
          caption: "What the attributions of each cell cost",
          columns: ["method / baseline", "status", "examples", "forward passes", "backward passes", "seconds", "peak memory in MiB", "from the store"].map((name) => ({ name })),
          rows: cells.map((cell) => [
            cell.label,
            cell.reason ? `${cell.status}: ${cell.reason}` : cell.status,
            ...[cell.examples, cell.forward, cell.backward].map((value) => ({ value, text: value === null ? DASH : value.toLocaleString("en") })),
            cell.seconds,
            cell.memory ? { value: cell.memory / 2 ** 20, text: (cell.memory / 2 ** 20).toFixed(1) } : null,
            cell.cached ? "yes" : "no",
          ]),
        }),
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

define("xai-made", MadeSection);
