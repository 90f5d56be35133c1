/** One example large: its facts, the input, the maps of the chosen cells side by side, and their difference. */

import { h } from "../dom";
import { number } from "../format";
import type { Context } from "../section";
import type { Example, MapOf } from "../document/types";
import type { Entry, Values } from "./entries";
import { displayOf, zoomOf, zoomWords, type Display } from "./keys";
import type { Pictures } from "./list/thumbnail";
import { gradient, schemeOf } from "./maps/colour";
import { Stage } from "./maps/stage";
import { difference, type Shown } from "./maps/values";
import { jointOrder } from "./panels/bars";
import { continuedLine, continuedMatrix } from "./panels/continued";
import { breakable, panel, type Content, type Scene } from "./panels/panel";
import { domainOf, isSmoothed, shownMap, type Domain } from "./panels/shown";
import { whenVisible } from "./visible";

/** More panels than these are made one by one, as they come near the screen. */
const AT_ONCE = 13;

export class Large {
  readonly element = h("div", { class: "examples-large" });
  private heading = h("div", { class: "examples-heading" });
  private legend = h("div", { class: "examples-legends" });
  private panels = h("div", { class: "examples-panels" });
  private matrix = h("div");
  /** Where the display options go. */
  readonly options = h("div");
  private hint = h("p", { class: "examples-caption" }, "Drag to move an enlarged panel; double-click, or Ctrl and the wheel, to enlarge; Shift and arrows read single values of a panel in focus, + and − enlarge it.");
  private live: HTMLElement | null = null;
  private stage: Stage;

  constructor(
    private context: Context,
    private values: Values,
    private pictures: Pictures,
    chips: HTMLElement,
    private step: (by: number) => void,
  ) {
    this.stage = this.newStage();
    this.element.append(this.heading, chips, this.options, this.legend, this.panels, this.matrix, this.hint);
    if (context.live) this.element.append((this.live = h("div", { class: "examples-live" })));
  }

  /** Show the zoom of the state, where another than the reader's own is wanted. */
  zoom(): void {
    const wanted = zoomOf(this.context.state);
    if (zoomWords(wanted) !== zoomWords(this.stage.zoom)) this.stage.show(wanted, false);
  }

  /** @param place where the example stands among those that the filters leave, such as `3 of 12`. */
  show(entry: Entry, example: Example, cells: number[], place: string): void {
    this.stage = this.newStage();
    const display = displayOf(this.context.state);
    const scheme = schemeOf(display.colours);
    const picture = this.pictures.load(example);
    const { study } = this.values;
    const kind = domainOf(null, example, study.modality);
    const shown = new Map<number, { map: MapOf; domain: Domain; shown: Shown }>();
    const chosen = new Set([...cells, ...this.ends()]);
    for (const cell of chosen) {
      const map = example.maps[cell];
      if (!map) continue;
      const domain = domainOf(map, example, study.modality);
      shown.set(cell, { map, domain, shown: shownMap(map, this.values.map(map), domain, display) });
    }
    const features = cells.flatMap((cell) => (shown.get(cell)?.domain === "columns" ? [shown.get(cell)!.shown.values] : []));
    const order = jointOrder(features);
    const scene: Scene = { values: this.values, example, display, scheme, stage: this.stage, picture, order };
    const contents = cells.map((cell): Content => this.ofCell(cell, example, shown.get(cell) ?? null, display));
    const input: Content = { title: "input", map: null, shown: null, caption: maskWords(example, display), note: "", scores: [] };
    const hasInput = kind !== "columns" && (example.picture || example.tokens || example.series);
    const between = this.difference(shown);
    this.head(entry, example, place);
    this.explain([...shown.values()], display);
    this.panels.className = `examples-panels examples-of-${kind}`;
    const all = [...(hasInput ? [input] : []), ...contents, ...(between ? [between] : [])];
    this.panels.replaceChildren(...all.map((content) => (all.length > AT_ONCE ? later(() => framed(scene, content)) : framed(scene, content))));
    this.matrix.replaceChildren(...this.matrices(entry, cells, display));
    this.mount(example, cells);
  }

  nothing(words: string): void {
    this.heading.replaceChildren(h("p", null, words));
    this.legend.replaceChildren();
    this.panels.replaceChildren();
    this.matrix.replaceChildren();
  }

