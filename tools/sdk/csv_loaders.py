#!/usr/bin/env python3
"""What the Python SDK's CSV loaders send: makes the files that adb-loaders' tests compare with.

Needs the SDK, in one version or the other, and pandas; requirements.txt beside this script pins all
of it. OpenCV, dask and the object stores are left out. Talks to no database. For each version, from the repository's root:

    python -m venv /tmp/sdk && /tmp/sdk/bin/pip install --no-deps -r tools/sdk/requirements.txt
    /tmp/sdk/bin/pip install --no-deps aperturedb==0.5.3    # then aperturedb==0.4.58
    /tmp/sdk/bin/python tools/sdk/csv_loaders.py

Each writes adb-loaders/tests/sdk/aperturedb-VERSION.json. `--files` writes the pictures and arrays
that the tables name, which are kept as well.
"""

import hashlib
import importlib.metadata
import json
import os
import pathlib
import sys
import types
import unittest.mock

# What the loaders import and no command comes from: decoding (`check_image`), object stores, dask.
for absent in ("cv2", "boto3", "botocore", "botocore.client", "dask", "dask.dataframe",
               "google.cloud", "google.cloud.storage"):
    sys.modules[absent] = unittest.mock.MagicMock()
sys.modules["cv2"].imread.return_value.size = 1

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "adb-loaders" / "tests" / "sdk"

# File, type on the command line, class, arguments before the file's name.
CASES = [
    ("entity.csv", "ENTITY", "EntityDataCSV", []),
    ("entity_gaps.csv", "ENTITY", "EntityDataCSV", []),
    ("entity_two_guards.csv", "ENTITY", "EntityDataCSV", []),
    ("entity_unguarded.csv", "ENTITY", "EntityDataCSV", []),
    ("faults_guard_date.csv", "ENTITY", "EntityDataCSV", []),
    ("connection.csv", "CONNECTION", "ConnectionDataCSV", []),
    ("connection_alike.csv", "CONNECTION", "ConnectionDataCSV", []),
    ("image.csv", "IMAGE", "ImageDataCSV", []),
    ("image_bare.csv", "IMAGE", "ImageDataCSV", []),
    ("video.csv", "VIDEO", "VideoDataCSV", []),
    ("blob.csv", "BLOB", "BlobDataCSV", []),
    ("box.csv", "BOUNDING_BOX", "BBoxDataCSV", []),
    ("box_bare.csv", "BOUNDING_BOX", "BBoxDataCSV", []),
    ("polygon.csv", "POLYGON", "PolygonDataCSV", []),
    ("set.csv", "DESCRIPTORSET", "DescriptorSetDataCSV", []),
    ("set_guarded.csv", "DESCRIPTORSET", "DescriptorSetDataCSV", []),
    ("descriptor.csv", "DESCRIPTOR", "DescriptorDataCSV", []),
    ("descriptor_label.csv", "DESCRIPTOR", "DescriptorDataCSV", []),
    ("descriptor_npz.csv", "DESCRIPTOR", "DescriptorDataCSV", []),
    ("entity_update.csv", "ENTITY", "SingleEntityUpdateDataCSV", ["Person"]),
    ("entity_update_dates.csv", "ENTITY", "SingleEntityUpdateDataCSV", ["Person"]),
    ("faults_update_not.csv", "ENTITY", "SingleEntityUpdateDataCSV", ["A"]),
    ("image_update.csv", "IMAGE", "ImageUpdateDataCSV", []),
    ("image_newest.csv", "IMAGE", "ImageForceNewestDataCSV", []),
    ("image_sparse.csv", "IMAGE", "ImageSparseAddDataCSV", []),
]

MODULES = {
    "SingleEntityUpdateDataCSV": "EntityUpdateDataCSV",
    "ImageUpdateDataCSV": "ImageDataCSV",
    "ImageForceNewestDataCSV": "ImageDataCSV",
    "ImageSparseAddDataCSV": "ImageDataCSV",
}


def loader(name):
    module = __import__(f"aperturedb.{MODULES.get(name, name)}", fromlist=[name])
    return getattr(module, name)


