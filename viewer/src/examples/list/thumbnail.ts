/** A small view of an example for the list: picture, beginning of the text, some columns, curve; and of its maps. */

import type { Content } from "../../document/decode";
import type { Example } from "../../document/types";
import { h } from "../../dom";
import type { Values } from "../entries";
import { mapImage } from "../maps/canvas";
import type { Scheme } from "../maps/colour";
import { curvesOf, seriesSvg } from "../panels/series";

const LETTERS = 110;

/** Addresses of pictures, one a picture. */
export class Pictures {
  private addresses = new Map<object, string>();

  constructor(private content: Content) {}

  address(example: Example): string | null {
    if (!example.picture) return null;
    let address = this.addresses.get(example.picture);
    if (!address) this.addresses.set(example.picture, (address = this.content.url(example.picture)));
    return address;
  }

  /** Resolves when the picture can be drawn; null where the example has none. */
  load(example: Example): Promise<HTMLImageElement> | null {
    const address = this.address(example);
    if (!address) return null;
    const picture = new Image();
    return new Promise((resolve) => {
      picture.onload = picture.onerror = () => resolve(picture);
      picture.src = address;
    });
  }

  forget(): void {
    for (const address of this.addresses.values()) URL.revokeObjectURL(address);
    this.addresses.clear();
  }
}

export function thumbnail(example: Example, values: Values, pictures: Pictures, scheme: Scheme): HTMLElement | SVGElement | null {
  const address = pictures.address(example);
  if (address) {
    const tiny = Math.max(...(example.size ?? [Infinity])) < 64;
    return h("img", { src: address, alt: "", class: tiny ? "examples-tiny" : null });
  }
  if (example.tokens) {
    const text = example.tokens.map((token, place) => (token.feature < 0 ? "" : place && !token.joined ? ` ${token.text}` : token.text)).join("").trim();
    return h("span", { class: "examples-snippet", dir: "auto" }, text.length > LETTERS ? `${text.slice(0, LETTERS)}…` : text);
  }
  if (example.columns) {
    return h("span", { class: "examples-snippet" }, example.columns.slice(0, 3).map((column) => (column.value ? `${column.name} = ${column.value}` : column.name)).join(", "));
  }
  if (example.series) {
    const svg = seriesSvg({ label: "", ...curvesOf(example, values, null), features: null, map: null, scheme, mask: null }, 0, example.series.steps);
    svg.removeAttribute("role");
    svg.removeAttribute("aria-label");
    svg.setAttribute("aria-hidden", "true");
    return svg;
  }
  return null;
}

/** The map of a cell in small: an image, or a strip with one place a feature. */
export function miniature(example: Example, cell: number, values: Values, scheme: Scheme): HTMLElement {
  const map = example.maps[cell];
  const { label } = values.study.cells[cell]!;
  if (!map) return h("span", { class: "examples-mini examples-none", title: `${label}: no map` });
  const numbers = values.map(map);
  const shape = map.shape.length === 2 ? map.shape : [1, numbers.length];
  const canvas = mapImage({ values: numbers, shape, signed: map.signed, full: map.full }, scheme);
  canvas.className = shape[0] === 1 ? "examples-mini examples-strip" : "examples-mini";
  canvas.title = label;
  canvas.setAttribute("aria-hidden", "true");
  return canvas;
}
