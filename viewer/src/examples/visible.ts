/** Draws what is seen, when it is seen, and everything before the page is printed. */

/** Calls `draw` once, when the element comes near the screen. Returns what forgets it. */
export function whenVisible(element: Element, draw: () => void): () => void {
  if (typeof IntersectionObserver === "undefined") {
    draw();
    return () => undefined;
  }
  const end = () => {
    observer.disconnect();
    window.removeEventListener("beforeprint", now);
  };
  const now = () => {
    end();
    draw();
  };
  const observer = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && now(), { rootMargin: "300px" });
  observer.observe(element);
  window.addEventListener("beforeprint", now);
  return end;
}
