import { describe, expect, it } from "vitest";
import { pairsOf } from "../../src/document/access";
import { apart, costRows, paretoFront, passesOf } from "../../src/metrics/cost";
import { band, curveRows } from "../../src/metrics/curves";
import { byClass, byOutcome, groupMeans } from "../../src/metrics/groups";
import { differenceRows, joined, letterRows, lettersOf, rankRows, unitsOf, winRows } from "../../src/metrics/rows";
import { common, unitMeans, wins } from "../../src/metrics/wins";
import { fixture, HOSTILE } from "./fixture";

const { content, study } = fixture();
const metric = study.metrics[0]!;
const order = [0, 1, 2, 3];

describe("win rates", () => {
  it("count the examples by hand: targets of an example are averaged, equal scores are no win", () => {
    const rows = winRows(content, study, metric, pairsOf(content, metric), order);
    const of = (row: string, column: string) => rows.find((each) => each["row"] === row && each["column"] === column)!;
    // gradient: .9, (.8 + .6) / 2, .7, .9; occlusion: .5, (.9 + .7) / 2, .7, .4
    expect(of("gradient", "occlusion")).toMatchObject({ wins: 2, ties: 1, n: 4, share: 0.5 });
    expect(of("occlusion", "gradient")).toMatchObject({ wins: 1, ties: 1, n: 4, share: 0.25 });
    expect(of("gradient", "occlusion")["p"]).toBeCloseTo(0.01);
    // Without a test, on the three examples where both are defined.
    expect(of("gradient", HOSTILE)).toMatchObject({ wins: 2, ties: 1, n: 3, p: null });
  });

  it("turn round where lower is better", () => {
    expect(wins(new Float64Array([1, 2, NaN]), new Float64Array([2, 1, 1]), false, [0, 1, 2])).toEqual({ n: 2, wins: 1, ties: 0 });
    expect(wins(new Float64Array([1, 1]), new Float64Array([2, 3]), false, [0, 1]).wins).toBe(2);
  });

  it("call values equal that differ by rounding alone", () => {
    expect(wins(new Float64Array([1]), new Float64Array([1 + 5e-7]), true, [0]).ties).toBe(1);
    expect(wins(new Float64Array([1]), new Float64Array([1 - 2e-6]), true, [0]).wins).toBe(1);
  });

  it("compare ranked cells on the units where all of these are defined", () => {
    const means = unitMeans(new Float32Array([1, 2, 3, NaN, 5, 6]), 2, ["a", "b", "c"]);
    expect(common(means, [0, 1])).toEqual([1, 2]);
    expect(common(means, [0])).toEqual([0, 1, 2]);
  });

  it("are of clusters where these are resampled", () => {
    const clustered = { ...study, rows: { ...study.rows, cluster: ["p", "p", "p", "q", "q"] } };
    const rows = winRows(content, clustered, metric, pairsOf(content, metric), [0, 1]);
    expect(rows[0]).toMatchObject({ n: 2, wins: 2 }); // p: .767 and .7, q: .8 and .55
  });
});

describe("the Pareto front", () => {
  it("holds what no other point dominates", () => {
    const points = [
      { passes: 1, mean: 0.5 },
      { passes: 2, mean: 0.4 },
      { passes: 2, mean: 0.8 },
      { passes: 3, mean: 0.8 },
      { passes: 9, mean: 0.9 },
      { passes: 9, mean: 0.9 },
    ];
    expect(paretoFront(points, true)).toEqual([true, false, true, false, true, true]);
    expect(paretoFront(points, false)).toEqual([true, true, false, false, false, false]);
  });

  it("is of explanations, and passes are counted for an example", () => {
    const rows = costRows(study.cells, metric.means, true);
    expect(rows.map((row) => [row["cell"], row["passes"], row["front"]])).toEqual([
      ["gradient", 2, true],
      ["occlusion", 100, false],
      [HOSTILE, 20, false],
      ["random", 0, false],
    ]);
    expect(rows[3]!["at"]).toBe(0.5);
  });

  it("keeps names apart, downwards from the highest", () => {
    expect(apart([0.5, 1, 0.49, 0.48, 0], 0.1).map((value) => Number(value.toFixed(9)))).toEqual([0.5, 1, 0.4, 0.3, 0]);
  });

  it("leaves out cells whose passes were not counted", () => {
    const cell = { ...study.cells[0]!, cached: true };
    expect(passesOf({ ...cell, forward: 0, backward: 0 })).toBeNull();
    expect(passesOf(cell)).toEqual({ forward: 1, backward: 1 });
  });
});

describe("groups", () => {
  it("count examples, not targets", () => {
    expect(byOutcome(study.rows).map(({ name, n }) => [name, n])).toEqual([["right", 3], ["wrong", 1]]);
    expect(byClass(study).groups.map(({ name, n }) => [name, n])).toEqual([["class 0", 2], [HOSTILE, 2]]);
    const unlabelled = { ...study, rows: { ...study.rows, label: [-1, -1, -1, -1, -1] } };
    expect(byClass(unlabelled)).toMatchObject({ by: "predicted class", groups: [{ n: 3 }, { n: 1 }] });
  });

  it("have the means of their examples where these are defined", () => {
    const [right, wrong] = byOutcome(study.rows);
    const scores = content.numbers(metric.scores);
    const means = groupMeans(scores, 4, study.rows, right!);
    expect(means[0]!.mean).toBeCloseTo((0.9 + 0.7 + 0.7) / 3);
    expect(means[2]).toMatchObject({ n: 2 });
    expect(means[2]!.mean).toBeCloseTo(0.25);
    expect(groupMeans(scores, 4, study.rows, wrong!)[1]!.mean).toBeCloseTo(0.4);
  });
});

describe("rows of charts", () => {
  it("put the better mean of a pair first and turn its interval", () => {
    const turned = differenceRows(study, metric, pairsOf(content, metric), [1, 0, 3]);
    expect(turned[0]).toMatchObject({ a: "occlusion", b: "gradient", shown: "different" });
    expect([turned[0]!["difference"], turned[0]!["low"], turned[0]!["high"]].map(Number)).toEqual(
      [-0.2, -0.3, -0.1].map((value) => Math.fround(value)),
    );
  });

  it("have a row for each letter, also after Z", () => {
    expect(letterRows(study, metric, order).map((row) => [row["cell"], row["letter"]])).toEqual([["gradient", "a"], ["occlusion", "b"], ["random", "b"]]);
    expect(lettersOf("aZ.a..b")).toEqual(["a", "Z", ".a", "..b"]);
  });

  it("join ranks within the critical difference in largest runs", () => {
    expect(joined([1, 1.5, 2.4, 4], 1)).toEqual([[0, 1], [1, 2]]);
    const rows = rankRows(study, metric.ranks!);
    expect(rows.filter((row) => row["kind"] === "group")).toMatchObject([{ start: 1.25, end: 1.75 }]);
    expect(rows.filter((row) => row["side"] === "left").map((row) => row["cell"])).toEqual(["gradient", "occlusion"]);
  });

  it("have bands of the mean of examples", () => {
    const { mean, low, high } = band([1, 2, 3, NaN]);
    expect(mean).toBe(2);
    expect(high! - mean).toBeCloseTo(1.96 / Math.sqrt(3), 3);
    expect(mean - low!).toBeCloseTo(1.96 / Math.sqrt(3), 3);
    const rows = curveRows(content, study, metric, [0], unitsOf(study));
    expect(rows.map((row) => row["n"])).toEqual([4, 4]);
    expect(rows[1]!["mean"]).toBeCloseTo((0.9 + 0.7 + 0.7 + 0.9) / 8);
  });
});
