"""Pictures, videos, vectors and tables, made on the spot and the same each time."""

import csv
import io

import cv2
import numpy as np
from PIL import Image


def picture(n, size=(24, 16), form="PNG"):
    """The bytes of a small picture; two of different `n` differ."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([(x * 7 + n) % 256, (y * 11 + 3 * n) % 256, (x * y + 5 * n) % 256], axis=-1)
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(out, form)
    return out.getvalue()


def pixels(data):
    """A picture's pixels, as RGB."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def video(path, frames=10):
    """A small video of so many frames at 10 frames a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (32, 24))
    for n in range(frames):
        writer.write(np.full((24, 32, 3), 20 * n % 256, dtype=np.uint8))
    writer.release()
    return path.read_bytes()


def vectors(count, dimensions, seed=7):
    """Vectors of length 1, as float32."""
    made = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def table(path, rows):
    """Writes rows, which all have the same keys, as CSV; gives the path as text."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)
