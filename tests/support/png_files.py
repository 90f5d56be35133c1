"""PNG files of 16 bits per channel, written by hand: PIL writes them in greyscale only."""

from __future__ import annotations

import struct
import zlib

import numpy as np

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by number of channels


def write_png_of_16_bits(path, values, orientation=1, transparent_grey=None):
    """Write uint16 ``[H, W, C]``; C is 1 (grey), 2 (grey, opacity), 3 (RGB) or 4 (RGB, opacity)."""
    height, width, channels = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPES[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in np.asarray(values))
    chunks = [(b"IHDR", header)]
    if orientation != 1:
        exif = struct.pack("<2sHIHHHIII", b"II", 42, 8, 1, 0x0112, 3, 1, orientation, 0)
        chunks.append((b"eXIf", exif))
    if transparent_grey is not None:
        chunks.append((b"tRNS", struct.pack(">H", transparent_grey)))
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
