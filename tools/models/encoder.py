"""Runs a bundle in plain Python: Pillow, `tokenizers`, ONNX Runtime.

This is the second opinion on what the Rust side computes, so it follows the reference pipelines
(Pillow's bicubic filter, torchvision's rounding of sizes and crops; EXIF orientation is ignored).
Call `packages.kept(packages.RUN)` before importing this.
"""

import json

import numpy
import onnxruntime
import PIL.Image
import tokenizers

from clip_tokenizer import ClipTokenizer
from common import Fail

_FILTERS = {"bicubic": PIL.Image.Resampling.BICUBIC, "bilinear": PIL.Image.Resampling.BILINEAR}


class HfTokenizer:
    """A `tokenizer.json`, padded to the longest text of the batch."""

    def __init__(self, path, max_tokens):
        self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.enable_padding()

    def encode(self, texts):
        encodings = self._tokenizer.encode_batch(list(texts))
        return (numpy.array([encoding.ids for encoding in encodings], numpy.int64),
                numpy.array([encoding.attention_mask for encoding in encodings], numpy.int64))


def _tokenizer(directory, entry):
    path = directory / entry["file"]
    if entry["kind"] == "hf-json":
        return HfTokenizer(path, entry["max_tokens"])
    if entry["kind"] == "clip-bpe":
        return ClipTokenizer(path, entry["context"])
    raise Fail(f"{directory / 'bundle.json'}: tokenizer kind {entry['kind']!r} is not known\n"
               "  mend: hf-json or clip-bpe")


class Encoder:
    """The towers of one bundle."""

    def __init__(self, directory, threads=0):
        self._directory = directory
        try:
            self.manifest = json.loads((directory / "bundle.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise Fail(f"no bundle.json in {directory}\n"
                       "  mend: name a bundle's directory, or make one with starter.py") from None
        if self.manifest["format"] != 1:
            raise Fail(f"{directory / 'bundle.json'}: format {self.manifest['format']} is not "
                       "known, only 1\n  mend: use the tools that came with that bundle")
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._sessions = {}
        if "text" in self.manifest:
            self._tokens = _tokenizer(directory, self.manifest["text"]["tokenizer"])

    def _run(self, tower, feeds):
        entry = self.manifest[tower]
        if tower not in self._sessions:
            self._sessions[tower] = onnxruntime.InferenceSession(
                str(self._directory / entry["file"]), self._options,
                providers=["CPUExecutionProvider"])
        vectors, = self._sessions[tower].run([entry["output"]], feeds)
        if self.manifest["normalize"]:
            vectors = vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def pixels(self, path):
        """One picture as the image tower wants it: f32, channels first."""
        steps = self.manifest["image"]["preprocess"]
        with PIL.Image.open(path) as image:
            image = image.convert("RGB")
        edge, crop = steps["resize"]["shortest_edge"], steps["center_crop"]
        scale = min(image.size)
        image = image.resize([edge * side // scale for side in image.size],
                             _FILTERS[steps["resize"]["filter"]])
        left, top = (round((side - crop) / 2) for side in image.size)
        image = image.crop((left, top, left + crop, top + crop))
        values = numpy.asarray(image, numpy.float32) / numpy.float32(255)
        values = (values - numpy.float32(steps["mean"])) / numpy.float32(steps["std"])
        return values.transpose(2, 0, 1)

    def tensor(self, pixels):
        """Vectors of a batch that `pixels` has prepared."""
        return self._run("image", {self.manifest["image"]["input"]: numpy.stack(pixels)})

    def images(self, paths, batch=8):
        paths = list(paths)
        return numpy.concatenate([
            self.tensor([self.pixels(path) for path in paths[start:start + batch]])
            for start in range(0, len(paths), batch)])

    def texts(self, texts):
        ids, mask = self._tokens.encode(texts)
        inputs = self.manifest["text"]["inputs"]
        feeds = {inputs["ids"]: ids}
        if "mask" in inputs:
            feeds[inputs["mask"]] = mask
        return self._run("text", feeds)