  private newStage(): Stage {
    const { state } = this.context;
    return new Stage(zoomOf(state), (zoom) => state.set({ "ex.zoom": zoomWords(zoom) }));
  }

  private ends(): number[] {
    const cells = this.context.state.list("ex.minus").map((label) => this.values.study.cells.findIndex((cell) => cell.label === label));
    return cells.length === 2 && cells.every((cell) => cell >= 0) ? cells : [];
  }

  private ofCell(cell: number, example: Example, drawn: { map: MapOf; domain: Domain; shown: Shown } | null, display: Display): Content {
    const { label } = this.values.study.cells[cell]!;
    const scores = this.values.scores(cell, example.row);
    if (!drawn) return { title: label, map: null, shown: null, caption: "", note: "no map of this example", scores };
    const { full, values } = drawn.shown;
    const undefinedCount = values.reduce((count, value) => count + Number(!Number.isFinite(value)), 0);
    const caption = undefinedCount === values.length ? "undefined" : full > 0 ? `full colour: ${number(full)}${undefinedCount ? "; grey: undefined" : ""}` : "zero everywhere";
    const isBars = drawn.domain === "columns" || drawn.domain === "units";
    const smoothed = display.block > 1 && drawn.map.shape.length === 2 ? `mean over blocks of ${display.block} × ${display.block}` : "";
    return { title: label, map: drawn.map, shown: drawn.shown, caption: [isBars && full > 0 ? "" : caption, smoothed].filter(Boolean).join("; "), note: drawn.map.note, scores };
  }

  private difference(shown: Map<number, { map: MapOf; shown: Shown }>): Content | null {
    const [first, second] = this.ends();
    if (first === undefined || second === undefined) return null;
    const [a, b] = [first, second].map((cell) => this.values.study.cells[cell]!.label) as [string, string];
    const title = `${a} minus ${b}`;
    const [one, other] = [shown.get(first), shown.get(second)];
    const sameKind = one && other && Boolean(one.map.units) === Boolean(other.map.units) && !one.map.units;
    const between = sameKind ? difference(one.shown, other.shown) : null;
    if (!between) return { title, map: null, shown: null, caption: "", note: "these two maps have no places in common", scores: [] };
    const magnitudes = one!.shown.signed && other!.shown.signed ? "" : " of magnitudes, since one of them has no sign";
    return { title, map: { ...one!.map, shape: between.shape }, shown: between, caption: `difference${magnitudes}, each map scaled to its full colour`, note: "", scores: [] };
  }

