/** What all panels of an example share: the zoom, and the place under the pointer. */

import { clamped, type Zoom } from "../keys";

/** A place of the input: of an image a row and a column as shares of its sides, otherwise the index of a feature or step. */
export type Place = { x: number; y: number } | { feature: number } | null;

export interface Member {
  zoomed?(): void;
  pointed?(place: Place): void;
}

export class Stage {
  private members = new Set<Member>();
  place: Place = null;

  /** @param settled called with a zoom that the reader has finished choosing. */
  constructor(
    public zoom: Zoom,
    private settled: (zoom: Zoom) => void,
  ) {}

  add(member: Member): void {
    this.members.add(member);
  }

  point(place: Place): void {
    this.place = place;
    for (const member of this.members) member.pointed?.(place);
  }

  /** Show another part in all panels; `done` when the reader has finished. */
  show(zoom: Zoom, done = true): void {
    this.zoom = clamped(zoom);
    for (const member of this.members) member.zoomed?.();
    if (done) this.settled(this.zoom);
  }

  /** Enlarge by a factor around a place of the input, which stays where it is on the screen. */
  enlarge(factor: number, x = this.zoom.x, y = this.zoom.y): void {
    const scale = clamped({ ...this.zoom, scale: this.zoom.scale * factor }).scale;
    const ratio = this.zoom.scale / scale;
    this.show({ scale, x: x + (this.zoom.x - x) * ratio, y: y + (this.zoom.y - y) * ratio });
  }

  finish(): void {
    this.settled(this.zoom);
  }

  /** The place of the input at a place of the panel, both as shares. */
  inside(x: number, y: number): { x: number; y: number } {
    return { x: this.zoom.x + (x - 0.5) / this.zoom.scale, y: this.zoom.y + (y - 0.5) / this.zoom.scale };
  }
}
