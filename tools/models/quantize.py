#!/usr/bin/env python3
"""Makes an int8 bundle of a bundle: `NAME-int8` beside it in adb's cache.

Weights of matrix products become 8-bit integers (per column), what they are multiplied with is
turned into 8 bits as it comes (dynamic quantisation, of ONNX Runtime's own tools). A side whose
weights are mostly those of convolutions stays as it is: ONNX Runtime has no fast kernel for them.

It then says what that costs and gains, over a directory in the Cookbook's layout (dishes.json
beside images/): which part of the ten nearest photos of each name and caption is the same as in
f32, how well both find the right photo, and how fast each is.

An int8 bundle is another embedder: its vectors have a hash of their own, and a set that one has
filled takes none of the other. Dynamic quantisation looks at a whole batch, so a vector depends a
little on what it is computed with.
"""

import argparse
import json
import pathlib
import shutil
import time

from common import (Fail, cache_root, file_entries, locked, run, size, staged, step, tree_size,
                    write_json)
import packages

SUFFIX = "-int8"
# With less of its weights in matrix products a side is left alone.
WORTH_IT = 0.5


def quantisable(path):
    """The share of a graph's weights that matrix products hold."""
    import onnx

    graph = onnx.load(path).graph
    sizes = {tensor.name: len(tensor.raw_data) for tensor in graph.initializer}
    products = {name for node in graph.node if node.op_type in ("MatMul", "Gemm")
                for name in node.input if name in sizes}
    # A table that words are looked up in is not computed with.
    tables = {node.input[0] for node in graph.node if node.op_type == "Gather"}
    whole = sum(bytes_ for name, bytes_ in sizes.items() if name not in tables)
    return sum(sizes[name] for name in products) / max(whole, 1)


def quantise(source, target):
    """Writes the int8 graph."""
    import logging

    import onnxruntime.quantization as tools

    # It advises to optimise the graph first, which would tie it to this machine.
    logging.getLogger().setLevel(logging.ERROR)
    tools.quantize_dynamic(source, target, op_types_to_quantize=["MatMul", "Gemm"],
                           per_channel=True, weight_type=tools.QuantType.QInt8,
                           extra_options={"MatMulConstBOnly": True})


def build(bundle, manifest, result):
    changed = []
    for name in manifest["files"]:
        shutil.copy(bundle / name, result / name)
    for side in ("image", "text"):
        if side not in manifest:
            continue
        if manifest[side].get("weights"):
            raise Fail(f"{bundle}: the {side} side keeps its weights in files of their own\n"
                       "  mend: quantise an export that holds them itself")
        file = manifest[side]["file"]
        share = quantisable(bundle / file)
        if share < WORTH_IT:
            print(f"the {side} side stays as it is: matrix products hold {100 * share:.0f} % of its "
                  "weights")
            continue
        with step(f"quantising the {side} side") as notes:
            (result / file).unlink()
            quantise(bundle / file, result / file)
            notes.append(f"{size((bundle / file).stat().st_size)} became "
                         f"{size((result / file).stat().st_size)}")
        changed.append(side)
    if not changed:
        raise Fail(f"{bundle}: nothing in it can be quantised with a gain")
    sides = " and ".join(changed)
    own = dict(manifest, name=manifest["name"] + SUFFIX)
    own["description"] = (f"{manifest['name']} with the weights of its {sides} side in 8 bits. "
                          + manifest.get("description", ""))
    own["source"] = manifest.get("source", "") + "; int8 by tools/models/quantize.py"
    own["files"] = file_entries(result)
    write_json(result / "bundle.json", own)


def top(queries, photos, count=10):
    """The places of the nearest photos of each query."""
    import numpy

    return numpy.argsort(-(queries @ photos.T), axis=1, kind="stable")[:, :count]


