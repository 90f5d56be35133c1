/** An image or a map over it, on a canvas at the screen's resolution, with the value under the pointer in words. */

import { h } from "../../dom";
import { number } from "../../format";
import { greyed, mapImage, outline, paint, type Layers } from "../maps/canvas";
import type { Scheme } from "../maps/colour";
import type { Place, Stage } from "../maps/stage";
import type { Shown } from "../maps/values";
import { whenVisible } from "../visible";

export interface ImagePanel {
  /** For screen readers. */
  label: string;
  /** Rows and columns of the panel's grid. */
  size: [number, number];
  picture: Promise<HTMLImageElement> | null;
  map: Shown | null;
  scheme: Scheme;
  /** Opacity of the map over the picture; null draws the map alone. */
  veil: number | null;
  mask: { values: Float32Array; shape: number[] } | null;
}

/** The canvas, what is drawn on it at any width, and what says the value at a place. */
export function imagePanel(panel: ImagePanel, stage: Stage, say: (words: string) => void): { element: HTMLElement; at(width: number): Promise<HTMLCanvasElement> } {
  const canvas = h("canvas", { class: "examples-canvas", role: "img", "aria-label": panel.label, tabindex: 0 }) as HTMLCanvasElement;
  canvas.style.aspectRatio = `${panel.size[1]} / ${panel.size[0]}`;
  let layers: Layers | null = null;
  const ready = async (): Promise<Layers> => {
    if (layers) return layers;
    const images: Layers["images"] = [];
    if (panel.picture && (!panel.map || panel.veil !== null)) {
      const picture = await panel.picture;
      images.push(panel.map ? greyed(picture) : picture);
    }
    if (panel.map) images.push(mapImage(panel.map, panel.scheme, images.length ? panel.veil : null));
    const [rows, columns] = panel.mask?.shape ?? [0, 0];
    const edges = panel.mask && rows && columns ? { lines: outline(panel.mask.values, rows, columns), rows, columns } : null;
    return (layers = { images, edges, mark: null });
  };
  const draw = async () => {
    const drawn = await ready();
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round((width * panel.size[0]) / panel.size[1]));
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    paint(canvas, { ...drawn, mark: markOf(stage.place, panel) }, stage.zoom, ratio);
    canvas.classList.toggle("examples-zoomed", stage.zoom.scale > 1);
  };
  let seen = false;
  whenVisible(canvas, () => {
    seen = true;
    if (typeof ResizeObserver === "undefined") void draw();
    else new ResizeObserver(() => void draw()).observe(canvas);
  });
  stage.add({
    zoomed: () => seen && void draw(),
    pointed: (place) => {
      say(words(place, panel));
      if (seen) void draw();
    },
  });
  follow(canvas, panel, stage);
  return {
    element: canvas,
    at: async (width) => {
      const copy = document.createElement("canvas");
      [copy.width, copy.height] = [width, Math.round((width * panel.size[0]) / panel.size[1])];
      paint(copy, { ...(await ready()), mark: null }, stage.zoom, width / 400);
      return copy;
    },
  };
}

function grid(panel: ImagePanel): [number, number] {
  return panel.map ? [panel.map.shape[0]!, panel.map.shape[1]!] : panel.size;
}

/** Row and column of a place, from 0. */
export function cellAt(place: { x: number; y: number }, [rows, columns]: [number, number]): [number, number] {
  const inside = (share: number, count: number) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
  return [inside(place.y, rows), inside(place.x, columns)];
}

function markOf(place: Place, panel: ImagePanel): Layers["mark"] {
  if (!place || !("x" in place)) return null;
  const [rows, columns] = grid(panel);
  const [row, column] = cellAt(place, [rows, columns]);
  return { x: column / columns, y: row / rows, width: 1 / columns, height: 1 / rows };
}

function words(place: Place, panel: ImagePanel): string {
  if (!place || !("x" in place)) return "";
  const [row, column] = cellAt(place, grid(panel));
  const where = `row ${row + 1}, column ${column + 1}`;
  return panel.map ? `${where}: ${number(panel.map.values[row * panel.map.shape[1]! + column])}` : where;
}

/** Pointer and keys: the place, dragging, and enlarging with the wheel while Ctrl is held. */
function follow(canvas: HTMLCanvasElement, panel: ImagePanel, stage: Stage): void {
  let held: { x: number; y: number } | null = null;
  const share = (event: MouseEvent) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height] as const;
  };
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = share(event);
    if (!held) return stage.point(stage.inside(x, y));
    const { zoom } = stage;
    stage.show({ scale: zoom.scale, x: zoom.x + (held.x - x) / zoom.scale, y: zoom.y + (held.y - y) / zoom.scale }, false);
    held = { x, y };
  });
  canvas.addEventListener("pointerleave", () => !held && stage.point(null));
  canvas.addEventListener("pointerdown", (event) => {
    if (stage.zoom.scale === 1 || event.button !== 0) return;
    const [x, y] = share(event);
    held = { x, y };
    canvas.setPointerCapture(event.pointerId);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      if (held) stage.finish();
      held = null;
    });
  }
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // the wheel alone scrolls the page
      event.preventDefault();
      const at = stage.inside(...share(event));
      stage.enlarge(Math.exp(-event.deltaY / 200), at.x, at.y);
    },
    { passive: false },
  );
  canvas.addEventListener("dblclick", (event) => {
    const at = stage.inside(...share(event));
    stage.enlarge(2, at.x, at.y);
  });
  canvas.addEventListener("keydown", (event) => {
    if (!keyed(event, panel, stage)) return;
    event.preventDefault();
    event.stopPropagation();
  });
}

function keyed(event: KeyboardEvent, panel: ImagePanel, stage: Stage): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (step && event.shiftKey) {
    const [rows, columns] = grid(panel);
    const from = stage.place && "x" in stage.place ? stage.place : { x: stage.zoom.x, y: stage.zoom.y };
    const [row, column] = cellAt(from, [rows, columns]);
    const place = {
      x: (Math.min(columns - 1, Math.max(0, column + step[1]!)) + 0.5) / columns,
      y: (Math.min(rows - 1, Math.max(0, row + step[0]!)) + 0.5) / rows,
    };
    if (stage.zoom.scale > 1) stage.show({ ...stage.zoom, ...place });
    stage.point(place);
    return true;
  }
  if (event.key === "+" || event.key === "=") stage.enlarge(1.5);
  else if (event.key === "-") stage.enlarge(1 / 1.5);
  else if (event.key === "0") stage.enlarge(0);
  else return false;
  return true;
}
