/** Saves a panel as PNG or SVG. */

/** A name of a file made of names that may hold anything. */
export function fileName(parts: string[], ending: string): string {
  const words = parts.map((part) => part.normalize("NFKD").replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[-.]+|[-.]+$/g, "").slice(0, 60));
  return `${words.filter(Boolean).join("-") || "panel"}.${ending}`;
}

export function download(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

export function svgFile(svg: SVGElement): Blob {
  return new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" });
}

export function canvasFile(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the browser made no PNG of the panel"))), "image/png");
  });
}

/** A drawing as a canvas, twice as large as its own size. */
export async function drawn(svg: SVGElement, scale = 2): Promise<HTMLCanvasElement> {
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(svg))}`;
  await picture.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Number(svg.getAttribute("width")) * scale, Number(svg.getAttribute("height")) * scale];
  canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
}