  private head(entry: Entry, example: Example, place: string): void {
    const button = (by: number, label: string, sign: string) => h("button", { type: "button", "aria-label": label, "aria-keyshortcuts": by < 0 ? "ArrowLeft" : "ArrowRight", onclick: () => this.step(by) }, sign);
    const targets = entry.targets.length > 1 && this.targets(entry, example);
    const facts = example.facts.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, h("bdi", null, value))));
    const isZoomed = isSmoothed(domainOf(null, example, this.values.study.modality));
    const focused = focusedLabel(this.heading);
    this.heading.replaceChildren(
      h("div", { class: "examples-options" }, button(-1, "previous example", "←"), button(1, "next example", "→"), h("h2", null, h("bdi", null, example.name)), example.wrong && h("span", { class: "examples-wrong" }, "misclassified"), h("span", { class: "examples-caption", role: "status" }, place)),
      h("dl", { class: "examples-facts" }, facts),
    );
    const continued = continuedLine(example, entry.targets, (target) => this.pick(entry, target.target));
    if (continued) this.heading.append(continued);
    else if (targets) this.heading.append(targets);
    this.hint.hidden = !isZoomed;
    if (focused) this.heading.querySelector<HTMLElement>(`[aria-label="${focused}"]`)?.focus();
  }

  private pick(entry: Entry, target: number): void {
    this.context.state.set({ example: entry.id, "ex.target": target === entry.targets[0].target ? null : String(target) });
  }

  /** Of the first chosen cell, where each token of a continuation is explained by itself. */
  private matrices(entry: Entry, cells: number[], display: Display): HTMLElement[] {
    const [cell] = cells;
    if (cell === undefined || !entry.targets[0].continued) return [];
    const shown = (target: Example) => {
      const map = target.maps[cell];
      return map ? shownMap(map, this.values.map(map), domainOf(map, target, this.values.study.modality), display) : null;
    };
    const made = continuedMatrix(entry.targets, shown, schemeOf(display.colours), this.values.study.cells[cell]!.label);
    return made ? [made] : [];
  }

  private targets(entry: Entry, example: Example): HTMLElement {
    const pick = (target: number) => this.pick(entry, target);
    const chips = entry.targets.map((each) => h("button", { type: "button", class: "examples-chip", "aria-pressed": String(each === example), "aria-label": `target ${each.target}: ${each.target_name}`, onclick: () => pick(each.target) }, h("bdi", null, each.target_name || `target ${each.target}`)));
    return h("div", { class: "examples-chips", role: "group", "aria-label": "Target" }, h("span", { class: "examples-caption" }, "explained target"), chips);
  }

  zoomButtons(): HTMLElement {
    const button = (label: string, sign: string, factor: number) => h("button", { type: "button", "aria-label": label, onclick: () => this.stage.enlarge(factor) }, sign);
    return h(
      "div",
      { class: "examples-field", role: "group", "aria-label": "Zoom of all panels" },
      h("span", null, "Zoom"),
      button("enlarge all panels", "+", 1.5),
      button("reduce all panels", "−", 1 / 1.5),
      h("button", { type: "button", title: "show all of it", onclick: () => this.stage.enlarge(0) }, "whole"),
    );
  }

  private explain(drawn: { shown: Shown; map: MapOf }[], display: Display): void {
    const scheme = schemeOf(display.colours);
    const scale = (signed: boolean) => h("span", { class: "examples-scale", style: { background: gradient(scheme, signed) } });
    const any = (signed: boolean) => drawn.some((each) => each.shown.signed === signed);
    const rounded = drawn.some(({ map }) => map.values.kind === "int8" || map.values.kind === "uint8");
    const isBars = drawn.length > 0 && drawn.every(({ shown }) => shown.shape.length === 1) && this.values.study.modality === "table";
    const words = isBars
      ? "The columns have one order for all cells: by mean magnitude over the chosen cells, each on its own scale. Compare columns within a cell, not lengths between cells."
      : `White is zero. Each cell has its own scale, whose full colour is ${display.percentile === 100 ? "the largest magnitude" : `the ${display.percentile}th percentile of the magnitudes`} on this example: compare places within a cell, not colours between cells.`;
    this.legend.replaceChildren(
      ...(any(true) && !isBars ? [h("span", { class: "examples-legend" }, "evidence against ", scale(true), " evidence for the explained output")] : []),
      ...(any(false) && !isBars ? [h("span", { class: "examples-legend" }, "zero ", scale(false), " large magnitude")] : []),
      h("p", { class: "examples-caption" }, words, display.overlay ? " Over the input, a value is as opaque as it is large, and the picture has no colours." : "", rounded ? " Values of maps are rounded on this page to 1/127 of the largest." : ""),
    );
  }

  /** The place where the live server's controls go. */
  private mount(example: Example, cells: number[]): void {
    if (!this.live || !customElements.get("xai-live")) return;
    const element = this.live.firstElementChild ?? document.createElement("xai-live");
    Object.assign(element, { context: this.context, study: this.values.study, example, cell: this.values.study.cells[cells[0] ?? -1]?.label ?? "" });
    if (!element.isConnected) this.live.append(element);
  }
}

/** A panel that is made when it comes near the screen. */
function later(make: () => HTMLElement): HTMLElement {
  const place = h("div", { class: "examples-later" });
  let made: HTMLElement | null = null;
  whenVisible(place, () => {
    made = make();
    place.replaceWith(made);
  });
  return made ?? place;
}

function framed(scene: Scene, content: Content): HTMLElement {
  if (content.shown || content.title === "input") return panel(scene, content);
  return h("figure", { class: "examples-panel" }, h("figcaption", null, breakable(content.title)), h("p", { class: "examples-caption" }, content.note));
}

function maskWords(example: Example, display: Display): string {
  if (!example.mask || !display.mask) return "";
  return example.tokens ? "underlined: the ground truth" : "outlined: the ground truth";
}

function focusedLabel(within: HTMLElement): string | null {
  const root = within.getRootNode() as Document | ShadowRoot;
  const focused = root.activeElement;
  return focused && within.contains(focused) ? (focused.getAttribute("aria-label")?.replace(/["\\]/g, "\\$&") ?? null) : null;
}
