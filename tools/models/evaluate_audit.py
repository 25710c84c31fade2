#!/usr/bin/env python3
"""Whether `adb audit` names the way in which a set was made, for vectors that Python has made.

Plain Python (Pillow, ONNX Runtime) embeds the photos of a directory in five ways: as the bundle
says, squashed to a square, with red and blue swapped, with ImageNet's mean and deviation, and with
a bilinear filter, which the audit does not know. Each fills a set of a new database. Then the audit
is asked about each. docs/pictures.md holds the last result.
"""

import argparse
import csv
import pathlib
import subprocess
import tempfile

from common import Fail, cache_root, run
from evaluate import read_dishes
import packages

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
# The way, and the words that its finding has: None where it must be told that it is none.
EXPECTED = {
    "own": "was made by", "squashed": "squashed", "bgr": "red and blue swapped",
    "imagenet": "mean and deviation of ImageNet", "bilinear": None,
}


def encoders(bundle):
    """For each way, what embeds a list of photos."""
    import numpy
    import PIL.Image
    from encoder import Encoder

    class Squashed(Encoder):
        def pixels(self, path):
            steps = self.manifest["image"]["preprocess"]
            side = steps["center_crop"]
            with PIL.Image.open(path) as image:
                image = image.convert("RGB").resize((side, side), PIL.Image.Resampling.BICUBIC)
            values = numpy.asarray(image, numpy.float32) / numpy.float32(255)
            values = (values - numpy.float32(steps["mean"])) / numpy.float32(steps["std"])
            return values.transpose(2, 0, 1)

    class Swapped(Encoder):
        def pixels(self, path):
            return super().pixels(path)[::-1]

    def changed(**steps):
        made = Encoder(bundle)
        made.manifest["image"]["preprocess"].update(steps)
        return made

    own = Encoder(bundle)
    edge = own.manifest["image"]["preprocess"]["resize"]["shortest_edge"]
    return {
        "own": own, "squashed": Squashed(bundle), "bgr": Swapped(bundle),
        "imagenet": changed(mean=MEAN, std=STD),
        "bilinear": changed(resize={"shortest_edge": edge, "filter": "bilinear"}),
    }


def write(path, header, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


def tables(place, photos, bundle):
    """The files of a database that has them all, in the SDK's formats."""
    import numpy
    made = encoders(bundle)
    dimensions = made["own"].manifest["dimensions"]
    numbers = range(len(photos))
    descriptors, edges = [], []
    for way, encoder in made.items():
        numpy.save(place / f"{way}.npy", encoder.images(photos))
        descriptors += [[place / f"{way}.npy", n, way, f"{way}-{n}", f"{way}-{n}"] for n in numbers]
        edges += [["made_from", f"{way}-{n}", n] for n in numbers]
    return [
        write(place / "sets.csv", ["name", "dimensions", "engine", "metric"],
              [[way, dimensions, "Flat", "CS"] for way in made]),
        write(place / "images.csv", ["filename", "id", "constraint_id"],
              [[photo, n, n] for n, photo in enumerate(photos)]),
        write(place / "descriptors.csv", ["filename", "index", "set", "name", "constraint_name"],
              descriptors),
        write(place / "edges.csv", ["ConnectionClass", "_Descriptor@name", "_Image@id"], edges),
    ]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True,
                        help="a directory in the Cookbook's layout")
    parser.add_argument("--bundle", default="starter-512", help="a name in adb's cache")
    parser.add_argument("--adb", default="adb", help="the program")
    options = parser.parse_args()
    packages.kept(packages.RUN)
    photos = sorted({(options.data / row["url"]).resolve() for row in read_dishes(options.data)})
    bundle = cache_root() / "embedders" / options.bundle
    wrong = []
    with tempfile.TemporaryDirectory() as scratch:
        place = pathlib.Path(scratch)
        database = ["--db", str(place / "db")]
        files = tables(place, photos, bundle)
        # The photos lie elsewhere, and we wrote the rows ourselves.
        subprocess.run([options.adb, "ingest", "from-csv", *files, *database, "--allow-outside",
                        "-qq"], check=True)
        for way, words in EXPECTED.items():
            answer = subprocess.run(
                [options.adb, "audit", way, *database, "--embedder", options.bundle],
                stdout=subprocess.PIPE, text=True).stdout
            print(f"== {way}\n{answer}")
            found = "was made by none" not in answer
            if found != (words is not None) or (words or "") not in answer:
                wrong.append(way)
    print(f"{len(EXPECTED) - len(wrong)} of {len(EXPECTED)} as expected", *wrong)
    if wrong:
        raise Fail("the audit was wrong; what it says of each stands above\n"
                   "  mend: see SAME in embedders/audit/findings.rs")


if __name__ == "__main__":
    run(main)
