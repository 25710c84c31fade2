#!/usr/bin/env python3
"""Pictures per second of a plain Python loop over ONNX Runtime: what the Rust pipeline must beat.

Pillow decodes, resizes and crops, NumPy normalises, ONNX Runtime takes a batch; one after the
other, as one writes it. The model and the runtime are warmed up before the clock starts.
"""

import argparse
import pathlib
import time

from common import Fail, cache_root, run
import packages

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


def pictures(directory):
    folder = directory / "images" if (directory / "images").is_dir() else directory
    if not folder.is_dir():
        raise Fail(f"{folder} is not a directory\n  mend: --data wants one that holds pictures")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    if not paths:
        raise Fail(f"no pictures in {folder}\n"
                   f"  mend: name a directory with files in {', '.join(sorted(PICTURES))}")
    return paths


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
               "  python3 tools/models/bench_loop.py --data examples/data/cookbook\n"
               "  python3 tools/models/bench_loop.py --data DIR --threads 2 --batch 8 --repeat 5\n")
    parser.add_argument("--data", required=True, type=pathlib.Path, metavar="DIR",
                        help="pictures, or a directory with images/ in it")
    parser.add_argument("--bundle", type=pathlib.Path, metavar="DIR",
                        help="the bundle's directory (default: starter-512 in the cache)")
    parser.add_argument("--threads", type=int, default=0, metavar="N",
                        help="ONNX Runtime's intra-op threads (default: one for each core)")
    parser.add_argument("--batch", type=int, default=8, metavar="B")
    parser.add_argument("--repeat", type=int, default=3, metavar="R",
                        help="times that the files are gone through (default 3)")
    options = parser.parse_args()
    for name in ("batch", "repeat"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} {getattr(options, name)}: wanted 1 or more")

    paths = pictures(options.data)
    packages.kept(packages.RUN)
    from encoder import Encoder

    encoder = Encoder(options.bundle or cache_root() / "embedders" / "starter-512",
                      options.threads)
    encoder.images(paths[:options.batch], options.batch)

    preparing = inferring = 0.0
    start = time.perf_counter()
    for _ in range(options.repeat):
        for first in range(0, len(paths), options.batch):
            began = time.perf_counter()
            pixels = [encoder.pixels(path) for path in paths[first:first + options.batch]]
            prepared = time.perf_counter()
            encoder.tensor(pixels)
            preparing += prepared - began
            inferring += time.perf_counter() - prepared
    elapsed = time.perf_counter() - start

    count = len(paths) * options.repeat
    print(f"{encoder.manifest['name']}, {options.threads or 'all'} threads, batch {options.batch}: "
          f"{count / elapsed:.1f} images/s ({count} images in {elapsed:.2f} s; "
          f"decode and resize {1000 * preparing / count:.1f} ms, "
          f"inference {1000 * inferring / count:.1f} ms each)")


if __name__ == "__main__":
    run(main)
