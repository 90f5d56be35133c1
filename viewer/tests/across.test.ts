import { describe, expect, it } from "vitest";
import { acrossRows, nameIn, panels, varying } from "../src/across/rows";
import type { Comparison, Study } from "../src/document/types";

const study = (model: string, seed: string, dataset = "data"): Study => ({ model, seed, dataset }) as Study;
const studies = [study("a", "0"), study("a", "1"), study("b", "0"), study("b", "1")];
const row = (cell: string, ...means: (number | null)[]) => ({ cell, means, lows: means, highs: means, best: means.map(() => false) });
const comparison: Comparison = { metric: "m", direction: "higher is better", rows: [row("x", 1, 2, 1, 4), row("y", 3, 3, null, 1)] };

describe("studies side by side", () => {
  it("knows what differs", () => {
    expect(varying(studies)).toEqual(["model", "seed"]);
    expect(varying([studies[0]!])).toEqual([]);
  });

  it("has a panel for every level of a factor", () => {
    expect(panels(studies, "model")).toEqual([["a", [0, 1]], ["b", [2, 3]]]);
    expect(panels(studies, null)).toEqual([["", [0, 1, 2, 3]]]);
  });

  it("names a study by what tells it apart in its panel", () => {
    expect(nameIn(studies, 1, [0, 1])).toBe("seed 1");
    expect(nameIn(studies, 2, [0, 1, 2, 3])).toBe("b, seed 0");
    expect(nameIn([study("a", "0"), study("a", "0")], 1, [0, 1])).toBe("study 2");
  });

  it("orders cells by their mean place, best first, and leaves out what is undefined", () => {
    const rows = acrossRows(comparison, true, studies, [0, 1, 2, 3]);
    // Places of x: 1, 1, 0, 0; of y: 0, 0, 1.
    expect(new Map(rows.map((each) => [each["cell"], each["place"]]))).toEqual(new Map([["y", 0], ["x", 1]]));
    expect(rows).toHaveLength(7);
    const lower = acrossRows(comparison, false, studies, [0, 1]);
    expect(lower.find((each) => each["cell"] === "x")!["place"]).toBe(0);
  });
});
