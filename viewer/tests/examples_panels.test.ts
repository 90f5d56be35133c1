/** Tokens, bars and series: what is drawn where. */

import { describe, expect, test } from "vitest";
import { columnsOf, joinedWords, swarm, wordsOf } from "../src/examples/importance/importance";
import { SCHEMES } from "../src/examples/maps/colour";
import { Stage } from "../src/examples/maps/stage";
import { barPlace, barsSvg, barsTable, jointOrder } from "../src/examples/panels/bars";
import { fileName } from "../src/examples/panels/save";
import { curvePoints, spansOf, stepsInView } from "../src/examples/panels/series";
import { featureTexts, tokensInMask, tokensPanel, valueIndices } from "../src/examples/panels/tokens";
import { Binary, example, mapOf, tokens } from "./examples_document";

const [SCHEME] = SCHEMES;
const stage = () => new Stage({ scale: 1, x: 0.5, y: 0.5 }, () => undefined);
const map = (values: number[], full = 1, signed = true) => ({ values: Float32Array.from(values), shape: [values.length], signed, full });

describe("tokens", () => {
  const text = example("t", 0, { tokens: tokens(["[CLS]", false, -1], ["un", false, 0], ["fair", true, 0], ["film", false, 1], ["[SEP]", false, -1]) });

  test("have the value of their feature, or of their place where the map has one for each token", () => {
    expect(valueIndices(text, 2)).toEqual([-1, 0, 0, 1, -1]);
    expect(valueIndices(text, 5)).toEqual([0, 1, 2, 3, 4]);
    expect([...featureTexts(text, valueIndices(text, 2))]).toEqual([[0, "unfair"], [1, "film"]]);
  });

  test("are coloured in place, joined without a space, with the value as tooltip", () => {
    const said: string[] = [];
    const shared = stage();
    const panel = tokensPanel("t", text, map([1, -1]), SCHEME, Float32Array.from([0, 1]), shared, (words) => said.push(words));
    expect(panel.textContent).toBe("[CLS] unfair film [SEP]");
    const [special, un, fair, film] = [...panel.querySelectorAll<HTMLElement>("span")] as [HTMLElement, HTMLElement, HTMLElement, HTMLElement];
    expect(special.className).toContain("examples-special");
    expect(special.style.background).toBe("");
    expect([un.title, fair.title, film.title]).toEqual(["unfair: 1", "unfair: 1", "film: -1"]);
    expect(un.style.background).toBe("rgb(103, 0, 31)");
    expect(film.style.background).toBe("rgb(5, 48, 97)");
    expect(film.className).toContain("examples-inside");
    expect(un.className).not.toContain("examples-inside");
    shared.point({ feature: 0 });
    expect(said.at(-1)).toBe("unfair: 1");
    expect(fair.className).toContain("examples-pointed");
  });

  test("are in a mask by feature, or by place where it has one for each token", () => {
    expect(tokensInMask(text, Float32Array.from([1, 0]))).toEqual([false, true, true, false, false]);
    expect(tokensInMask(text, Float32Array.from([0, 1, 0, 1, 0]))).toEqual([false, true, false, true, false]);
  });

  test("markup in a text stays text", () => {
    const hostile = "<img src=x onerror=alert(1)>";
    const panel = tokensPanel("h", example("h", 0, { tokens: tokens([hostile, false, 0], ["\u202eabc", false, 1]) }), map([1, 1]), SCHEME, null, stage(), () => undefined);
    expect(panel.querySelector("img")).toBeNull();
    expect(panel.textContent).toBe(`${hostile} \u202eabc`);
    expect(panel.getAttribute("dir")).toBe("auto");
  });
});

describe("bars", () => {
  test("one order for all cells, in which no cell decides by its scale", () => {
    // Shares of the largest: (1, .5, .1) and (.2, .9, 1): means .6, .7, .55.
    expect(jointOrder([Float32Array.from([100, -50, 10]), Float32Array.from([0.2, 0.9, -1])])).toEqual([1, 0, 2]);
    expect(jointOrder([Float32Array.from([NaN, 1, 1])])).toEqual([1, 2, 0]);
  });

  test("signed bars start in the middle, others at the left", () => {
    expect(barPlace(-2, 4, true)).toEqual({ start: 25, length: 25 });
    expect(barPlace(4, 4, true)).toEqual({ start: 50, length: 50 });
    expect(barPlace(1, 4, false)).toEqual({ start: 0, length: 25 });
    expect(barPlace(NaN, 4, true).length).toBe(0);
  });

  test("names and values are text, in the page and in the file", () => {
    const bars = [{ name: "<b>age</b>", value: "3 & 4", attribution: 2, inside: true }];
    const table = barsTable(bars, 2, true, SCHEME, "column");
    expect(table.querySelector("b")).toBeNull();
    expect(table.querySelector("tbody th")!.textContent).toBe("<b>age</b> = 3 & 4 in the ground truth");
    expect(table.querySelector("tbody th")!.getAttribute("scope")).toBe("row");
    const file = new XMLSerializer().serializeToString(barsSvg(bars, 2, true, SCHEME, "<i>"));
    expect(file).toContain("&lt;b&gt;age&lt;/b&gt; = 3 &amp; 4");
    expect(file).toContain("&lt;i&gt;");
  });
});

