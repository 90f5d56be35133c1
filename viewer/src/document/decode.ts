/** Reads the document: 4 bytes with the length of the JSON part, the JSON part, the binary part; deflated, base64. */

import type { Document, File, Numbers } from "./types";

export class Content {
  constructor(
    readonly document: Document,
    private binary: Uint8Array<ArrayBuffer>,
  ) {}

  /** The values of numbers in the binary part, as float32; NaN where undefined. */
  numbers(of: Numbers): Float32Array {
    const start = this.binary.byteOffset + of.at;
    const size = { int8: 1, uint8: 1, int16: 2, int32: 4, float32: 4 }[of.kind];
    const bytes = this.binary.buffer.slice(start, start + of.count * size);
    if (of.kind === "float32") return new Float32Array(bytes);
    const types = { int8: Int8Array, uint8: Uint8Array, int16: Int16Array, int32: Int32Array };
    const whole = new types[of.kind](bytes);
    const undefinedAt = of.scale === null ? null : { int8: -128, uint8: null, int16: -32768, int32: null }[of.kind];
    const scale = of.scale ?? 1;
    const values = new Float32Array(whole.length);
    for (let i = 0; i < whole.length; i++) values[i] = whole[i] === undefinedAt ? NaN : whole[i]! * scale; // 35 times as fast as Float32Array.from
    return values;
  }

  bytes(of: File): Uint8Array<ArrayBuffer> {
    return this.binary.subarray(of.at, of.at + of.count);
  }

  /** An address of a file, which lives as long as the page. */
  url(of: File): string {
    return URL.createObjectURL(new Blob([this.bytes(of)], { type: of.mime }));
  }
}

export function unpack(bytes: Uint8Array<ArrayBuffer>): Content {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true);
  const parsed = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as Document;
  if (parsed.format !== 1) throw new Error(`format ${String(parsed.format)} of the page is unknown to this viewer`);
  return new Content(parsed, bytes.subarray(4 + length));
}

export async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const letters = atob(text.trim());
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}
