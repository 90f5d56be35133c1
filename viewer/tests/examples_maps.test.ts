/** Colours, scales, signs, smoothing and differences of maps, against values worked out by hand. */

import { describe, expect, test } from "vitest";
import { clamped, zoomWords } from "../src/examples/keys";
import { outline, pixelsOf } from "../src/examples/maps/canvas";
import { colour, luminance, palette, SCHEMES, shade, textColour, UNDEFINED } from "../src/examples/maps/colour";
import { Stage } from "../src/examples/maps/stage";
import { blockMeans, difference, fullColour, meanCosine, resampled, withSign } from "../src/examples/maps/values";
import { cellAt } from "../src/examples/panels/image";

const [SCHEME] = SCHEMES;
const map = (values: number[], shape: number[], full: number, signed = true) => ({ values: Float32Array.from(values), shape, signed, full });

describe("colour", () => {
  test("is that of xaiexp/report/pictures/images.py at the same places of the scale", () => {
    // Printed by xaiexp.report.pictures.images._PALETTES.
    const python = {
      signed: { 0: "053061", 1: "083568", 7: "195696", 25: "6aacd0", 37: "bedbeb", 49: "fafcfe", 50: "ffffff", 51: "fffbf9", 63: "facbb2", 75: "e58268", 99: "6e0220", 100: "67001f", 101: "9a9a9a" },
      unsigned: { 0: "ffffff", 1: "fefefe", 7: "f6f5f9", 25: "dadaeb", 37: "bdbedd", 49: "a09dca", 50: "9e9ac8", 51: "9c98c7", 63: "7f7bb9", 75: "6a51a3", 99: "41037e", 100: "3f007d", 101: "9a9a9a" },
    };
    for (const [kind, expected] of Object.entries(python)) {
      const shades = palette(SCHEME, kind === "signed");
      for (const [at, hex] of Object.entries(expected)) {
        const found = [0, 1, 2].map((channel) => shades[Number(at) * 3 + channel]!.toString(16).padStart(2, "0")).join("");
        expect(`${kind} ${at} ${found}`).toBe(`${kind} ${at} ${hex}`);
      }
    }
  });

  test("white is zero, the ends are reached at full colour and kept beyond, undefined is grey", () => {
    for (const scheme of SCHEMES) {
      expect(colour(0, true, 2, scheme)).toBe("#ffffff");
      expect(colour(0, false, 2, scheme)).toBe("#ffffff");
      expect(colour(2, true, 2, scheme)).toBe(scheme.signed.at(-1));
      expect(colour(-9, true, 2, scheme)).toBe(scheme.signed[0]);
      expect(colour(9, true, 2, scheme)).toBe(scheme.signed.at(-1));
      expect(colour(9, false, 2, scheme)).toBe(scheme.unsigned.at(-1));
      expect(colour(-1, false, 2, scheme)).toBe("#ffffff");
      expect(colour(NaN, true, 2, scheme)).toBe("#9a9a9a");
    }
    expect(shade(Infinity, true, 1)).toBe(UNDEFINED);
    expect(shade(5, true, 0)).toBe(50); // a map that is zero everywhere
  });

  test("text on every shade of every scale has a contrast of at least 4.5", () => {
    for (const scheme of SCHEMES) {
      for (let i = -50; i <= 50; i++) {
        for (const signed of [true, false]) {
          const background = colour(i / 50, signed, 1, scheme);
          const [a, b] = [luminance(background), luminance(textColour(background))].sort((x, y) => y - x) as [number, number];
          expect((a + 0.05) / (b + 0.05)).toBeGreaterThanOrEqual(4.5);
        }
      }
    }
    expect(textColour("#ffffff")).toBe("#000000");
    expect(textColour("#67001f")).toBe("#ffffff");
  });

  test("over the input, opacity follows the magnitude; undefined values are as opaque as the largest", () => {
    const pixels = pixelsOf(map([0, 1, -2, NaN], [1, 4], 2), SCHEME, 0.8);
    expect([3, 7, 11, 15].map((at) => pixels[at])).toEqual([0, 102, 204, 204]);
    expect(pixelsOf(map([0], [1, 1], 2), SCHEME, null)[3]).toBe(255);
  });
});