def compare(plain, small, data, threads, rounds):
    """Prints recall against f32, figures of searching, and speed."""
    import numpy
    from encoder import Encoder
    import evaluate

    rows = evaluate.read_dishes(data)
    paths = [data / row["url"] for row in rows]
    queries = [row["name"] for row in rows] + [row["caption"] for row in rows]
    sides = {"f32": Encoder(plain, threads), "int8": Encoder(small, threads)}
    made = {}
    for name, encoder in sides.items():
        # One by one, so that what else is in a batch makes no difference.
        texts = numpy.concatenate([encoder.texts([text]) for text in queries])
        made[name] = (encoder.images(paths, 1), texts)
    nearest = {name: top(texts, photos) for name, (photos, texts) in made.items()}
    same = [len(set(one) & set(other)) / len(one)
            for one, other in zip(nearest["f32"].tolist(), nearest["int8"].tolist())]
    print(f"recall@10 against f32: {numpy.mean(same):.3f} "
          f"({len(queries)} names and captions, {len(rows)} photos)")
    for kind, place in (("photos", 0), ("texts", 1)):
        cosines = numpy.sum(made["f32"][place] * made["int8"][place], axis=1)
        print(f"cosine of {kind}, int8 and f32: smallest {cosines.min():.4f}, "
              f"mean {cosines.mean():.4f}")
    for name, (photos, texts) in made.items():
        vectors = {"photo": photos.tolist(), "name": texts[:len(rows)].tolist(),
                   "caption": texts[len(rows):].tolist()}
        evaluate.report(name, rows, vectors)
    speed(sides, [sides["f32"].pixels(path) for path in paths[:8]], queries[:8], rounds)


def speed(sides, pixels, texts, rounds):
    """Batches of 8, by turns, inference alone."""
    import statistics

    figures = {}
    for _ in range(rounds):
        for name, encoder in sides.items():
            for what, work in (("images", lambda e=encoder: e.tensor(pixels)),
                               ("texts", lambda e=encoder: e.texts(texts))):
                work()
                count, start, before = 0, time.perf_counter(), time.process_time()
                while time.perf_counter() - start < 1.0:
                    work()
                    count += 8
                wall, used = time.perf_counter() - start, time.process_time() - before
                figures.setdefault((what, name), []).append((count / wall, count / used))
    for (what, name), values in figures.items():
        rate, each = (statistics.median(column) for column in zip(*values))
        print(f"{what}, {name}: {rate:.1f} a second, {each:.1f} a second of one core "
              f"(medians of {rounds})")


def cookbook():
    """Where the Cookbook's photos are, if they are anywhere: the nearest `shared/` above."""
    for folder in pathlib.Path(__file__).resolve().parents:
        if (folder / "shared" / "data" / "cookbook" / "dishes.json").is_file():
            return folder / "shared" / "data" / "cookbook"
    return None


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
               "  python3 tools/models/quantize.py starter-512\n"
               "  python3 tools/models/quantize.py DIR --data examples/data/cookbook\n")
    parser.add_argument("bundle", help="the name of a bundle in the cache, or a bundle's directory")
    parser.add_argument("--data", type=pathlib.Path, metavar="DIR",
                        help="compare over these photos (default: shared/data/cookbook, if it is there)")
    parser.add_argument("--force", action="store_true", help="build even if it is there")
    parser.add_argument("--threads", type=int, default=0, metavar="N")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of measuring speed")
    options = parser.parse_args()

    bundle = pathlib.Path(options.bundle)
    if not (bundle / "bundle.json").is_file():
        bundle = cache_root() / "embedders" / options.bundle
    try:
        manifest = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Fail(f"there is no bundle {options.bundle}, neither in the cache nor as a directory\n"
                   "  mend: starter.py makes one") from None
    packages.kept(packages.QUANTISE)
    target = cache_root() / "embedders" / (manifest["name"] + SUFFIX)
    with locked(target):
        if options.force or not (target / "bundle.json").is_file():
            with staged(target) as (result, _):
                build(bundle, manifest, result)
    print(f"{target.name}: {target} ({size(tree_size(target))})")
    data = options.data or cookbook()
    if data is None:
        print("not compared with f32: there is no shared/data/cookbook above this script; "
              "name photos with --data")
    elif "image" not in manifest or "text" not in manifest:
        print("not compared with f32: searches take a bundle with both sides")
    else:
        compare(bundle, target, data, options.threads, options.rounds)


if __name__ == "__main__":
    run(main)
