/** The colour of a value, as `xaiexp/report/pictures/images.py` defines it: white is zero, undefined is grey. */

/** Shades on either side of zero. */
const LEVELS = 50;
const LAST = 2 * LEVELS;
/** The index of undefined values in every palette. */
export const UNDEFINED = LAST + 1;
const GREY = [0x9a, 0x9a, 0x9a] as const;

export interface Scheme {
  name: string;
  label: string;
  /** From negative over white to positive. */
  signed: string[];
  /** From white to the largest magnitude. */
  unsigned: string[];
}

const hexes = (text: string) => text.split(" ").map((hex) => `#${hex}`);

// ColorBrewer's RdBu, PuOr and BrBG with a pure white middle, and Purples, Oranges and Greys from pure white: each is
// safe for colour blindness, and its lightness falls evenly with the distance from zero.
export const SCHEMES: readonly [Scheme, ...Scheme[]] = [
  {
    name: "blue-red",
    label: "blue and red; purple without sign",
    signed: hexes("053061 2166ac 4393c3 92c5de d1e5f0 ffffff fddbc7 f4a582 d6604d b2182b 67001f"),
    unsigned: hexes("ffffff efedf5 dadaeb bcbddc 9e9ac8 807dba 6a51a3 54278f 3f007d"),
  },
  {
    name: "orange-purple",
    label: "orange and purple; orange without sign",
    signed: hexes("7f3b08 b35806 e08214 fdb863 fee0b6 ffffff d8daeb b2abd2 8073ac 542788 2d004b"),
    unsigned: hexes("ffffff fee6ce fdd0a2 fdae6b fd8d3c f16913 d94801 a63603 7f2704"),
  },
  {
    name: "brown-teal",
    label: "brown and teal; grey without sign",
    signed: hexes("543005 8c510a bf812d dfc27d f6e8c3 ffffff c7eae5 80cdc1 35978f 01665e 003c30"),
    unsigned: hexes("ffffff f0f0f0 d9d9d9 bdbdbd 969696 737373 525252 252525 000000"),
  },
];

export function schemeOf(name: string): Scheme {
  return SCHEMES.find((scheme) => scheme.name === name) ?? SCHEMES[0];
}

/** Round to the nearest whole number, halves to the even one. */
function rounded(value: number): number {
  const whole = Math.floor(value);
  if (value - whole !== 0.5) return Math.round(value);
  return whole % 2 === 0 ? whole : whole + 1;
}

const kept = new Map<string, Uint8ClampedArray>();

/** Red, green and blue of all shades, then those of undefined values. */
export function palette(scheme: Scheme, signed: boolean): Uint8ClampedArray {
  const key = `${scheme.name} ${signed}`;
  const known = kept.get(key);
  if (known) return known;
  const anchors = (signed ? scheme.signed : scheme.unsigned).map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  const shades = new Uint8ClampedArray((UNDEFINED + 1) * 3);
  for (let i = 0; i <= LAST; i++) {
    const at = (i / LAST) * (anchors.length - 1);
    const low = Math.min(Math.floor(at), anchors.length - 2);
    for (let channel = 0; channel < 3; channel++) {
      const [from, to] = [anchors[low]![channel]!, anchors[low + 1]![channel]!];
      shades[i * 3 + channel] = rounded(from + (to - from) * (at - low));
    }
  }
  shades.set(GREY, UNDEFINED * 3);
  kept.set(key, shades);
  return shades;
}

/** The place of a value in a palette; `full` is the magnitude that gets full colour. */
export function shade(value: number, signed: boolean, full: number): number {
  if (!Number.isFinite(value)) return UNDEFINED;
  const share = full > 0 ? value / full : 0;
  return signed ? LEVELS + rounded(LEVELS * Math.max(-1, Math.min(1, share))) : rounded(LAST * Math.max(0, Math.min(1, share)));
}

/** The colour of one value, as `#rrggbb`. */
export function colour(value: number, signed: boolean, full: number, scheme: Scheme): string {
  const shades = palette(scheme, signed);
  const at = shade(value, signed, full) * 3;
  return `#${[0, 1, 2].map((channel) => shades[at + channel]!.toString(16).padStart(2, "0")).join("")}`;
}

/** The relative luminance of `#rrggbb`, as WCAG defines it. */
export function luminance(hex: string): number {
  const linear = [1, 3, 5].map((i) => {
    const part = parseInt(hex.slice(i, i + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0]! + 0.7152 * linear[1]! + 0.0722 * linear[2]!;
}

/** Black or white, whichever has the larger WCAG contrast to `#rrggbb`; at least 4.58 on any colour. */
export function textColour(background: string): string {
  const light = luminance(background) + 0.05;
  return light / 0.05 >= 1.05 / light ? "#000000" : "#ffffff";
}

/** The scale as a CSS gradient, from the lowest value on the left to the highest on the right. */
export function gradient(scheme: Scheme, signed: boolean): string {
  return `linear-gradient(to right, ${(signed ? scheme.signed : scheme.unsigned).join(", ")})`;
}
