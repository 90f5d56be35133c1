/** The connection to `xaiexp view`: requests with the token of the address, and the server's events. */

import type { Live } from "../section";

export const HEADER = "X-Xaiexp-Token";
const KEPT = "xaiexp-token";
const AGAIN = 1500;

/** The token of the address, taken out of the address bar; of an earlier visit of this tab where it has none. */
export function tokenOf(location: Location, storage: Pick<Storage, "getItem" | "setItem"> | null): string {
  const words = new URLSearchParams(location.hash.slice(1));
  const token = words.get("token");
  if (!token) return storage?.getItem(KEPT) ?? "";
  words.delete("token");
  const rest = words.toString();
  history.replaceState(null, "", location.pathname + location.search + (rest ? `#${rest}` : ""));
  storage?.setItem(KEPT, token);
  return token;
}

export class Server implements Live {
  constructor(private token: string) {}

  /** A body that is no Blob is sent as JSON. */
  ask(path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { [HEADER]: this.token };
    if (body === undefined) return fetch(path, { headers, signal: signal ?? null, cache: "no-store" });
    const raw = body instanceof Blob;
    headers["Content-Type"] = raw ? "application/octet-stream" : "application/json";
    return fetch(path, { method: "POST", headers, body: raw ? body : JSON.stringify(body), signal: signal ?? null });
  }

  /** Calls the listener with every event, and with `{kind: "lost"}` while the server does not answer. */
  events(listener: (event: { kind: string; [key: string]: unknown }) => void): () => void {
    const end = new AbortController();
    const read = async () => {
      while (!end.signal.aborted) {
        try {
          const response = await this.ask("/events", undefined, end.signal);
          if (!response.ok || !response.body) throw new Error(String(response.status));
          for await (const text of lines(response.body)) {
            if (text.startsWith("data: ")) listener(JSON.parse(text.slice(6)));
          }
        } catch {
          // told below, and tried again
        }
        if (end.signal.aborted) return;
        listener({ kind: "lost" });
        await new Promise((resolve) => setTimeout(resolve, AGAIN));
      }
    };
    void read();
    return () => end.abort();
  }
}

async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}
