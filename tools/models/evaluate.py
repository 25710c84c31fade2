#!/usr/bin/env python3
"""How well a bundle finds photos by text: recall at 1, 5, 10 and mean reciprocal rank.

The data is a directory in the Cookbook's layout (dishes.json beside images/). Two questions are
put for each dish: its name (a hit is any photo of a dish of that name) and its caption (a hit is
the photo of that very row). Then come the demo's three searches, or those given with --query.

--vectors compares with vectors that another program made of the same data, query by query. They
are a JSON object of lists of one length, a row of the data at each place, in any order:

  photo            the "url" of the row in dishes.json: rows are matched by it
  photo_vectors    the photo's vector, a list of numbers (their length need not be one)
  name_vectors     the vector of the row's "name"
  caption_vectors  the vector of the row's "caption"

and, if wanted, `query` (texts) with `query_vectors`. --dump writes this same format.
"""

import argparse
import json
import pathlib

from common import Fail, cache_root, run, write_json
from figures import cosine, figures, ranking, ranks, similarities
import packages

SEARCHES = ["creamy curry", "pizza with tomato and basil", "a chocolate dessert"]
KINDS = ["photo", "name", "caption"]


def read_dishes(directory):
    path = directory / "dishes.json"
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Fail(f"no dishes.json in {directory}\n"
                   "  mend: --data wants a directory with dishes.json and images/") from None
    except ValueError as error:
        raise Fail(f"{path} is not JSON: {error}\n  mend: correct it there") from None
    missing = [row["url"] for row in rows if not (directory / row["url"]).is_file()]
    if missing:
        raise Fail(f"{path}: {len(missing)} photos are missing, the first is {missing[0]}\n"
                   "  mend: put them there, or take their rows out")
    return rows


