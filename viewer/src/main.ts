/** The module of the viewer: opens the document of the page that loads it; notebooks call `render`. */

import { type Content, fromBase64, inflate, unpack } from "./document/decode";
import { h } from "./dom";
import { widget } from "./notebook";
import type { Context, Live, VegaEmbed } from "./section";
import { State } from "./state";
import style from "./styles";
import { Viewer } from "./viewer";

declare global {
  interface Window {
    vegaEmbed?: VegaEmbed;
  }
}

function context(content: Content, state: State, live: Live | null): Context {
  return { content, state, vega: window.vegaEmbed ?? null, live };
}

function opened(content: Content, state: State, live: Live | null): Viewer {
  const viewer = new Viewer();
  viewer.open(context(content, state, live), style);
  return viewer;
}

/** Show packed bytes of a document inside an element. */
export async function show(element: HTMLElement, packed: Uint8Array<ArrayBuffer>, state: State, live: Live | null = null): Promise<Viewer> {
  const viewer = opened(unpack(await inflate(packed)), state, live);
  element.replaceChildren(viewer);
  return viewer;
}

async function boot(): Promise<void> {
  const source = document.getElementById("xaiexp-document");
  if (!source) return;
  const summary = document.getElementById("xaiexp-summary");
  const place = h("div");
  try {
    await show(place, fromBase64(source.textContent ?? ""), new State(window.location));
    summary?.replaceWith(place);
  } catch (error) {
    summary?.prepend(h("p", { role: "alert" }, `The page could not be opened: ${error instanceof Error ? error.message : String(error)}`));
  }
}

/** For notebooks. */
export default widget(show);

void boot();
