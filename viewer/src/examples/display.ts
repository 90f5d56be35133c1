/** The display options of the maps. */

import { h } from "../dom";
import type { Study } from "../document/types";
import { State } from "../state";
import { DISPLAY_KEYS } from "./keys";
import { check, field, select, slider, type Field } from "./fields";
import { SCHEMES } from "./maps/colour";

export interface Offered {
  /** Whether the maps lie over pictures, so that they can be laid over them. */
  overlay: boolean;
  smooth: boolean;
  mask: boolean;
  /** Whether values are bars, whose scale is their largest, in place of colours. */
  bars: boolean;
}

export class DisplayOptions {
  readonly element: HTMLElement;
  private fields: Field[] = [];
  private ends: [HTMLSelectElement, HTMLSelectElement];

  constructor(
    private state: State,
    study: Study,
    cells: number[],
    offered: Offered,
    extras: HTMLElement[] = [],
  ) {
    const add = (name: string, control: Field) => {
      this.fields.push(control);
      return field(name, control);
    };
    const labels = cells.map((cell) => study.cells[cell]!.label);
    this.ends = ["Difference: first map", "Difference: second map"].map((name) => {
      const options = [h("option", { value: "" }, "none"), ...labels.map((label) => h("option", { value: label }, label))];
      return h("select", { "aria-label": name, onchange: () => this.choose() }, options) as HTMLSelectElement;
    }) as [HTMLSelectElement, HTMLSelectElement];
    this.element = h(
      "div",
      { class: "examples-display" },
      offered.overlay && add("Over the input", check(state, "ex.overlay")),
      offered.overlay && add("Opacity", slider(state, "ex.opacity", 80, " %", { min: 0, max: 100, step: 5 })),
      offered.mask && add("Ground truth", check(state, "ex.mask", true)),
      offered.bars && add("All columns", check(state, "ex.all")),
      ...extras,
      h(
        "details",
        { open: DISPLAY_KEYS.some((key) => state.get(key)) || Boolean(state.get("ex.minus")) },
        h("summary", null, "More display options"),
        h(
          "div",
          { class: "examples-options" },
          add("Sign", select(state, "ex.sign", [["", "all"], ["positive", "positive only"], ["negative", "negative only"], ["magnitude", "magnitude"]])),
          add("Colours", select(state, "ex.colours", SCHEMES.map((scheme, i): [string, string] => [i ? scheme.name : "", scheme.label]))),
          !offered.bars && add("Full colour at percentile", select(state, "ex.percentile", [["90", "90"], ["95", "95"], ["98", "98"], ["", "99"], ["99.5", "99.5"], ["100", "100 (largest)"]])),
          offered.smooth && add("Mean over blocks", select(state, "ex.block", [["", "none"], ...["2", "4", "8", "16", "32"].map((side): [string, string] => [side, `${side} × ${side}`])])),
          cells.length > 1 && h("div", { class: "examples-field", role: "group", "aria-label": "Difference of two maps" }, h("span", null, "Difference"), this.ends[0], h("span", null, "minus"), this.ends[1]),
        ),
        offered.smooth && h("p", { class: "examples-caption" }, "The mean over blocks is a display option: scores and agreements belong to the maps without it."),
      ),
    );
  }

  sync(): void {
    for (const each of this.fields) each.sync();
    const chosen = this.state.list("ex.minus");
    this.ends.forEach((end, i) => {
      end.value = chosen[i] ?? "";
      if (end.selectedIndex < 0) end.value = "";
    });
  }

  private choose(): void {
    const labels = this.ends.map((end) => end.value);
    this.state.set({ "ex.minus": labels.some(Boolean) ? State.joined(labels) : null });
  }
}
