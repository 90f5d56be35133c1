/** The section as a reader meets it: list, keys, cells, targets, links, hostile names. */

import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Study } from "../src/document/types";
import { ExamplesSection } from "../src/examples/section";
import type { Live } from "../src/section";
import { State } from "../src/state";
import { Binary, document as documentOf, example, mapOf, metric, study, tokens } from "./examples_document";

const HOSTILE = "<img src=x onerror=alert(1)>";

beforeAll(() => {
  HTMLCanvasElement.prototype.getContext = (() => null) as never; // jsdom draws nothing
});

beforeEach(() => document.body.replaceChildren());

function table(): { binary: Binary; study: Study } {
  const binary = new Binary();
  const columns = [["age", "20"], [HOSTILE, "x"]].map(([name, value]) => ({ name: name!, value: value! }));
  const maps = (k: number) => [mapOf(binary, [k, -1], [2]), mapOf(binary, [-k, 2], [2]), mapOf(binary, [0, 1], [2])];
  const examples = [0, 1, 2].map((k) => example(["ada", "bob", "cyd"][k]!, k, { columns, maps: maps(k + 1), wrong: k === 1 }));
  const two = example("ada", 3, { columns, maps: maps(9), target: 1, target_name: "one" });
  const shown = study(["shap", "lime", "random"], [...examples, two], {
    modality: "table",
    classes: ["cat", HOSTILE],
    metrics: [metric(binary, "infidelity", [3, 1, 2, 0, 7, 8, 9, 0, 0, 0, 0, 0], [1, 0, 2])],
  });
  shown.rows.label = [0, 1, 0, 0];
  shown.rows.predicted = [0, 0, 0, 0];
  shown.rows.wrong = [0, 1, 0, 0];
  shown.rows.probability = [0.9, 0.6, 0.4, 0.1];
  return { binary, study: shown };
}

function open(made: { binary: Binary; study: Study }, state = new State(), live: Live | null = null): ExamplesSection {
  const section = new ExamplesSection();
  section.getBoundingClientRect = () => ({ top: 0, bottom: 100, width: 100, height: 100 }) as DOMRect;
  section.open({ content: made.binary.content(documentOf(made.study)), state, vega: null, live }, made.study);
  document.body.append(section);
  return section;
}

const names = (section: Element) => [...section.querySelectorAll(".examples-list .examples-name")].map((name) => name.textContent);
const titles = (section: Element) => [...section.querySelectorAll(".examples-panel figcaption bdi")].map((title) => title.textContent);
const count = (section: Element) => section.querySelector(".examples-count")!.textContent;
const heading = (section: Element) => section.querySelector("h2")!.textContent;
const press = (key: string, from: Element = document.body) => from.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, composed: true, cancelable: true }));