def plain(value):
    """What JSON can hold: numbers of numpy as Python's own."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    # JSON has no such number; the SDK sends it all the same.
    return "NaN" if value != value else value


def blob(data):
    return {"bytes": len(data), "sha1": hashlib.sha1(data).hexdigest()}


def row(item):
    """A row's steps, each with the guard that the SDK evaluates, and its blobs."""
    commands, blobs = item
    if commands and isinstance(commands[0], list):
        steps = []
        for step in commands[0]:
            guard, step = step if isinstance(step, list) else (None, step)
            step = step if isinstance(step, list) else [step]
            steps.append({"guard": plain(guard), "commands": plain(step)})
        blobs = [b for of in (blobs[0] if blobs else []) for b in of]
    else:
        steps = [{"guard": None, "commands": plain(commands)}]
    return {"steps": steps, "blobs": [blob(b) for b in blobs]}


def indices(data):
    try:
        found = data.get_indices()
    except NotImplementedError:
        return None
    return {t: {c: sorted(p) for c, p in of.items()} for t, of in found.items()}


class Client:
    """Answers enough for the transformers' constructors."""

    def query(self, commands, blobs=()):
        return [{name: {"status": 0} for name in command} for command in commands], []

    def last_query_ok(self):
        return True

    def get_last_response_str(self):
        return ""

    def clone(self):
        return self


def transformed(names):
    """Rows after the command line's transformers; instead of CLIP, four numbers."""
    import numpy

    clip = types.ModuleType("aperturedb.transformers.clip")
    clip.descriptor_set = "ViT-B/16"
    clip.generate_embedding = lambda blob: numpy.array([1, 0, 0, 0.5], "float32").tobytes()
    sys.modules["aperturedb.transformers.clip"] = clip
    sys.modules["aperturedb.transformers.facenet"] = unittest.mock.MagicMock()
    from aperturedb.ImageDataCSV import ImageDataCSV
    from aperturedb.cli.ingest import IngestType, _create_pipeline

    data = ImageDataCSV("image_transformed.csv")
    data.sample_count = len(data)
    source = f"{IngestType.IMAGE}.image_transformed.csv"
    for stage in _create_pipeline(names):
        data = stage(data, client=Client(), adb_data_source=source)
    return [row(data[i]) for i in range(len(data))]


def main():
    os.chdir(FOLDER)
    if "--files" in sys.argv:
        return files()
    version = importlib.metadata.version("aperturedb")
    cases = []
    for file, kind, name, arguments in CASES:
        data = loader(name)(*arguments, file, blobs_relative_to_csv=True)
        rows = [row(data.getitem(i)) for i in range(len(data))]
        cases.append({"file": file, "type": kind, "loader": name, "rows": rows,
                      "indices": indices(data)})
    transformers = {
        " ".join(names): transformed(names)
        for names in (["common_properties"], ["image_properties"],
                      ["image_properties", "clip_pytorch_embeddings"],
                      ["clip_pytorch_embeddings"])
    }
    made = {"version": version, "cases": cases, "transformers": transformers}
    path = FOLDER / f"aperturedb-{version}.json"
    path.write_text(json.dumps(made, indent=1) + "\n")


def files():
    import numpy
    from PIL import Image

    picture = numpy.arange(3 * 4 * 3, dtype="uint8").reshape(3, 4, 3) * 5
    Image.fromarray(picture).save("files/a.png")
    Image.fromarray(numpy.full((5, 6, 3), 90, "uint8")).save("files/b.jpg")
    vectors = numpy.arange(12, dtype="float32").reshape(3, 4) / 8
    numpy.save("files/vectors.npy", vectors)
    numpy.save("files/doubles.npy", vectors.astype("float64") * 3)
    numpy.savez("files/vectors.npz", vectors[0], vectors[1], cats=vectors[2])
    pathlib.Path("files/clip.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(12))
    pathlib.Path("files/text.bin").write_bytes(b"anything")


if __name__ == "__main__":
    main()
