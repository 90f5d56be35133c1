/** Which examples are listed, in which order; scores and agreement of chosen cells. */

import { describe, expect, test } from "vitest";
import { cellsInOrder, chosenCells, entriesOf, pairIndex, Values } from "../src/examples/entries";
import { passes, sorted, within, type Candidate } from "../src/examples/list/filter";
import { cleared, filterOf, rangeWords, sortOf } from "../src/examples/keys";
import { State } from "../src/state";
import { Binary, document, example, mapOf, measure, metric, study } from "./examples_document";

const NONE = filterOf(new State());
const candidate = (more: Partial<Candidate> = {}): Candidate => ({ words: "", label: "", predicted: "", wrong: null, confidence: null, agreement: null, value: null, ...more });

describe("filters", () => {
  test("every word of the search must occur, in any case and width", () => {
    const words = candidate({ words: "IMG_0021.JPEG Norwich terrier" });
    for (const [query, expected] of [["", true], ["terrier img", true], ["ＴＥＲＲＩＥＲ", true], ["terrier cat", false]] as const) {
      expect(passes(words, { ...NONE, query })).toBe(expected);
    }
  });

  test("classes are matched whole, and right is not unknown", () => {
    expect(passes(candidate({ label: "cat" }), { ...NONE, label: "cat" })).toBe(true);
    expect(passes(candidate({ label: "cats" }), { ...NONE, label: "cat" })).toBe(false);
    expect(passes(candidate({ predicted: "1" }), { ...NONE, predicted: "1" })).toBe(true);
    expect([true, false, null].map((wrong) => passes(candidate({ wrong }), { ...NONE, outcome: "right" }))).toEqual([false, true, false]);
  });

  test("a range holds its ends, and refuses what is unknown", () => {
    expect([0.2, 0.5, 0.51, null].map((value) => within(value, [0.2, 0.5]))).toEqual([true, true, false, false]);
    expect([null, 7].map((value) => within(value, [null, null]))).toEqual([true, true]);
    expect(within(7, [null, 3])).toBe(false);
  });

  test("the state holds them as words, and forgets them", () => {
    const state = new State();
    state.set({ "ex.confidence": rangeWords(".5", ""), "ex.q": "a~b &c", "ex.outcome": "wrong", "ex.sort": "metric", "ex.down": "1" });
    expect(filterOf(state)).toMatchObject({ query: "a~b &c", outcome: "wrong", confidence: [0.5, null], value: [null, null] });
    expect(sortOf(state)).toEqual({ sort: "metric", down: true });
    state.set(cleared());
    expect(state.all()).toEqual({});
    expect(rangeWords(" ", "")).toBeNull();
  });
});

test("ties keep the order of the study, and unknown values come last both ways", () => {
  const items = [0.3, null, 0.1, 0.3, null, 0.2].map((value, i) => ({ i, candidate: candidate({ value }) }));
  expect(sorted(items, "metric", false).map((item) => item.i)).toEqual([2, 5, 0, 3, 1, 4]);
  expect(sorted(items, "metric", true).map((item) => item.i)).toEqual([0, 3, 5, 2, 1, 4]);
  expect(sorted(items, "study", true).map((item) => item.i)).toEqual([5, 4, 3, 2, 1, 0]);
});

test("pairs are counted as (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)", () => {
  const pairs = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]] as const;
  expect(pairs.map(([i, j]) => pairIndex(i, j, 4))).toEqual([0, 1, 2, 3, 4, 5]);
  expect(pairIndex(3, 1, 4)).toBe(4);
  expect([pairIndex(1, 1, 4), pairIndex(-1, 2, 4)]).toEqual([-1, -1]);
});

describe("values of a study", () => {
  const binary = new Binary();
  const maps = [mapOf(binary, [3, 4], [2]), mapOf(binary, [4, 3], [2]), null, mapOf(binary, [1], [1])];
  const examples = [example("a", 0, { maps }), example("b", 1), example("b", 2, { target: 1 })];
  const shown = study(["grad", "random", "shap", "lime"], examples, {
    metrics: [metric(binary, "infidelity", [0, 1, 2, 10, 11, 12, 20, 21, NaN, 30, 31, 32], [2, 0, 1, 3])],
    agreements: [measure(binary, "rank", [0, 2, 3], [0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.9, 1, NaN])],
  });
  const values = new Values(binary.content(document(shown)), shown);

  test("a score is that of its cell and row", () => {
    expect(values.score("infidelity", 1, 2)).toBe(12);
    expect(values.score("infidelity", 2, 2)).toBeNull();
    expect(values.score("other", 0, 0)).toBeNull();
    expect(values.score("infidelity", 0, -1)).toBeNull();
  });

  test("agreement is the mean over pairs of chosen cells that have one", () => {
    const [rank] = shown.agreements;
    // Pairs of (0, 2, 3): (0, 2) in row 1 is 0.2, (0, 3) is 0.6, (2, 3) is 1.
    expect(values.agreement(rank!, [3, 0, 2], examples[1]!)).toBeCloseTo((0.2 + 0.6 + 1) / 3, 6);
    expect(values.agreement(rank!, [0, 1, 2], examples[1]!)).toBeCloseTo(0.2, 6); // cell 1 is in no pair
    expect(values.agreement(rank!, [2, 3], examples[2]!)).toBeNull();
  });

  test("where the page has no agreement by example, it is the cosine of the maps", () => {
    expect(values.agreement(null, [0, 1], examples[0]!)).toBeCloseTo(24 / 25, 6);
    expect(values.agreement(null, [0, 2], examples[0]!)).toBeNull();
    expect(values.agreement(null, [0, 3], examples[0]!)).toBeNull(); // of different lengths
  });

  test("by default the first four methods without controls; otherwise the chosen ones that exist", () => {
    expect(cellsInOrder(shown)).toEqual([2, 0, 1, 3]);
    expect(chosenCells(shown, [])).toEqual([2, 0, 3]);
    expect(chosenCells(shown, ["random", "gone", "grad", "random"])).toEqual([1, 0]);
  });

  test("the targets of one example are one entry", () => {
    expect(entriesOf(examples).map((entry) => [entry.id, entry.targets.length])).toEqual([["a", 1], ["b", 2]]);
  });
});
