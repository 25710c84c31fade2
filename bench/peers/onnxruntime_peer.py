"""Python's side of `bench/embed.sh`: Pillow, NumPy, `tokenizers` and ONNX Runtime, one after the other.

One batch is decoded, resized and put together, then computed, then the next. At batch 1 it is what
ApertureDB's own scripts do: one picture for each pass through the graph.
"""

import argparse
import json
import pathlib
import sys
import time

MODELS = pathlib.Path(__file__).resolve().parents[2] / "tools" / "models"
sys.path.insert(0, str(MODELS))
import packages

packages.kept(packages.RUN)
import numpy
import onnxruntime
import PIL
import PIL.Image
from encoder import Encoder


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["images", "texts", "captions", "data", "versions"])
    parser.add_argument("--bundle", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--count", type=int, help="pictures and texts to make")
    options = parser.parse_args()
    if options.command == "versions":
        versions = {"numpy": numpy.__version__, "onnxruntime": onnxruntime.__version__,
                    "pillow": PIL.__version__}
        print(json.dumps({"versions": versions, "pools": []}))
    elif options.command == "data":
        make(options.data, options.count)
    elif options.command == "images":
        images(options)
    else:
        texts(options)


def images(options):
    encoder = Encoder(options.bundle, options.threads)
    paths = sorted((options.data / "images").iterdir())
    encoder.images(paths[:options.batch], options.batch)
    measure("images", options, len(paths),
            lambda: encoder.images(paths * options.repeat, options.batch))


def texts(options):
    encoder = Encoder(options.bundle, options.threads)
    lines = (options.data / f"{options.command}.txt").read_text(encoding="utf-8").splitlines()
    encoder.texts(lines[:options.batch])
    lines *= options.repeat

    def work():
        for start in range(0, len(lines), options.batch):
            encoder.texts(lines[start:start + options.batch])

    measure(options.command, options, len(lines) // options.repeat, work)


def measure(what, options, count, work):
    start, before = time.perf_counter(), time.process_time()
    work()
    wall, used = time.perf_counter() - start, time.process_time() - before
    count *= options.repeat
    unit = "images" if what == "images" else "texts"
    status = pathlib.Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    for name, value in ((f"{unit}/s", count / wall), (f"{unit}/CPU-s", count / used),
                        ("MB at peak", peak / 1024)):
        print(json.dumps({"case": f"{what}, batch {options.batch}", "unit": name, "value": value}))


def make(data, count):
    """Pictures like photos (1024 × 768, some 200 kB), texts of 77 tokens and more, and short ones."""
    folder = data / "images"
    folder.mkdir(parents=True, exist_ok=True)
    random = numpy.random.default_rng(5)
    for number in range(count):
        path = folder / f"{number:04}.jpg"
        # Coarse forms, finer ones, and a camera's grain.
        pixels = numpy.zeros((768, 1024, 3), numpy.float32)
        for cells, strength in ((6, 90), (24, 40), (96, 25), (384, 14)):
            coarse = random.integers(0, 256, (cells * 3 // 4, cells, 3), numpy.uint8)
            smooth = PIL.Image.fromarray(coarse).resize((1024, 768), PIL.Image.Resampling.BICUBIC)
            pixels += (numpy.asarray(smooth, numpy.float32) - 128) * (strength / 128)
        pixels += random.normal(0, 4, pixels.shape)
        PIL.Image.fromarray(numpy.clip(pixels + 128, 0, 255).astype(numpy.uint8)).save(
            path, quality=88)
    words = ("rice lentil tomato basil pepper onion butter chicken curry bread cheese lemon garlic "
             "ginger mint cream potato pasta salad soup").split()
    for name, length in (("texts", 90), ("captions", 11)):
        lines = [" ".join(random.choice(words, length)) for _ in range(4 * count)]
        (data / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    sizes = [path.stat().st_size for path in folder.iterdir()]
    print(json.dumps({"pictures": len(sizes), "kB": sum(sizes) / len(sizes) / 1000}))


if __name__ == "__main__":
    main()
