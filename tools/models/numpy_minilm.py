"""MiniLM in NumPy, in double precision, sharing nothing with the ONNX graph.

It computes the class embeddings of the image tower: in double precision, so that processors and
their libraries differ only far behind the digits that are kept. And it is what the text tower is
checked against.
"""

import collections
import math

import numpy

_STEPS = 512
_LIMIT = 6.0  # beyond it, erf is 1 in double precision
_GRID = numpy.arange(-_LIMIT * _STEPS, _LIMIT * _STEPS + 1) / _STEPS
_ERF = numpy.array([math.erf(value) for value in _GRID])
_SLOPE = 2.0 / math.sqrt(math.pi) * numpy.exp(-_GRID**2)


def erf(values):
    """NumPy has none: Taylor's series about the nearest point of a table (error below 1e-14)."""
    values = numpy.clip(values, -_LIMIT, _LIMIT)
    index = numpy.rint((values + _LIMIT) * _STEPS).astype(numpy.int64)
    point = _GRID[index]
    d = values - point
    series = 1 - d * (point - d * ((2 * point**2 - 1) / 3 - d * (2 * point**2 - 3) * point / 6))
    return _ERF[index] + _SLOPE[index] * d * series


def _layer_norm(x, weights, layer):
    x = x - x.mean(-1, keepdims=True)
    x = x / numpy.sqrt((x**2).mean(-1, keepdims=True) + 1e-12)
    return x * weights[f"{layer}.weight"] + weights[f"{layer}.bias"]


class MiniLm:
    """Texts of one length at a time, so that there is no padding and no mask to get wrong."""

    HEADS = 12

    def __init__(self, tensors):
        self._weights = {name: array.astype(numpy.float64) for name, array in tensors.items()
                         if array.dtype == numpy.float32}

    def _linear(self, x, layer):
        return x @ self._weights[f"{layer}.weight"].T + self._weights[f"{layer}.bias"]

    def _layer(self, x, name):
        batch, length, width = x.shape

        def heads(part):
            split = self._linear(x, f"{name}.attention.self.{part}")
            return split.reshape(batch, length, self.HEADS, -1).swapaxes(1, 2)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = query @ key.swapaxes(2, 3) / math.sqrt(width // self.HEADS)
        shares = numpy.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        mixed = (shares @ value).swapaxes(1, 2).reshape(batch, length, width)
        mixed = self._linear(mixed, f"{name}.attention.output.dense")
        x = _layer_norm(x + mixed, self._weights, f"{name}.attention.output.LayerNorm")
        inner = self._linear(x, f"{name}.intermediate.dense")
        inner = inner * (1 + erf(inner / math.sqrt(2))) / 2
        inner = self._linear(inner, f"{name}.output.dense")
        return _layer_norm(x + inner, self._weights, f"{name}.output.LayerNorm")

    def _same_length(self, ids):
        weights = self._weights
        x = (weights["embeddings.word_embeddings.weight"][ids]
             + weights["embeddings.position_embeddings.weight"][:ids.shape[1]]
             + weights["embeddings.token_type_embeddings.weight"][0])
        x = _layer_norm(x, weights, "embeddings.LayerNorm")
        for layer in range(6):
            x = self._layer(x, f"encoder.layer.{layer}")
        x = x.mean(1)
        return x / numpy.linalg.norm(x, axis=1, keepdims=True)

    def embed(self, texts):
        """Vectors of texts that are given as lists of token ids."""
        by_length = collections.defaultdict(list)
        for row, ids in enumerate(texts):
            by_length[len(ids)].append(row)
        width = self._weights["embeddings.LayerNorm.weight"].shape[0]
        result = numpy.empty((len(texts), width))
        for rows in by_length.values():
            # In batches, as the inner layer of a thousand texts would take a gigabyte.
            for start in range(0, len(rows), 64):
                part = rows[start:start + 64]
                result[part] = self._same_length(numpy.array([texts[row] for row in part]))
        return result
