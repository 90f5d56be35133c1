/** Buttons that copy a table as CSV, Markdown or LaTeX. */

import { h } from "../dom";
import { copy } from "./leaving";
import { csv, latex, markdown, type Value } from "./markup";

/** The rows of a table: exact for CSV, as they are shown for Markdown and LaTeX. */
export interface Leaving {
  exact: Value[][];
  shown: Value[][];
}

export function copyTools(names: string[], rows: () => Leaving, caption: string): HTMLElement {
  const status = h("span", { class: "table-status", "aria-live": "polite" });
  const formats: [string, () => string][] = [
    ["CSV", () => csv(names, rows().exact)],
    ["Markdown", () => markdown(names, rows().shown, caption)],
    ["LaTeX", () => latex(names, rows().shown, caption)],
  ];
  const tools = formats.map(([name, text]) =>
    h("button", { type: "button", title: `copy the table as ${name}`, onclick: () => void copy(text()).then((told) => (status.textContent = told)) }, name),
  );
  return h("div", { class: "table-tools" }, tools, status);
}
