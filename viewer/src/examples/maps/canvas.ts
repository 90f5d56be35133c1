/** Paints maps, pictures and outlines of masks on a canvas, each value as a square without interpolation. */

import type { Zoom } from "../keys";
import { palette, shade, type Scheme } from "./colour";
import type { Shown } from "./values";

/** An image of a map, one pixel a value. With `veil`, a value is as opaque as it is large, at most `veil`. */
export function mapImage(map: Shown, scheme: Scheme, veil: number | null = null): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  [canvas.height, canvas.width] = [map.shape[0]!, map.shape[1]!];
  const context = canvas.getContext("2d");
  if (!context || !map.values.length) return canvas;
  const pixels = context.createImageData(canvas.width, canvas.height);
  pixels.data.set(pixelsOf(map, scheme, veil));
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** Red, green, blue and opacity of every value. */
export function pixelsOf(map: Shown, scheme: Scheme, veil: number | null): Uint8ClampedArray {
  const shades = palette(scheme, map.signed);
  const out = new Uint8ClampedArray(map.values.length * 4);
  map.values.forEach((value, i) => {
    const at = shade(value, map.signed, map.full) * 3;
    out.set(shades.subarray(at, at + 3), i * 4);
    const share = Number.isFinite(value) ? Math.min(1, map.full > 0 ? Math.abs(value) / map.full : 0) : 1;
    out[i * 4 + 3] = veil === null ? 255 : Math.round(255 * veil * share);
  });
  return out;
}

/** A picture without its colours, so that those of a map over it are not mistaken for the picture's. */
export function greyed(picture: HTMLImageElement): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.naturalWidth || 1, picture.naturalHeight || 1];
  const context = canvas.getContext("2d");
  if (!context) return canvas;
  context.drawImage(picture, 0, 0);
  context.globalCompositeOperation = "saturation";
  context.fillStyle = "#808080";
  context.fillRect(0, 0, canvas.width, canvas.height);
  return canvas;
}

type Edge = readonly [number, number, number, number];

/** The edges between inside and outside of a mask, as lines in rows and columns; runs are one line. */
export function outline(mask: ArrayLike<number>, rows: number, columns: number): Edge[] {
  const inside = (row: number, column: number) => row >= 0 && column >= 0 && row < rows && column < columns && mask[row * columns + column]! > 0.5;
  const edges: Edge[] = [];
  const runs = (length: number, isEdge: (at: number) => boolean, add: (from: number, to: number) => void) => {
    let from = -1;
    for (let at = 0; at <= length; at++) {
      const edge = at < length && isEdge(at);
      if (edge && from < 0) from = at;
      if (!edge && from >= 0) {
        add(from, at);
        from = -1;
      }
    }
  };
  for (let row = 0; row <= rows; row++) runs(columns, (at) => inside(row, at) !== inside(row - 1, at), (from, to) => edges.push([from, row, to, row]));
  for (let column = 0; column <= columns; column++) {
    runs(rows, (at) => inside(at, column) !== inside(at, column - 1), (from, to) => edges.push([column, from, column, to]));
  }
  return edges;
}

/** What is painted, from the bottom to the top. */
export interface Layers {
  images: (HTMLCanvasElement | HTMLImageElement)[];
  edges: { lines: Edge[]; rows: number; columns: number } | null;
  /** A place to mark, as shares, and the size of a value there. */
  mark: { x: number; y: number; width: number; height: number } | null;
}

/** Paint the visible part of the layers over the whole canvas. */
export function paint(canvas: HTMLCanvasElement, layers: Layers, zoom: Zoom, ratio = 1): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  const [left, top] = [zoom.x - 0.5 / zoom.scale, zoom.y - 0.5 / zoom.scale];
  for (const image of layers.images) {
    const [w, h] = image instanceof HTMLImageElement ? [image.naturalWidth, image.naturalHeight] : [image.width, image.height];
    if (!w || !h) continue;
    context.imageSmoothingEnabled = (width * zoom.scale) / w < 1; // only where values are smaller than a pixel
    context.imageSmoothingQuality = "high";
    context.drawImage(image, left * w, top * h, w / zoom.scale, h / zoom.scale, 0, 0, width, height);
  }
  const x = (share: number) => (share - left) * zoom.scale * width;
  const y = (share: number) => (share - top) * zoom.scale * height;
  if (layers.edges) {
    const { lines, rows, columns } = layers.edges;
    context.beginPath();
    for (const [x1, y1, x2, y2] of lines) {
      context.moveTo(x(x1 / columns), y(y1 / rows));
      context.lineTo(x(x2 / columns), y(y2 / rows));
    }
    stroke(context, ratio, "#000");
  }
  if (layers.mark) {
    const { mark } = layers;
    context.beginPath();
    context.rect(x(mark.x), y(mark.y), mark.width * zoom.scale * width, mark.height * zoom.scale * height);
    stroke(context, ratio, "#0a7d28");
  }
}

/** A line that shows on light and dark. */
function stroke(context: CanvasRenderingContext2D, ratio: number, colour: string): void {
  context.lineCap = "square";
  [context.strokeStyle, context.lineWidth] = ["#fff", 4 * ratio];
  context.stroke();
  [context.strokeStyle, context.lineWidth] = [colour, 1.6 * ratio];
  context.stroke();
}