describe("series", () => {
  test("steps of one colour and feature are one span", () => {
    expect(spansOf(map([1, 1, -1, 0, 0]), null)).toEqual([{ from: 0, to: 2, value: 1 }, { from: 2, to: 3, value: -1 }, { from: 3, to: 5, value: 0 }]);
    expect(spansOf(map([1, 1, 1]), [0, 1, 1]).map((span) => [span.from, span.to])).toEqual([[0, 1], [1, 3]]);
  });

  test("a long curve keeps its extremes", () => {
    const values = new Float32Array(10_000);
    [values[1234], values[8765]] = [5, -7];
    const points = curvePoints(values, 0, values.length);
    expect(points.length).toBeLessThan(1000);
    expect(points).toContainEqual([1234, 5]);
    expect(points).toContainEqual([8765, -7]);
    expect(curvePoints(Float32Array.from([1, NaN, 3]), 0, 3)).toEqual([[0, 1], [2, 3]]);
  });

  test("a zoom shows a whole number of steps", () => {
    expect(stepsInView({ scale: 1, x: 0.5, y: 0.5 }, 82)).toEqual([0, 82]);
    expect(stepsInView({ scale: 4, x: 0.5, y: 0.5 }, 80)).toEqual([30, 50]);
  });
});

describe("importance", () => {
  const binary = new Binary();
  const row = (id: string, age: string, sex: string, values: number[]) => {
    const shown = mapOf(binary, values, [2]);
    return { example: example(id, 0, { columns: [{ name: "age", value: age }, { name: "sex", value: sex }] }), map: shown, values: Float32Array.from(values) };
  };

  test("columns by mean magnitude; the colour is the place of the value between the smallest and the largest", () => {
    const [first, second] = columnsOf([row("a", "20", "male", [1, 3]), row("b", "60", "female", [-2, 4]), row("c", "30", "male", [NaN, -5])]);
    expect(first).toMatchObject({ name: "sex", meanMagnitude: 4 });
    expect(first!.meanAttribution).toBeCloseTo(2 / 3, 12);
    expect(first!.points.map((point) => point.share)).toEqual([null, null, null]);
    expect(second).toMatchObject({ name: "age", meanMagnitude: 1.5, meanAttribution: -0.5 });
    expect(second!.points.map((point) => [point.id, point.share])).toEqual([["a", 0], ["b", 1]]);
  });

  test("points of a beeswarm that share a place lie on both sides of the line, always the same", () => {
    expect(swarm([1, 1, 1, 90], 5)).toEqual([0, 0.25, -0.25, 0]);
    expect(swarm(new Array<number>(41).fill(0), 5).every((place) => Math.abs(place) <= 1)).toBe(true);
  });

  const words = (id: string, pieces: Parameters<typeof tokens>, values: number[]) => ({ example: example(id, 0, { tokens: tokens(...pieces) }), map: mapOf(binary, values, [values.length]), values: Float32Array.from(values) });

  test("tokens without a space between them are a word, punctuation is not", () => {
    const pieces = tokens(["[CLS]", false, -1], ["un", false, 0], ["fair", true, 1], ["!", true, 2], ["don", false, 3], ["'t", true, 4]);
    expect(joinedWords(pieces).map((word) => word.text)).toEqual(["unfair", "!", "don't"]);
  });

  test("words of at least two examples, with the mean over all occurrences; a word's features count once", () => {
    const explained = [
      words("a", [["Good", false, 0], ["un", false, 1], ["fair", true, 2]], [1, 2, 3]),
      words("b", [["good", false, 0], ["good", false, 1], ["un", false, 2], ["fair", true, 2]], [3, 5, 1]),
      words("c", [["once", false, 0], ["once", false, 1]], [9, 9]),
    ];
    expect(wordsOf(explained)).toEqual([
      { word: "good", mean: 3, occurrences: 3, examples: 2 },
      { word: "unfair", mean: 3, occurrences: 2, examples: 2 },
    ]);
  });
});

test("names of files hold nothing that a file system reads", () => {
  expect(fileName(["a/b", "../x y", "ig / blur"], "png")).toBe("a-b-x-y-ig-blur.png");
  expect(fileName(["///"], "svg")).toBe("panel.svg");
});
