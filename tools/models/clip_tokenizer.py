"""CLIP's tokenizer from its public vocabulary, through the `tokenizers` package."""

import gzip
import html
import json

import numpy
import tokenizers
from tokenizers import Regex, models, normalizers, pre_tokenizers, processors

START, END = "<|startoftext|>", "<|endoftext|>"

# How the reference cuts text into words: contractions, letters, single digits, the rest.
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_MERGES = 49152 - 256 - 2


class ClipTokenizer:
    """Ids of `context` length, zeros after the end token, as the reference pads."""

    def __init__(self, path, context):
        self._context = context
        if path.suffix == ".json":
            value = json.loads(path.read_text(encoding="utf-8"))
            # Ends and padding are added here; and without "added tokens" a text that spells out
            # the start token is plain text, as in the reference.
            value.update(padding=None, truncation=None, post_processor=None, added_tokens=[])
            self._tokenizer = tokenizers.Tokenizer.from_str(json.dumps(value))
        else:
            self._tokenizer = _from_merges(path)
        self._start = self._tokenizer.token_to_id(START)
        self._end = self._tokenizer.token_to_id(END)

    def encode(self, texts):
        ids = numpy.zeros((len(texts), self._context), numpy.int64)
        mask = numpy.zeros_like(ids)
        for row, text in enumerate(texts):
            text = html.unescape(html.unescape(text)).strip()
            words = self._tokenizer.encode(text, add_special_tokens=False).ids
            whole = [self._start, *words[:self._context - 2], self._end]
            ids[row, :len(whole)] = whole
            mask[row, :len(whole)] = 1
        return ids, mask


def write_json(merges, path):
    """Writes a `tokenizer.json` with start and end tokens, from the published merges."""
    tokenizer = _from_merges(merges)
    ends = [(token, tokenizer.token_to_id(token)) for token in (START, END)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=ends)
    path.write_text(tokenizer.to_str(), encoding="utf-8")


def _from_merges(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")
    # The first line is a version; the file holds more merges than the model was trained with.
    merges = [tuple(line.split()) for line in lines[1:_MERGES + 1]]
    letters = _byte_letters()
    words = letters + [letter + "</w>" for letter in letters]
    words += ["".join(merge) for merge in merges] + [START, END]
    tokenizer = tokenizers.Tokenizer(models.BPE(
        vocab={word: index for index, word in enumerate(words)}, merges=merges,
        end_of_word_suffix="</w>", fuse_unk=False))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return tokenizer


def _byte_letters():
    """A visible letter for each byte, in the vocabulary's order: the printable bytes first."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + n) for n in range(len(hidden))]