describe("list", () => {
  test("opens with all examples, the first large, the first methods side by side", () => {
    const section = open(table());
    expect(names(section)).toEqual(["ada", "bob", "cyd"]);
    expect(count(section)).toBe("3 of 3 examples");
    expect(heading(section)).toBe("ada");
    expect(titles(section)).toEqual(["lime", "shap"]); // in the order of the metric, without the control
    expect(section.querySelector(".examples-cells")!.textContent).toContain("2 of 3 shown, ordered by mean infidelity");
  });

  test("claims no order of the cells where no metric ranks", () => {
    const made = table();
    made.study.metrics[0]!.higher = null;
    const section = open(made);
    expect(titles(section)).toEqual(["shap", "lime"]);
    expect(section.querySelector(".examples-cells")!.textContent).toContain("in the order of the study");
  });

  test("search, filters and order are keys of the state, and one button forgets them", () => {
    const state = new State();
    const section = open(table(), state);
    const search = section.querySelector<HTMLInputElement>("input[type=search]")!;
    search.value = "B";
    search.dispatchEvent(new Event("input"));
    expect(names(section)).toEqual(["bob"]);
    expect(state.get("ex.q")).toBe("B");
    state.set({ "ex.q": null, "ex.confidence": "0.5~", "ex.sort": "confidence" });
    expect(names(section)).toEqual(["bob", "ada"]);
    state.set({ "ex.outcome": "wrong" });
    expect(count(section)).toBe("1 of 3 examples");
    expect(heading(section)).toBe("bob");
    [...section.querySelectorAll("button")].find((button) => button.textContent === "Clear")!.click();
    expect(state.all()).toEqual({});
    expect(count(section)).toBe("3 of 3 examples");
  });

  test("is ordered by the score of the first chosen cell, or of the named one", () => {
    const state = new State();
    const section = open(table(), state);
    state.set({ "ex.sort": "metric", "ex.cell": "shap" });
    expect(names(section)).toEqual(["bob", "cyd", "ada"]);
    state.set({ "ex.cell": null, "ex.down": "1" }); // of lime: 7, 8, 9
    expect(names(section)).toEqual(["cyd", "bob", "ada"]);
  });

  test("an example passes by any of its targets, and opens with that one", () => {
    const state = new State();
    const section = open(table(), state);
    state.set({ "ex.confidence": "~0.2" });
    expect(names(section)).toEqual(["ada"]);
    section.querySelector<HTMLElement>(".examples-list button")!.click();
    expect(state.get("ex.target")).toBe("1");
  });
});

describe("keys", () => {
  test("arrows step through the filtered examples and stop at the ends; / goes to the search, Escape leaves it", () => {
    const state = new State();
    const section = open(table(), state);
    state.set({ "ex.confidence": "0.5~" });
    press("ArrowRight");
    expect(state.get("example")).toBe("bob");
    press("ArrowRight");
    expect(state.get("example")).toBe("bob");
    press("ArrowLeft");
    expect(heading(section)).toBe("ada");
    press("/");
    const search = section.querySelector<HTMLInputElement>("input[type=search]")!;
    expect(document.activeElement).toBe(search);
    press("ArrowRight", search); // belongs to the field
    expect(state.get("example")).toBe("ada");
    press("Escape", search);
    expect(document.activeElement).not.toBe(search);
    section.remove();
    press("ArrowRight");
    expect(state.get("example")).toBe("ada");
  });
});

describe("cells and targets", () => {
  test("a chip adds its cell behind the others, and the last one stays", () => {
    const state = new State();
    const section = open(table(), state);
    const chip = (label: string) => [...section.querySelectorAll<HTMLElement>(".examples-cells .examples-chip")].find((each) => each.textContent!.startsWith(label))!;
    chip("random").click();
    expect(titles(section)).toEqual(["lime", "shap", "random"]);
    for (const label of ["lime", "random", "shap"]) chip(label).click();
    expect(titles(section)).toEqual(["shap"]);
    expect(state.list("cells")).toEqual(["shap"]);
    expect(chip("shap").getAttribute("aria-pressed")).toBe("true");
  });

  test("targets of an example are picked, with the scores of their own row", () => {
    const state = new State();
    state.set({ "ex.target": "1", cells: "shap" });
    const section = open(table(), state);
    expect(section.querySelector(".examples-bars tbody tr td:last-child")!.textContent).toBe("9");
    expect(section.querySelector(".examples-scores td")!.textContent).toBe("0");
    section.querySelector<HTMLElement>('[aria-label="target 0: zero"]')!.click();
    expect(state.get("ex.target")).toBe("");
    expect(section.querySelector(".examples-scores td")!.textContent).toBe("3");
  });

  test("the difference is of the two named maps, each scaled to its full colour", () => {
    const state = new State();
    state.set({ example: "bob", "ex.minus": "shap~lime" });
    const section = open(table(), state);
    // shap (2, -1) / 2 minus lime (-2, 2) / 2, by column.
    const panel = [...section.querySelectorAll(".examples-panel")].at(-1)!;
    expect(panel.querySelector("figcaption bdi")!.textContent).toBe("shap minus lime");
    const bars = Object.fromEntries([...panel.querySelectorAll("tbody tr")].map((row) => [row.querySelector("bdi")!.textContent, row.querySelector(".examples-number")?.textContent]));
    expect(bars).toEqual({ age: "2", [HOSTILE]: "-1.50" });
  });

  test("all tables have one order of columns", () => {
    const section = open(table());
    const orders = [...section.querySelectorAll(".examples-panels .examples-bars")].map((bars) => [...bars.querySelectorAll("tbody bdi:first-child")].map((name) => name.textContent).join());
    expect(new Set(orders).size).toBe(1);
  });
});

