#!/usr/bin/env python3
"""How well a bundle finds photos by text: recall at 1, 5, 10 and mean reciprocal rank.

The data is a directory in the Cookbook's layout (dishes.json beside images/). Two questions are
put for each dish: its name (a hit is any photo of a dish of that name) and its caption (a hit is
the photo of that very row).
"""

import argparse
import json
import pathlib

from common import Fail, cache_root, run, write_json
import packages


def read_dishes(directory):
    path = directory / "dishes.json"
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Fail(f"no dishes.json in {directory}\n"
                   "  mend: --data wants a directory with dishes.json and images/") from None
    missing = [row["url"] for row in rows if not (directory / row["url"]).is_file()]
    if missing:
        raise Fail(f"{path}: {len(missing)} photos are missing, the first is {missing[0]}\n"
                   "  mend: put them there, or take their rows out")
    return rows


def figures(similarities, hits):
    """Recall and mean reciprocal rank; row i of both tables belongs to query i."""
    import numpy

    order = numpy.argsort(-similarities, axis=1, kind="stable")
    ranks = numpy.take_along_axis(hits, order, axis=1).argmax(axis=1) + 1
    return {**{f"R@{k}": float((ranks <= k).mean()) for k in (1, 5, 10)},
            "MRR": float((1 / ranks).mean())}


def report(title, values):
    print(f"{title:<10}" + "".join(f"  {name} {value:.3f}" for name, value in values.items()))


def dump(path, rows, vectors):
    import numpy

    rows = {"photo": [row["url"] for row in rows], "name": [row["name"] for row in rows],
            "caption": [row["caption"] for row in rows]}
    if path.suffix == ".json":
        write_json(path, {**rows, **{name: value.tolist() for name, value in vectors.items()}})
    else:
        numpy.savez(path, **rows, **vectors)
    print(f"vectors written to {path}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
               "  python3 tools/models/evaluate.py --data examples/data/cookbook\n"
               "  python3 tools/models/evaluate.py --data DIR --query 'creamy curry'\n"
               "  python3 tools/models/evaluate.py --data DIR --bundle DIR --dump vectors.npz\n")
    parser.add_argument("--data", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--bundle", type=pathlib.Path, metavar="DIR",
                        help="the bundle's directory (default: starter-512 in the cache)")
    parser.add_argument("--dump", type=pathlib.Path, metavar="FILE",
                        help="write photos, names, captions and their vectors: .npz or .json")
    parser.add_argument("--query", action="append", default=[], metavar="TEXT",
                        help="show the five nearest photos; may be given several times")
    options = parser.parse_args()
    if options.dump and options.dump.suffix not in (".npz", ".json"):
        parser.error(f"--dump {options.dump}: wanted a name that ends in .npz or .json")

    rows = read_dishes(options.data)
    packages.kept(packages.RUN)
    import numpy
    from encoder import Encoder

    encoder = Encoder(options.bundle or cache_root() / "embedders" / "starter-512")
    names = numpy.array([row["name"] for row in rows])
    vectors = {
        "photo_vectors": encoder.images(options.data / row["url"] for row in rows),
        "name_vectors": encoder.texts(names.tolist()),
        "caption_vectors": encoder.texts([row["caption"] for row in rows]),
    }
    photos = vectors["photo_vectors"]
    print(f"{encoder.manifest['name']} over {len(rows)} photos")
    report("names", figures(vectors["name_vectors"] @ photos.T, names[:, None] == names[None, :]))
    report("captions", figures(vectors["caption_vectors"] @ photos.T,
                               numpy.eye(len(rows), dtype=bool)))
    for query in options.query:
        similarities = photos @ encoder.texts([query])[0]
        print(f"\n{query}")
        for rank, row in enumerate(numpy.argsort(-similarities, kind="stable")[:5], 1):
            print(f"  {rank}  {similarities[row]:.3f}  {rows[row]['name']}  ({rows[row]['url']})")
    if options.dump:
        dump(options.dump, rows, vectors)


if __name__ == "__main__":
    run(main)