def read_vectors(path, rows):
    """Vectors of another program, in the order of `rows`."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Fail(f"{path} is not there\n  mend: --vectors wants a file in JSON") from None
    except ValueError as error:
        raise Fail(f"{path} is not JSON: {error}\n  mend: write it anew") from None
    wanted = ["photo", *(f"{kind}_vectors" for kind in KINDS)]
    lengths = {name: len(value[name]) if isinstance(value.get(name), list) else None
               for name in wanted}
    if set(lengths.values()) != {len(rows)}:
        raise Fail(f"{path}: wanted {len(rows)} entries, one for each dish, and found {lengths}\n"
                   "  mend: evaluate.py --help says what the file must hold")
    places = {photo: place for place, photo in enumerate(value["photo"])}
    lost = [row["url"] for row in rows if row["url"] not in places]
    if lost:
        raise Fail(f"{path}: {len(lost)} photos of the data are not in it, the first is {lost[0]}\n"
                   "  mend: give photos as `url` has them in dishes.json")
    order = [places[row["url"]] for row in rows]
    vectors = {kind: [value[f"{kind}_vectors"][place] for place in order] for kind in KINDS}
    vectors["query"] = dict(zip(value.get("query", []), value.get("query_vectors", [])))
    widths = {len(vector) for kind in KINDS for vector in vectors[kind]}
    if len(widths) != 1:
        raise Fail(f"{path}: vectors of different lengths, {sorted(widths)}\n"
                   "  mend: photos and texts must come from one bundle")
    return vectors


def embed(encoder, data, rows, queries):
    """What `read_vectors` gives, from the bundle."""
    vectors = {"photo": encoder.images(data / row["url"] for row in rows).tolist()}
    for kind in ("name", "caption"):
        vectors[kind] = encoder.texts([row[kind] for row in rows]).tolist()
    vectors["query"] = dict(zip(queries, encoder.texts(queries).tolist()))
    return vectors


def found(rows, vectors):
    """Ranks of the first hits, for names and for captions."""
    names = [row["name"] for row in rows]
    return {
        "name": ranks(similarities(vectors["name"], vectors["photo"]),
                      [[name == other for other in names] for name in names]),
        "caption": ranks(similarities(vectors["caption"], vectors["photo"]),
                         [[row is other for other in rows] for row in rows]),
    }


def report(title, rows, vectors):
    print(f"{title} over {len(rows)} photos")
    results = found(rows, vectors)
    for kind, values in results.items():
        print(f"  {kind + 's':<9}" + "".join(f"  {name} {value:.3f}"
                                             for name, value in figures(values).items()))
    return results


def show_searches(rows, vectors, top):
    for query, vector in vectors["query"].items():
        near = similarities([vector], vectors["photo"])[0]
        print(f"\n{query}")
        for rank, place in enumerate(ranking(near)[:top], 1):
            print(f"  {rank:>2}  {near[place]:.3f}  {rows[place]['name']}  ({rows[place]['url']})")


def compare(rows, ours, theirs):
    """Prints where two sides differ: cosines, then each query whose first hit moved."""
    if len(ours["photo"][0]) != len(theirs["photo"][0]):
        raise Fail(f"vectors of {len(theirs['photo'][0])} numbers against the bundle's "
                   f"{len(ours['photo'][0])}\n  mend: name the bundle they were made with")
    print("\ncosine of the two sides' vectors")
    for kind in KINDS:
        cosines = [cosine(*pair) for pair in zip(ours[kind], theirs[kind])]
        worst = min(range(len(rows)), key=cosines.__getitem__)
        print(f"  {kind + 's':<9}  smallest {cosines[worst]:.6f} ({rows[worst]['url']})  "
              f"mean {sum(cosines) / len(cosines):.6f}")
    one, other = found(rows, ours), found(rows, theirs)
    for kind in ("name", "caption"):
        moved = [place for place in range(len(rows)) if one[kind][place] != other[kind][place]]
        print(f"{kind}s whose first hit has another rank: {len(moved)} of {len(rows)}")
        for place in moved:
            print(f"  {rows[place][kind]}: {one[kind][place]} here, {other[kind][place]} there")


def dump(path, rows, vectors):
    value = {"photo": [row["url"] for row in rows],
             **{kind: [row[kind] for row in rows] for kind in ("name", "caption")},
             **{f"{kind}_vectors": vectors[kind] for kind in KINDS},
             "query": list(vectors["query"]), "query_vectors": list(vectors["query"].values())}
    write_json(path, value)
    print(f"\nvectors written to {path}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
               "  python3 tools/models/evaluate.py --data examples/data/cookbook\n"
               "  python3 tools/models/evaluate.py --data DIR --query 'creamy curry' --top 30\n"
               "  python3 tools/models/evaluate.py --data DIR --vectors rust.json\n"
               "  python3 tools/models/evaluate.py --data DIR --bundle DIR --dump python.json\n")
    parser.add_argument("--data", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--bundle", type=pathlib.Path, metavar="DIR",
                        help="the bundle's directory (default: starter-512 in the cache)")
    parser.add_argument("--vectors", type=pathlib.Path, metavar="FILE",
                        help="compare with the vectors in this JSON file")
    parser.add_argument("--dump", type=pathlib.Path, metavar="FILE",
                        help="write the vectors that were made here")
    parser.add_argument("--query", action="append", metavar="TEXT",
                        help="search for this instead; may be given several times")
    parser.add_argument("--top", type=int, default=5, metavar="N",
                        help="show the N nearest photos of each search (default 5)")
    options = parser.parse_args()

    rows = read_dishes(options.data)
    theirs = read_vectors(options.vectors, rows) if options.vectors else None
    packages.kept(packages.RUN)
    from encoder import Encoder

    encoder = Encoder(options.bundle or cache_root() / "embedders" / "starter-512")
    ours = embed(encoder, options.data, rows, options.query or SEARCHES)
    report(f"{encoder.manifest['name']} in Python", rows, ours)
    show_searches(rows, ours, options.top)
    if theirs is not None:
        print()
        report(str(options.vectors), rows, theirs)
        show_searches(rows, theirs, options.top)
        compare(rows, ours, theirs)
    if options.dump:
        dump(options.dump, rows, ours)


if __name__ == "__main__":
    run(main)