describe("links", () => {
  test("an example that is not on the page is named, with what the page leaves out", () => {
    const made = table();
    made.study.rows.example.push("zoe");
    const state = new State();
    state.set({ example: "zoe" });
    expect(open(made, state).querySelector(".examples-heading")!.textContent).toContain("zoe has scores, but its maps are not on this page");
  });

  test("a view is the same when it is opened from its link", () => {
    const made = table();
    const state = new State();
    const section = open(made, state);
    state.set({ example: "cyd", cells: "random~shap", "ex.sign": "positive", "ex.q": "c" });
    const again = open(made, Object.assign(new State(), { values: new Map(Object.entries(state.all())) }));
    expect(again.querySelector(".examples-panels")!.innerHTML).toBe(section.querySelector(".examples-panels")!.innerHTML);
    expect(names(again)).toEqual(names(section));
  });
});

describe("strangers' names", () => {
  test("stay text everywhere", () => {
    const binary = new Binary();
    const text = tokens([HOSTILE, false, 0], ["\u202eabc\u200f", false, 1], ["x".repeat(5000), false, 2]);
    const shown = study([HOSTILE, "b"], [example(HOSTILE, 0, { tokens: text, facts: [[HOSTILE, HOSTILE]], target_name: HOSTILE, maps: [mapOf(binary, [1, 2, 3], [3]), null] })], { modality: "text", name: HOSTILE });
    const section = open({ binary, study: shown });
    expect(section.querySelectorAll("img, script, svg img").length).toBe(0);
    expect(heading(section)).toBe(HOSTILE);
    expect(section.querySelector("dl")!.textContent).toBe(HOSTILE + HOSTILE);
  });
});

describe("live", () => {
  test("has its place under the panels where a server answers, and its element only where it is defined", () => {
    const live: Live = { ask: vi.fn(), events: vi.fn() };
    expect(open(table()).querySelector(".examples-live")).toBeNull();
    expect(open(table(), new State(), live).querySelector(".examples-live")!.childElementCount).toBe(0);
    customElements.define("xai-live", class extends HTMLElement {});
    const made = table();
    const state = new State();
    const section = open(made, state, live);
    const element = section.querySelector("xai-live") as HTMLElement & Record<string, unknown>;
    state.set({ example: "cyd", cells: "shap" });
    expect(section.querySelector("xai-live")).toBe(element);
    expect(element.cell).toBe("shap");
    expect(element.example).toBe(made.study.examples[2]);
    expect(element.study).toBe(made.study);
  });
});

test("200 cells are searched, not listed in rows without end", () => {
  const binary = new Binary();
  const labels = Array.from({ length: 200 }, (_, i) => `method_${i}`);
  const map = mapOf(binary, [1, 2, 3, 4], [2, 2]);
  const section = open({ binary, study: study(labels, [example("a", 0, { size: [2, 2], maps: labels.map(() => map) })]) });
  const search = section.querySelector<HTMLInputElement>(".examples-cells input")!;
  search.value = "_19";
  search.dispatchEvent(new Event("input"));
  const visible = [...section.querySelectorAll<HTMLElement>(".examples-cells .examples-chip")].filter((chip) => !chip.hidden);
  expect(visible.map((chip) => chip.textContent)).toEqual(["method_19", ...Array.from({ length: 10 }, (_, i) => `method_${190 + i}`)]);
});
