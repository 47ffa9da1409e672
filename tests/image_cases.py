#!/usr/bin/env python3
"""Writes the small images of tests/fuzz/corpus/fuzz_png and fuzz_jpeg and prints what Pillow makes of them and of
resizes, as the rows of tests/image_cases.h. Needs Pillow (13.0.0 made what is committed); the tests do not.

    python3 tests/image_cases.py > tests/image_cases.h
"""
import hashlib
import os
import struct
import zlib

from PIL import Image

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RESIZES = [(37, 23, 90, 61), (640, 480, 111, 77), (64, 64, 64, 20), (64, 64, 29, 64), (1, 1, 5, 7), (200, 100, 1, 1),
           (3000, 17, 1500, 8), (3000, 17, 7, 17), (3000, 17, 4000, 40), (17, 3000, 17, 1234), (50, 40, 50, 40),
           (2, 3, 300, 200), (33, 48, 32, 47), (1000, 800, 999, 801)]


def value(x, y, c):
    """As make_image of tests/test_image.c: noise, so that every weight counts and sums are clipped."""
    return ((x * x * 3 + y * y * 5 + x * y * 7 + c * 101 + 1) * 2654435761 & 0xffffffff) >> 24


def smooth(x, y, c):
    return (x * (5 + c) + y * (9 - 2 * c) + 40 * c) & 255


def make(width, height, pixel=value):
    image = Image.new("RGB", (width, height))
    image.putdata([tuple(pixel(x, y, c) for c in range(3)) for y in range(height) for x in range(width)])
    return image


def digest(image):
    return hashlib.sha256(image.tobytes()).hexdigest()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, row_bytes, extra=b""):
    """A PNG file by hand, of kinds that Pillow does not write."""
    rows = b"".join(b"\0" + bytes(value(x, y, 2) for x in range(row_bytes)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(rows, 9)) +
            chunk(b"IEND", b""))


def interlaced(width, height):
    """8 bits of red, green and blue in Adam7's seven passes."""
    rows = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
                           (0, 1, 1, 2)):
        for y in range(y0, height, dy):
            row = bytes(value(x, y, c) for x in range(x0, width, dx) for c in range(3))
            rows += b"\0" + row if row else b""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def write(name, data):
    kind = "fuzz_jpeg" if name.endswith(".jpg") else "fuzz_png"
    path = os.path.join(ROOT, "tests/fuzz/corpus", kind, name)
    if isinstance(data, bytes):
        with open(path, "wb") as file:
            file.write(data)
    else:
        image, options = data
        image.save(path, **options)
    with Image.open(path) as image:
        rgb = image.convert("RGB")
        print('  X("%s/%s", %d, %d, \\\n    "%s") \\' % (kind, name, rgb.width, rgb.height, digest(rgb)))


def main():
    palette = chunk(b"PLTE", bytes(value(i, 5, 1) for i in range(3 * 9)))
    noise, soft = make(13, 9), make(45, 38, smooth)
    print("/* tests/image_cases.h - what Pillow %s makes of images. Written by tests/image_cases.py. */" %
          __import__("PIL").__version__)
    print("#ifndef PARL_TESTS_IMAGE_CASES_H\n#define PARL_TESTS_IMAGE_CASES_H")
    print("/* clang-format off */")
    print("/* X(file of tests/fuzz/corpus, width, height, SHA-256 of its RGB) */\n#define IMAGE_FILES(X) \\")
    write("rgb.png", (noise, {}))
    write("rgba.png", (noise.convert("RGBA"), {}))
    write("grey.png", (noise.convert("L"), {}))
    write("grey_alpha.png", (noise.convert("LA"), {}))
    write("grey_1.png", png(13, 3, 1, 0, 2))
    write("grey_2.png", png(13, 3, 2, 0, 4))
    write("grey_4.png", png(13, 3, 4, 0, 7))
    write("grey_alpha_16.png", png(5, 4, 16, 4, 20))
    write("rgb_16.png", png(5, 4, 16, 2, 30))
    write("rgba_16.png", png(5, 4, 16, 6, 40))
    write("grey_key.png", png(5, 4, 8, 0, 5, chunk(b"tRNS", b"\0\7")))
    write("palette_4.png", png(13, 3, 4, 3, 7, palette))
    write("palette_8.png", png(5, 4, 8, 3, 5, palette + chunk(b"tRNS", b"\0\x80")))
    write("gamma.png", png(5, 4, 8, 2, 15, chunk(b"gAMA", struct.pack(">I", 100000))))
    png_16 = png(5, 4, 16, 0, 10)  # refused, as is CMYK
    with open(os.path.join(ROOT, "tests/fuzz/corpus/fuzz_png/grey_16.png"), "wb") as file:
        file.write(png_16)
    soft.convert("CMYK").save(os.path.join(ROOT, "tests/fuzz/corpus/fuzz_jpeg/cmyk.jpg"))
    write("interlaced.png", interlaced(13, 9))
    write("grey.jpg", (soft.convert("L"), {"quality": 80}))
    write("444.jpg", (soft, {"quality": 90, "subsampling": 0}))
    write("422.jpg", (soft, {"quality": 75, "subsampling": 1}))
    write("420.jpg", (soft, {"quality": 60, "subsampling": 2}))
    write("progressive.jpg", (soft, {"quality": 70, "progressive": True}))
    write("rgb.jpg", (soft, {"quality": 85, "keep_rgb": True}))
    print("/* X(width, height, to width, to height, SHA-256 of BICUBIC) */\n#define IMAGE_RESIZES(X) \\")
    for w, h, to_w, to_h in RESIZES:
        print('  X(%d, %d, %d, %d, \\\n    "%s") \\' %
              (w, h, to_w, to_h, digest(make(w, h).resize((to_w, to_h), Image.Resampling.BICUBIC))))
    print("/* clang-format on */\n#endif")


if __name__ == "__main__":
    main()
