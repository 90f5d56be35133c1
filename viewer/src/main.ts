/** The module of the viewer: opens the document of the page that loads it; notebooks call `render`. */

import { type Content, fromBase64, inflate, unpack } from "./document/decode";
import { h } from "./dom";
import "./live/element";
import { Server, tokenOf } from "./live/server";
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

/** The packed document of a server that `xaiexp view` runs. */
async function served(server: Server): Promise<Uint8Array<ArrayBuffer>> {
  const response = await server.ask("/document");
  if (!response.ok) throw new Error(response.status === 403 ? "open the address that xaiexp view printed, with its token" : `the server answers ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

function storage(): Storage | null {
  try {
    return window.sessionStorage;
  } catch {
    return null; // a browser that keeps nothing
  }
}

async function boot(): Promise<void> {
  const source = document.getElementById("xaiexp-document");
  const isLive = document.querySelector('meta[name="xaiexp-live"]') !== null;
  if (!source && !isLive) return;
  const summary = document.getElementById("xaiexp-summary");
  const place = h("div");
  try {
    const server = isLive ? new Server(tokenOf(window.location, storage())) : null;
    const packed = server ? await served(server) : fromBase64(source?.textContent ?? "");
    const viewer = await show(place, packed, new State(window.location), server);
    if (server) document.title = viewer.shadowRoot?.querySelector("h1")?.textContent || "xaiexp";
    summary?.replaceWith(place);
  } catch (error) {
    summary?.prepend(h("p", { role: "alert" }, `The page could not be opened: ${error instanceof Error ? error.message : String(error)}`));
  }
}

/** For notebooks. */
export default widget(show);

void boot();
