/** The panels of plugins, below what a section shows. Nothing that a panel holds breaks the page. */

import { inColours } from "../charts/specification";
import { onTheme, themeOf } from "../charts/theme";
import type { Panel, Study } from "../document/types";
import { h } from "../dom";
import type { Context } from "../section";

const WIDEST = 760;
const ERRORS = 1; // of Vega

/** Loads nothing, whatever a specification asks for. */
const NOTHING = {
  load: (address: string): Promise<never> => Promise.reject(new Error(`panels load nothing: ${address}`)),
  sanitize: (address: string): Promise<never> => Promise.reject(new Error(`panels link to nothing: ${address}`)),
  http: (address: string): Promise<never> => Promise.reject(new Error(`panels load nothing: ${address}`)),
  file: (address: string): Promise<never> => Promise.reject(new Error(`panels load nothing: ${address}`)),
};

export function panelsOf(context: Context, study: Study, section: string): HTMLElement[] {
  return study.panels.filter((each) => each.section === section).map((each) => panel(context, each));
}

function panel(context: Context, { label, title, plugin, html, chart, caption, error }: Panel): HTMLElement {
  const from = plugin ? h("p", { class: "panel-from soft" }, `panel ${label}, of ${plugin}`) : null;
  let content: HTMLElement;
  if (error) content = failed(error);
  else if (chart) content = drawn(context, chart, title, caption);
  else {
    content = h("div", { class: "panel-html" });
    content.innerHTML = html; // cleaned when the page was made
  }
  return h("section", { class: "panel", "aria-label": title }, h("h2", null, title), content, from);
}

function failed(words: string): HTMLElement {
  return h("p", { class: "panel-failed", role: "note" }, words);
}

function drawn(context: Context, chart: string, title: string, caption: string): HTMLElement {
  const stage = h("div", { class: "chart-stage", role: "img", "aria-label": caption ? `${title}. ${caption}` : title });
  const figure = h("figure", { class: "chart panel-chart" }, h("div", { class: "chart-scroll", tabindex: 0, role: "group", "aria-label": title }, stage), caption ? h("figcaption", null, h("span", { class: "chart-caption" }, caption)) : null);
  if (!context.vega) return failed("The chart library is not here.");
  let end: (() => void) | null = null;
  const draw = async (): Promise<void> => {
    const theme = themeOf(stage);
    const place = h("div");
    try {
      const width = Math.min(WIDEST, stage.parentElement?.clientWidth || WIDEST);
      const spec = inColours(JSON.parse(chart) as Record<string, unknown>, { theme, width });
      const options = { ast: true, renderer: "svg", actions: false, defaultStyle: false, loader: NOTHING, tooltip: { theme: theme.dark ? "dark" : "light" }, logLevel: ERRORS };
      const result = await context.vega!(place, spec, options);
      end?.();
      end = () => result.finalize();
      place.firstElementChild?.setAttribute("aria-hidden", "true");
      stage.replaceChildren(place);
    } catch (error) {
      stage.replaceChildren(failed(`This chart cannot be drawn: ${String(error).split("\n")[0]}`));
    }
  };
  queueMicrotask(() => {
    void draw();
    onTheme(stage, () => {
      if (stage.isConnected) void draw();
      return stage.isConnected;
    });
  });
  return figure;
}
