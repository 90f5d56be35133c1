/** The answer: what was asked, what the tests show, the table of all cells and metrics, what to do next. */

import { define } from "../define";
import { h } from "../dom";
import type { Study } from "../document/types";
import { Section } from "../section";
import { heatTable } from "./heat_table";

export class AnswerSection extends Section {
  readonly keys = [];

  draw(): void {
    const { answer, problems } = this.study;
    this.replaceChildren(
      h("p", { class: "lead" }, answer.asked),
      answer.performance ? h("p", null, h("strong", null, "Model: "), answer.performance, " on the explained examples.") : "",
      this.study.clusters ? h("p", null, this.study.clusters) : "",
      answer.claim ? h("p", { class: "claim" }, answer.claim) : "",
      this.verdicts(),
      heatTable(this.study, this.context.state),
      answer.hints.length ? h("section", null, h("h2", null, "What to do next"), h("ul", null, answer.hints.map((hint) => h("li", null, hint)))) : "",
      problems.length ? problemList(this.study) : "",
    );
  }

  private verdicts(): HTMLElement {
    const { verdicts } = this.study.answer;
    if (!verdicts.length) return h("p", null, "This study has no metric that ranks its cells.");
    return h(
      "section",
      null,
      h("h2", null, "What the tests show"),
      h(
        "dl",
        { class: "verdicts" },
        verdicts.flatMap((verdict) => [
          h("dt", null, h("a", { href: "#", onclick: (event: Event) => this.open_metric(event, verdict.metric) }, verdict.metric)),
          h("dd", { class: verdict.refused ? "refused" : "" }, sentences(verdict.brief)),
        ]),
      ),
    );
  }

  private open_metric(event: Event, metric: string): void {
    event.preventDefault();
    this.context.state.set({ section: "metrics", metric });
  }
}

/** A verdict's parts, one a line; the first in bold. */
export function sentences(verdict: string): HTMLElement[] {
  return verdict.split("; ").map((part, i) => h("span", { class: i ? "part" : "part first" }, part + (i === verdict.split("; ").length - 1 ? "." : ";")));
}

export function problemList(study: Study): HTMLElement {
  return h(
    "section",
    { class: "problems" },
    h("h2", null, "Notes and problems"),
    study.problems.map((problem) =>
      h(
        "details",
        { class: problem.severe ? "problem severe" : "problem", open: problem.severe || problem.title === "Read this first" },
        h("summary", null, problem.title),
        problem.rows.filter(([name]) => !name).map(([, text]) => h("p", null, text)),
        h("dl", null, problem.rows.filter(([name]) => name).flatMap(([name, text]) => [h("dt", null, name), h("dd", null, text)])),
        problem.tracebacks.map(([name, text]) => h("details", null, h("summary", null, name), h("pre", { tabindex: "0" }, text))),
      ),
    ),
  );
}

define("xai-answer", AnswerSection);
