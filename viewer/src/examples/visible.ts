/** Draws what is seen, when it is seen, and everything before the page is printed. */

/** What waits to be seen. Elements that leave the page are forgotten with what they wait for. */
const waiting = new WeakMap<Element, () => void>();
let isPrinting = false;

/** Calls `draw` once, when the element comes near the screen. Returns what forgets it. */
export function whenVisible(element: Element, draw: () => void): () => void {
  if (isPrinting || typeof IntersectionObserver === "undefined") {
    draw();
    return () => undefined;
  }
  const observer = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && now(), { rootMargin: "300px" });
  const end = () => {
    observer.disconnect();
    waiting.delete(element);
  };
  const now = () => {
    end();
    draw();
  };
  observer.observe(element);
  waiting.set(element, now);
  return end;
}

/** Draws everything inside that still waits, whether it is seen or not. */
export function drawAll(inside: Element): void {
  isPrinting = true;
  try {
    for (const element of inside.querySelectorAll("*")) waiting.get(element)?.();
  } finally {
    isPrinting = false;
  }
}
