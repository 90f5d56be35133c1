/** What leaves the page: files that are saved, and texts that are copied. */

/** Offers a file for download. */
export function save(name: string, content: string | Blob, type: string): string {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name.replace(/[^\w.-]+/g, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return "saved";
}

/** Copies a text, and says whether it could. */
export async function copy(text: string): Promise<string> {
  try {
    await navigator.clipboard.writeText(text);
    return "copied";
  } catch {
    return copiedBySelection(text) ? "copied" : "the browser does not allow copying";
  }
}

/** The old way, where a page has no access to the clipboard (frames of notebooks). */
function copiedBySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  area.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    area.remove();
  }
}
