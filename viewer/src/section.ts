/** What every section of the page gets, and how it draws itself again. */

import type { Content } from "./document/decode";
import type { Study } from "./document/types";
import type { State } from "./state";

export interface Context {
  content: Content;
  state: State;
  /** The Vega bundle, or null where it is not there: charts then say so. */
  vega: VegaEmbed | null;
  /** The live server, or null for a file. */
  live: Live | null;
}

export type VegaEmbed = (element: HTMLElement, spec: object, options: object) => Promise<{ view: VegaView; finalize(): void }>;

export interface VegaView {
  toSVG(scale?: number): Promise<string>;
  toCanvas(scale?: number): Promise<HTMLCanvasElement>;
  addEventListener(type: string, listener: (event: unknown, item: { datum?: Record<string, unknown> } | null) => void): void;
}

export interface Live {
  /** Sends a request to the server that served the page, with its token. */
  ask(path: string, body?: unknown): Promise<Response>;
  events(listener: (event: { kind: string; [key: string]: unknown }) => void): () => void;
}

/** A part of the page about one study, drawn again when one of its keys of the state changes. */
export abstract class Section extends HTMLElement {
  protected context!: Context;
  protected study!: Study;
  private end: (() => void) | null = null;

  /** The keys of the state that it shows. */
  abstract readonly keys: string[];
  abstract draw(changed: Set<string>): void;

  open(context: Context, study: Study): this {
    this.context = context;
    this.study = study;
    return this;
  }

  connectedCallback(): void {
    this.draw(new Set());
    this.end = this.context.state.on((changed) => {
      if (this.keys.some((key) => changed.has(key))) this.draw(changed);
    });
  }

  disconnectedCallback(): void {
    this.end?.();
    this.end = null;
  }
}
