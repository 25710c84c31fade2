#!/usr/bin/env python3
"""Renders our own drawings of dishes, SVG to PNG: examples/data/cookbook/svg to .../images.

The SVG files are the sources; the PNG files beside them are what the demo reads, so a fresh clone
needs neither this script nor its packages (resvg for the rendering, Pillow for the palette).
`--check` renders too, writes nothing, and exits with 1 if a picture is missing or out of date.
"""

import argparse
import io
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "models"))

from common import Fail, run, size  # noqa: E402  (it lies in the folder named above)
import packages  # noqa: E402

SAMPLE = ROOT / "examples" / "data" / "cookbook"
SIDE = 288
COLOURS = 256
LIMIT = 40_000  # bytes that one picture may take in the repository

# The mean difference, in grey levels, that two builds of the renderer may show.
TOLERANCE = 0.5


def render(path):
    """The picture of one SVG file, with a palette, as the repository keeps it."""
    import PIL.Image
    import resvg_py

    try:
        png = resvg_py.svg_to_bytes(svg_path=str(path), width=SIDE, height=SIDE,
                                    skip_system_fonts=True)
    except ValueError as error:
        raise Fail(f"{path} cannot be drawn: {error}\n  mend: correct the SVG") from None
    image = PIL.Image.open(io.BytesIO(png)).convert("RGB")
    return image.quantize(COLOURS, PIL.Image.Quantize.MEDIANCUT, dither=PIL.Image.Dither.NONE)


def out_of_date(image, path):
    """Whether the file shows something else than `image`."""
    import numpy
    import PIL.Image

    if not path.is_file():
        return True
    with PIL.Image.open(path) as kept:
        kept = numpy.asarray(kept.convert("RGB"), numpy.int16)
    fresh = numpy.asarray(image.convert("RGB"), numpy.int16)
    return kept.shape != fresh.shape or float(abs(kept - fresh).mean()) > TOLERANCE


def without_partner(sample):
    """Names that dishes.json, svg/ and images/ do not share."""
    rows = json.loads((sample / "dishes.json").read_text(encoding="utf-8"))
    sides = [{pathlib.PurePosixPath(row["url"]).stem for row in rows},
             {path.stem for path in (sample / "svg").glob("*.svg")},
             {path.stem for path in (sample / "images").glob("*.png")}]
    return sorted(set.union(*sides) - set.intersection(*sides))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
               "  python3 tools/sample/render.py\n"
               "  python3 tools/sample/render.py --check\n")
    parser.add_argument("--check", action="store_true",
                        help="write nothing; say which pictures are out of date")
    options = parser.parse_args()

    packages.kept(["numpy", "pillow", "resvg_py"])
    stale, total, sources = [], 0, sorted((SAMPLE / "svg").glob("*.svg"))
    for source in sources:
        image, target = render(source), SAMPLE / "images" / f"{source.stem}.png"
        if out_of_date(image, target):
            stale.append(target.name)
            if options.check:
                continue
            target.parent.mkdir(exist_ok=True)
            image.save(target, optimize=True)
            print(f"{target.name}: {size(target.stat().st_size)}")
        if target.stat().st_size > LIMIT:
            raise Fail(f"{target} takes {size(target.stat().st_size)}, more than {size(LIMIT)}\n"
                       "  mend: draw with less fine texture, which PNG cannot pack")
        total += target.stat().st_size
    if options.check and stale:
        raise Fail(f"out of date: {', '.join(stale)}\n"
                   "  mend: run tools/sample/render.py and commit the pictures")
    if lonely := without_partner(SAMPLE):
        raise Fail(f"not in all of dishes.json, svg/ and images/: {', '.join(lonely)}\n"
                   "  mend: give each dish a row, a drawing and a picture")
    print(f"{len(sources)} pictures, {size(total)}, "
          f"{len(stale)} drawn anew, the others were up to date")


if __name__ == "__main__":
    run(main)
