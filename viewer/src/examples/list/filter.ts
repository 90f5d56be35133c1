/** Which examples the list holds, and in which order. */

import type { Filter, Range, Sort } from "../keys";

/** What is known of an example and target; null where it is not. */
export interface Candidate {
  /** Name, id, classes, and the words of a text. */
  words: string;
  label: string;
  predicted: string;
  wrong: boolean | null;
  confidence: number | null;
  /** Mean agreement of the chosen cells. */
  agreement: number | null;
  /** The chosen metric's score of the chosen cell. */
  value: number | null;
}

export function passes(candidate: Candidate, filter: Filter): boolean {
  const words = fold(candidate.words);
  return (
    fold(filter.query).split(/\s+/).every((word) => words.includes(word)) &&
    (!filter.label || candidate.label === filter.label) &&
    (!filter.predicted || candidate.predicted === filter.predicted) &&
    (!filter.outcome || candidate.wrong === (filter.outcome === "wrong")) &&
    within(candidate.confidence, filter.confidence) &&
    within(candidate.agreement, filter.agreement) &&
    within(candidate.value, filter.value)
  );
}

/** A range with an end refuses what is unknown. */
export function within(value: number | null, [low, high]: Range): boolean {
  if (low === null && high === null) return true;
  return value !== null && (low === null || value >= low) && (high === null || value <= high);
}

/** The candidates in order; ties and the order of the study keep their places, what is unknown comes last. */
export function sorted<T extends { candidate: Candidate }>(items: T[], sort: Sort, down: boolean): T[] {
  if (sort === "study") return down ? items.toReversed() : items;
  const key = { confidence: "confidence", metric: "value", agreement: "agreement" } as const;
  const value = (item: T) => item.candidate[key[sort]];
  return items.toSorted((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    return down ? y - x : x - y;
  });
}

function fold(text: string): string {
  return text.normalize("NFKC").toLowerCase().trim();
}
