/** A figure that draws a chart when it comes into view, and saves it as SVG, PNG or its rows as CSV. */

import { h } from "../dom";
import type { Context, VegaView } from "../section";
import { copy, save } from "../tables/leaving";
import { csv } from "../tables/markup";
import { table } from "../tables/table";
import { specification, type ChartName, type Row } from "./specification";
import { onTheme, themeOf } from "./theme";

export type { ChartName, Row } from "./specification";

export interface ChartOptions {
  /** What the chart shows, in a sentence, for readers who do not see it. */
  label: string;
  /** What is to be read under it. */
  caption?: string;
  /** Of the plot, in pixels; by default as many steps as there are rows. */
  height?: number;
  /** Fewest and most pixels of the width: narrower places scroll, in wider ones it stays at the left. */
  fewest?: number;
  most?: number;
  parameters?: Record<string, number>;
  /** Of the files that are saved, without ending. */
  file?: string;
  onclick?: (row: Row) => void;
}

const AHEAD = "400px";
const ERRORS = 1; // of Vega, which also warns of layers without rows
const SLACK = 24; // pixels of width that change nothing

export function chart(context: Context, name: ChartName, rows: Row[], options: ChartOptions): HTMLElement {
  const stage = h("div", { class: "chart-stage", role: "img", "aria-label": options.label });
  const file = options.file ?? name;
  const figure = h("figure", { class: `chart chart-${name}` });
  if (!context.vega) {
    figure.append(asTable(options.caption ?? options.label, rows));
    return figure;
  }
  const status = h("span", { class: "chart-status", "aria-live": "polite" });
  const drawing = new Drawing(context.vega, stage, name, rows, options);
  const button = (text: string, title: string, act: () => Promise<string>): HTMLElement =>
    h("button", { type: "button", title, onclick: () => void act().then((told) => (status.textContent = told)) }, text);
  figure.append(
    h("div", { class: "chart-scroll", tabindex: options.fewest ? 0 : null, role: options.fewest ? "group" : null, "aria-label": options.fewest ? options.label : null }, stage),
    h(
      "figcaption",
      null,
      options.caption ? h("span", { class: "chart-caption" }, options.caption) : null,
      h(
        "span",
        { class: "chart-tools" },
        button("SVG", `save the chart as ${file}.svg`, async () => save(`${file}.svg`, await drawing.svg(), "image/svg+xml")),
        button("PNG", `save the chart as ${file}.png`, async () => save(`${file}.png`, await drawing.png(), "image/png")),
        button("CSV", "copy the numbers of the chart", () => copy(csv(...columnsOf(rows)))),
        status,
      ),
    ),
  );
  drawing.whenSeen();
  return figure;
}

class Drawing {
  private drawn = 0;
  private round = 0;
  private view: VegaView | null = null;
  private end: (() => void) | null = null;

  constructor(
    private embed: NonNullable<Context["vega"]>,
    private stage: HTMLElement,
    private name: ChartName,
    private rows: Row[],
    private options: ChartOptions,
  ) {}

  whenSeen(): void {
    const { stage } = this;
    const print = (): void => void (stage.isConnected ? this.draw() : removeEventListener("beforeprint", print));
    addEventListener("beforeprint", print);
    if (typeof IntersectionObserver === "undefined") {
      queueMicrotask(() => void this.draw());
      return;
    }
    const seen = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        seen.disconnect();
        void this.draw();
        new ResizeObserver(() => void (this.drawn && Math.abs(this.room() - this.drawn) > SLACK && this.draw())).observe(stage.parentElement!);
        onTheme(stage, () => {
          if (stage.isConnected) void this.draw(true);
          return stage.isConnected;
        });
      },
      { rootMargin: AHEAD },
    );
    seen.observe(stage);
  }

  private room(): number {
    const { fewest = 0, most = 760 } = this.options;
    return Math.max(fewest, Math.min(most, (this.stage.parentElement?.clientWidth ?? 0) || 640));
  }

  private async draw(anew = false): Promise<void> {
    const room = this.room();
    if (this.drawn === room && !anew) return;
    this.drawn = room;
    const round = ++this.round;
    const theme = themeOf(this.stage);
    const { height = null, parameters = {}, onclick } = this.options;
    const spec = specification(this.name, this.rows, { theme, width: room, height, parameters });
    const place = h("div");
    const tooltip = { theme: theme.dark ? "dark" : "light" };
    try {
      const result = await this.embed(place, spec, { ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip, logLevel: ERRORS });
      if (round !== this.round) return result.finalize();
      this.end?.();
      this.end = () => result.finalize();
      this.view = result.view;
      if (onclick) result.view.addEventListener("click", (_, item) => void (item?.datum && onclick(item.datum as Row)));
      place.firstElementChild?.setAttribute("aria-hidden", "true");
      this.stage.replaceChildren(place);
    } catch (error) {
      this.stage.replaceChildren(h("p", { class: "chart-failed" }, `This chart cannot be drawn: ${String(error)}`));
    }
  }

  private async ready(): Promise<VegaView> {
    if (!this.view) await this.draw(true);
    if (!this.view) throw new Error("the chart could not be drawn");
    return this.view;
  }

  async svg(): Promise<string> {
    return (await this.ready()).toSVG();
  }

  async png(): Promise<Blob> {
    const canvas = await (await this.ready()).toCanvas(2);
    return new Promise((done, failed) => canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("the picture is empty")))));
  }
}

/** Names of the columns and the cells of all rows. */
export function columnsOf(rows: Row[]): [string[], (string | number | null)[][]] {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) => !/(^|_)place$|^edge$|^label$/.test(name));
  return [names, rows.map((row) => names.map((name) => plain(row[name])))];
}

function plain(value: Row[string] | undefined): string | number | null {
  return typeof value === "boolean" ? (value ? "yes" : "no") : (value ?? null);
}

function asTable(caption: string, rows: Row[]): HTMLElement {
  const [names, cells] = columnsOf(rows);
  return table({ caption, columns: names.map((name) => ({ name })), rows: cells });
}
