/** What the reader has chosen, as words: `metric=infidelity`. Any state is a link, so the page can be restored from it. */

export type Changes = Record<string, string | null>;

export class State {
  private values = new Map<string, string>();
  private listeners = new Set<(changed: Set<string>) => void>();

  /** @param location where the state is kept as a fragment; null keeps it in memory (notebooks). */
  constructor(private location: Location | null = null) {
    this.read();
    if (location) window.addEventListener("hashchange", () => this.read());
  }

  get(key: string, otherwise = ""): string {
    return this.values.get(key) ?? otherwise;
  }

  /** Several values, as `a~b`. */
  list(key: string): string[] {
    const text = this.get(key);
    return text ? text.split("~").map(decodeURIComponent) : [];
  }

  static joined(values: Iterable<string>): string {
    return [...values].map((value) => encodeURIComponent(value).replaceAll("~", "%7E")).join("~");
  }

  /** Change several values at once; null or "" forgets a value. */
  set(changes: Changes): void {
    const changed = new Set<string>();
    for (const [key, value] of Object.entries(changes)) {
      if ((value || null) === (this.values.get(key) ?? null)) continue;
      if (value) this.values.set(key, value);
      else this.values.delete(key);
      changed.add(key);
    }
    if (!changed.size) return;
    if (this.location) history.replaceState(null, "", this.hash() || this.location.pathname + this.location.search);
    this.tell(changed);
  }

  /** Called with the changed keys. Returns what ends it. */
  on(listener: (changed: Set<string>) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  hash(): string {
    const parts = [...this.values].sort().map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`);
    return parts.length ? `#${parts.join("&")}` : "";
  }

  /** Everything, to restore it elsewhere. */
  all(): Record<string, string> {
    return Object.fromEntries(this.values);
  }

  private read(): void {
    const before = this.values;
    this.values = new Map(new URLSearchParams(this.location?.hash.slice(1) ?? ""));
    const changed = new Set([...before.keys(), ...this.values.keys()].filter((key) => before.get(key) !== this.values.get(key)));
    if (changed.size) this.tell(changed);
  }

  private tell(changed: Set<string>): void {
    for (const listener of [...this.listeners]) listener(changed);
  }
}
