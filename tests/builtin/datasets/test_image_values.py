"""The values of images in files of every mode and depth, compared with arithmetic on what was written."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, TiffImagePlugin
from png_files import write_png_of_16_bits

from xaiexp.builtin.datasets.image_folder import ImageFolder
from xaiexp.errors import ParameterError, ResourceError

RANDOM = np.random.default_rng(0)
BYTES = RANDOM.integers(0, 256, (5, 7, 4), dtype=np.uint8)
WORDS = RANDOM.integers(0, 65536, (5, 7, 4), dtype=np.uint16)
UNIT = RANDOM.random((5, 7)).astype(np.float32)


def read(folder, name, **values):
    """The data of the image of this name, by the dataset."""
    (folder / "labels.csv").write_text(f"file,label\n{name},0\n")
    return ImageFolder(str(folder), **values).open().read(0, 1)[0].data


def check(data, expected, tolerance=1e-7):
    """Compare a sample with ``[H, W]`` or ``[H, W, 3]`` in 0..1."""
    if isinstance(data, Image.Image):
        assert data.mode == "RGB"
        data = torch.from_numpy(np.asarray(data, dtype=np.float32) / 255).permute(2, 0, 1)
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2)
    assert data.dtype == torch.float32
    np.testing.assert_allclose(data.permute(1, 2, 0).numpy(), expected, rtol=0, atol=tolerance)


def over(colours, opacity, background):
    """Composition over a background; all in 0..1."""
    return colours * opacity[..., None] + np.asarray(background) * (1 - opacity[..., None])


def test_a_greyscale_png_of_16_bits_is_divided_by_65535(tmp_path):
    write_png_of_16_bits(tmp_path / "a.png", WORDS[..., :1])
    check(read(tmp_path, "a.png"), WORDS[..., 0] / 65535)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_of_colours_of_16_bits_the_upper_8_are_read(tmp_path, channels):
    write_png_of_16_bits(tmp_path / "a.png", WORDS[..., -channels:])
    unit = (WORDS[..., -channels:] >> 8) / 255
    colours = unit[..., :3] if channels > 2 else np.repeat(unit[..., :1], 3, axis=2)
    opacity = np.ones((5, 7)) if channels == 3 else unit[..., -1]
    check(read(tmp_path, "a.png", background=(0.2, 0.4, 1.0)), over(colours, opacity, (0.2, 0.4, 1.0)), 1 / 255)
    with pytest.raises(ResourceError, match=r"a\.png is decoded with 8 bits per channel, 0 to 255\n  scale must"):
        read(tmp_path, "a.png", scale=4095.0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("bits", [8, 16])
def test_images_are_turned_as_their_exif_orientation_says(tmp_path, orientation, bits):
    upright = np.asarray(
        {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.swapaxes(0, 1)}.get(
            orientation,
            {6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: np.rot90}.get(orientation),
        )(WORDS[..., 0] if bits == 16 else BYTES[..., :3])
    )
    if bits == 16:
        write_png_of_16_bits(tmp_path / "a.png", WORDS[..., :1], orientation)
    else:
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(BYTES[..., :3]).save(tmp_path / "a.png", exif=exif)
    check(read(tmp_path, "a.png"), upright / (2**bits - 1))


@pytest.mark.parametrize("name", ["a.tif", "a.pgm", "a.png"])
def test_greyscale_of_16_bits_written_by_pil(tmp_path, name):
    grey = WORDS[..., 0]
    Image.fromarray(grey).save(tmp_path / name)
    check(read(tmp_path, name), grey / 65535)
    check(read(tmp_path, name, scale=131070.0), grey / 131070)


def test_twelve_bits_in_a_file_of_16_are_divided_by_the_given_scale(tmp_path):
    write_png_of_16_bits(tmp_path / "a.png", WORDS[..., :1] >> 4)
    check(read(tmp_path, "a.png", scale=4095.0), (WORDS[..., 0] >> 4) / 4095)
    Image.fromarray(BYTES[..., 0] >> 4).save(tmp_path / "b.png")
    check(read(tmp_path, "b.png", scale=15.0), (BYTES[..., 0] >> 4) / 15)


def test_a_tiff_of_floats_keeps_values_in_0_to_1_and_is_otherwise_divided_by_the_given_scale(tmp_path):
    Image.fromarray(UNIT).save(tmp_path / "a.tif")
    check(read(tmp_path, "a.tif"), UNIT)
    Image.fromarray(UNIT * 1000).save(tmp_path / "b.tif")
    check(read(tmp_path, "b.tif", scale=1000.0), UNIT)


def integers(low):
    return WORDS[..., 0].astype(np.int32) + low


def white_is_zero(folder):
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[262] = 0
    Image.fromarray(WORDS[..., 0]).save(folder / "a.tif", tiffinfo=info)
    data = bytearray((folder / "a.tif").read_bytes())
    data[data.index(b"\x06\x01\x03\x00\x01\x00\x00\x00") + 8] = 0  # PIL writes 1 in any case
    (folder / "a.tif").write_bytes(data)


REFUSED = [
    (lambda f: Image.fromarray(UNIT * 1.5 - 0.2).save(f / "a.tif"), {}, r"a\.tif must have values between 0 and 1 "),
    (lambda f: Image.fromarray(UNIT * np.nan).save(f / "a.tif"), {}, r"between 0 and 1 \(got 'nan to nan'\)"),
    (lambda f: Image.fromarray(integers(0)).save(f / "a.tif"), {}, r"a\.tif has integers of no fixed range"),
    (
        lambda f: Image.fromarray(integers(-9)).save(f / "a.tif"),
        {"scale": 1e6},
        r"must have values between 0 and 1e\+06",
    ),
    (
        lambda f: write_png_of_16_bits(f / "a.tif", WORDS[..., :1]),
        {"scale": 4095.0},
        r"must have values between 0 and 4095",
    ),
    (white_is_zero, {}, r"its values are inverted \(TIFF, white is zero\)"),
]


@pytest.mark.parametrize(("write", "values", "message"), REFUSED)
def test_values_out_of_range_are_refused_with_the_file(tmp_path, write, values, message):
    write(tmp_path)
    with pytest.raises(ResourceError, match=message) as said:
        read(tmp_path, "a.tif", **values)
    assert str(tmp_path / "a.tif") in str(said.value)
    assert len(str(said.value).splitlines()) <= 2


def test_a_transparent_grey_level_of_16_bits_is_refused(tmp_path):
    write_png_of_16_bits(tmp_path / "a.png", WORDS[..., :1], transparent_grey=int(WORDS[0, 0, 0]))
    with pytest.raises(ResourceError, match="transparent"):
        read(tmp_path, "a.png")


@pytest.mark.parametrize("background", [(1.0, 1.0, 1.0), (0.0, 0.6, 0.2)])
def test_transparent_images_are_composed_over_the_background(tmp_path, background):
    Image.fromarray(BYTES).save(tmp_path / "rgba.png")
    unit = BYTES / 255
    expected = over(unit[..., :3], unit[..., 3], background)
    check(read(tmp_path, "rgba.png", background=background), expected, 1 / 255)
    Image.fromarray(BYTES[..., 2:]).save(tmp_path / "la.png")  # grey and opacity
    expected = over(np.repeat(unit[..., 2:3], 3, axis=2), unit[..., 3], background)
    check(read(tmp_path, "la.png", background=background), expected, 1 / 255)
    indices = BYTES[..., 0] % 4
    palette = RANDOM.integers(0, 256, (4, 3), dtype=np.uint8)
    image = Image.frombytes("P", (7, 5), indices.tobytes())
    image.putpalette(palette.tobytes())
    image.save(tmp_path / "p.png", transparency=2)
    opacity = (indices != 2).astype(float)
    expected = over(palette[indices] / 255, opacity, background)
    check(read(tmp_path, "p.png", background=background), expected, 0.5 / 255 + 1e-6)


def test_images_of_other_modes_look_as_in_a_viewer(tmp_path):
    indices = BYTES[..., 0] % 4
    palette = RANDOM.integers(0, 256, (4, 3), dtype=np.uint8)
    image = Image.frombytes("P", (7, 5), indices.tobytes())
    image.putpalette(palette.tobytes())
    image.save(tmp_path / "p.png")
    check(read(tmp_path, "p.png"), palette[indices] / 255)
    bits = BYTES[..., 1] > 127
    Image.fromarray(bits).save(tmp_path / "bits.png")
    check(read(tmp_path, "bits.png"), bits.astype(float))
    inks = np.broadcast_to(np.array([51, 102, 0, 51], dtype=np.uint8), (5, 7, 4))
    Image.frombytes("CMYK", (7, 5), inks.tobytes()).save(tmp_path / "inks.tif")
    expected = (1 - inks[..., :3] / 255) * (1 - inks[..., 3:] / 255)
    check(read(tmp_path, "inks.tif"), expected, 1 / 255)
    frames = [Image.new("L", (7, 5), level) for level in (40, 200)]
    frames[0].save(tmp_path / "two.tif", save_all=True, append_images=frames[1:])
    check(read(tmp_path, "two.tif"), np.full((5, 7), 40 / 255))  # the first image of a file


def test_masks_and_boxes_of_images_of_16_bits_have_their_size(tmp_path):
    write_png_of_16_bits(tmp_path / "a.png", WORDS[..., :1])
    Image.fromarray((UNIT > 0.5) * np.float32(0.25)).save(tmp_path / "mask.tif")
    (tmp_path / "labels.csv").write_text("file,label,mask,boxes_xyxy\na.png,0,mask.tif,\n")
    sample = ImageFolder(str(tmp_path)).open().read(0, 1)[0]
    np.testing.assert_array_equal(sample.mask.numpy(), UNIT > 0.5)
    (tmp_path / "labels.csv").write_text('file,label,boxes_xyxy\na.png,0,"[[1, 2, 6, 3]]"\n')
    sample = ImageFolder(str(tmp_path)).open().read(0, 1)[0]
    assert sample.mask.nonzero().tolist() == [[2, x] for x in range(1, 6)]


@pytest.mark.parametrize("values", [{"background": (0.5, 0.5, 2.0)}, {"scale": 0.0}])
def test_parameters_out_of_range_are_refused(values):
    with pytest.raises(ParameterError, match=rf"dataset\.image_folder\.{next(iter(values))}: must be"):
        ImageFolder(".", **values)
