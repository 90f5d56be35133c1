/** What a language model goes on with: tokens that choose what is explained, a contrast in two roles, the matrix. */

import { describe, expect, test, vi } from "vitest";
import type { Example } from "../src/document/types";
import { SCHEMES } from "../src/examples/maps/colour";
import { continuedLine, continuedMatrix, role, targetOf } from "../src/examples/panels/continued";
import { example, tokens } from "./examples_document";

const PROMPT = tokens(["the", false, 0], ["film", false, 1]);
const each: Example[] = [0, 1].map((target) =>
  example("a", 0, { target, target_name: ["not", "bad"][target]!, tokens: PROMPT, continued: { texts: [[" not", " bad"]], weights: [[1 - target, target]], written: true } }),
);
const whole = example("b", 1, { tokens: PROMPT, continued: { texts: [[" not", " bad"]], weights: [[1, 1]], written: false } });
const contrast = example("c", 2, { tokens: PROMPT, continued: { texts: [[" good"], [" not", " bad"]], weights: [[1], [-1, -1]], written: false } });

describe("the continuation", () => {
  test("a token that is explained by itself shows its own maps when it is pointed at", () => {
    const pick = vi.fn();
    const line = continuedLine(each[0]!, each, pick)!;
    const [first, second] = line.querySelectorAll("button");
    expect(first!.getAttribute("aria-pressed")).toBe("true");
    second!.dispatchEvent(new Event("pointerenter"));
    expect(pick).toHaveBeenCalledWith(each[1]);
    first!.dispatchEvent(new Event("pointerenter"));
    expect(pick).toHaveBeenCalledTimes(1);
    expect(targetOf(each, 1)).toBe(each[1]);
    expect(targetOf([whole], 0)).toBeNull();
  });

  test("a span is marked and chooses nothing; a contrast has two roles", () => {
    expect(continuedLine(whole, [whole], () => {})!.querySelectorAll("button")).toHaveLength(0);
    const line = continuedLine(contrast, [contrast], () => {})!;
    expect([...line.querySelectorAll(".examples-for")].map((token) => token.textContent)).toEqual([" good"]);
    expect([...line.querySelectorAll(".examples-against")].map((token) => token.textContent)).toEqual([" not", " bad"]);
    expect([role(2), role(-1), role(0)]).toEqual(["for", "against", "none"]);
  });

  test("the matrix has a row for each explained token and a column for each feature, on one scale", () => {
    const shown = (target: Example) => ({ values: Float32Array.from([target.target, 2]), shape: [2], signed: true, full: 2 });
    const table = continuedMatrix(each, shown, Object.values(SCHEMES)[0]!, "saliency")!;
    const rows = [...table.querySelectorAll("tbody tr")].map((row) => [...row.children].map((cell) => cell.textContent));
    expect(rows).toEqual([
      ["not", "0", "2"],
      ["bad", "1", "2"],
    ]);
    expect([...table.querySelectorAll("thead th")].map((cell) => cell.textContent)).toEqual(["the", "film"]);
    expect(continuedMatrix([whole], shown, Object.values(SCHEMES)[0]!, "saliency")).toBeNull();
  });
});
