#!/usr/bin/env python3
"""Builds `random-clip-vit-b-32` into adb's cache: CLIP ViT-B/32 with random weights, for benchmarks.

Operations, shapes and bytes are those of the trained model (image side: 224 pixels, patches of 32,
12 layers, 768 wide; text side: 77 tokens, 12 layers, 512 wide; 151 million weights), so it costs
what that costs. Its vectors mean nothing: nothing that it finds is worth anything. The tokenizer is
the real one. 1.5 MB and the tools to build with come down; it takes 600 MB of disk.
"""

import shutil

from common import file_entries, main_of_builder, run, size, step, write_json
import packages
import sources

NAME = "random-clip-vit-b-32"
DIMENSIONS, CONTEXT, VOCABULARY = 512, 77, 49_408
SIDE, PATCH = 224, 32
SEED = 32


def build(result, scratch):
    merges, licence = sources.clip_vocabulary(scratch)
    packages.temporarily(packages.BUILD, scratch)
    import clip_tokenizer
    import transformer

    clip_tokenizer.write_json(merges, result / "tokenizer.json")
    shutil.copy(licence, result)
    with step("drawing the image side") as notes:
        transformer.write_image(result / "image.onnx", transformer.Shape(12, 768, 12), SIDE, PATCH,
                                DIMENSIONS, SEED)
        notes.append(size((result / "image.onnx").stat().st_size))
    with step("drawing the text side") as notes:
        transformer.write_text(result / "text.onnx", transformer.Shape(12, 512, 8), VOCABULARY,
                               CONTEXT, DIMENSIONS, SEED + 1)
        notes.append(size((result / "text.onnx").stat().st_size))
    write_json(result / "bundle.json", manifest(result))


def manifest(result):
    return {
        "format": 1,
        "name": NAME,
        "description": "CLIP ViT-B/32 with random weights, for measuring speed: its vectors mean "
                       "nothing.",
        "dimensions": DIMENSIONS,
        "normalize": True,
        "image": {
            "file": "image.onnx", "input": "pixel_values", "output": "image_embeds",
            "preprocess": {
                "resize": {"shortest_edge": SIDE, "filter": "bicubic"},
                "center_crop": SIDE,
                "mean": [0.48145466, 0.4578275, 0.40821073],
                "std": [0.26862954, 0.26130258, 0.27577711],
            },
        },
        "text": {
            "file": "text.onnx", "output": "text_embeds",
            "inputs": {"ids": "input_ids", "mask": "attention_mask"},
            "tokenizer": {"kind": "clip-bpe", "file": "tokenizer.json", "context": CONTEXT},
        },
        "source": f"random numbers (seed {SEED}), written by tools/models/random_clip.py; "
                  "vocabulary from the package open_clip_torch 3.3.0",
        "licence": "MIT (vocabulary)",
        "files": file_entries(result),
    }


def main():
    main_of_builder("random_clip.py", __doc__, NAME, sources.total("classes"), build)


if __name__ == "__main__":
    run(main)