describe("values", () => {
  test("full colour is the interpolated percentile of magnitudes, as in images.py", () => {
    expect(fullColour([0, -2], 99)).toBeCloseTo(1.98, 10);
    expect(fullColour([3, -1, 2, -4, NaN], 50)).toBe(2.5);
    expect(fullColour([1, 2, 3, 4], 100)).toBe(4);
    expect(fullColour([0, 0, 0, 0, 7], 50)).toBe(7); // the largest where the percentile is 0
    expect(fullColour([NaN], 99)).toBe(0);
  });

  test("sign keeps one side", () => {
    const values = Float32Array.from([-2, 0, 3, NaN]);
    expect([...withSign(values, "positive")]).toEqual([0, 0, 3, NaN]);
    expect([...withSign(values, "negative")].map((value) => value + 0)).toEqual([-2, 0, 0, NaN]);
    expect([...withSign(values, "magnitude")]).toEqual([2, 0, 3, NaN]);
  });

  test("blocks at the border are smaller, and undefined values do not count", () => {
    const values = Float32Array.from([1, 3, 10, 5, NaN, 20, 7, 9, 30]); // 3 x 3
    expect([...blockMeans(values, 3, 3, 2)]).toEqual([3, 3, 15, 3, 3, 15, 8, 8, 30]);
    expect(blockMeans(values, 3, 3, 1)).toBe(values);
  });

  test("the difference scales each map to its full colour, and cuts off there", () => {
    const between = difference(map([1, -4, 2], [3], 2), map([5, 5, -20], [3], 10))!;
    expect([...between.values].map((value) => Number(value.toFixed(6)))).toEqual([0, -1.5, 2]);
    expect(between).toMatchObject({ signed: true, full: 1 });
  });

  test("the difference to a map without sign is one of magnitudes", () => {
    expect([...difference(map([-2, 1], [2], 2), map([1, 4], [2], 4, false))!.values]).toEqual([0.75, -0.5]);
  });

  test("the difference of grids of two sizes is on the finer one; of other lengths there is none", () => {
    const between = difference(map([1, 0, 0, 0], [2, 2], 1), map([1], [1, 1], 2))!;
    expect(between.shape).toEqual([2, 2]);
    expect([...between.values]).toEqual([0.5, -0.5, -0.5, -0.5]);
    expect(difference(map([1, 2], [2], 2), map([1], [1], 1))).toBeNull();
    expect([...resampled(Float32Array.from([1, 2, 3, 4]), [2, 2], [1, 4])]).toEqual([3, 3, 4, 4]);
  });

  test("the mean cosine is over all pairs of one length; undefined values count as 0, maps of zeros not at all", () => {
    const maps = [[3, 4], [4, 3], [-4, 3], [0, 0], [1, NaN, 2]].map((values) => Float32Array.from(values));
    // 24/25, (-12 + 12)/25, (-16 + 9)/25.
    expect(meanCosine(maps)).toBeCloseTo((24 + 0 - 7) / 25 / 3, 6);
    expect(meanCosine([Float32Array.from([1, NaN]), Float32Array.from([1, 1])])).toBeCloseTo(Math.SQRT1_2, 6);
    expect(meanCosine(maps.slice(3))).toBeNaN();
  });
});

describe("places", () => {
  test("the outline of a mask is its border, runs as one line", () => {
    const edges = outline([0, 0, 0, 0, 1, 1, 0, 0, 0], 3, 3).map((edge) => edge.join(" ")).sort();
    expect(edges).toEqual(["1 1 1 2", "1 1 3 1", "1 2 3 2", "3 1 3 2"]);
  });

  test("a zoom shows what is inside, and a point under the pointer stays under it", () => {
    expect(clamped({ scale: 4, x: 0, y: 2 })).toEqual({ scale: 4, x: 0.125, y: 0.875 });
    expect(clamped({ scale: NaN, x: 0.3, y: 0.3 })).toEqual({ scale: 1, x: 0.5, y: 0.5 });
    const settled: unknown[] = [];
    const stage = new Stage({ scale: 1, x: 0.5, y: 0.5 }, (zoom) => settled.push(zoom));
    stage.enlarge(2, 0.25, 0.5);
    expect(stage.inside(0.25, 0.5)).toEqual({ x: 0.25, y: 0.5 });
    expect(settled).toEqual([{ scale: 2, x: 0.375, y: 0.5 }]);
    expect(zoomWords(stage.zoom)).toBe("2~0.375~0.5");
    stage.enlarge(0);
    expect(zoomWords(stage.zoom)).toBeNull();
  });

  test("a place is in the row and column that hold it", () => {
    expect(cellAt({ x: 0.249, y: 0.5 }, [28, 4])).toEqual([14, 0]);
    expect(cellAt({ x: 1, y: 0 }, [28, 4])).toEqual([0, 3]);
  });
});
