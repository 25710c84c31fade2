"""The text tower: MiniLM (BERT with six layers), mean pooling, L2, padded with zeros."""

import math

import numpy

from graph import FLOAT, INT64, Graph

HEADS = 12
LAYER_NORM_EPSILON = 1e-12


class _Tower:
    def __init__(self, weights):
        self._weights = weights
        self._graph = Graph("minilm_l6_mean_pooling")

    def _linear(self, value, layer):
        graph = self._graph
        # Stored input-major, so that no transposition is left to the runtime.
        weight = graph.constant(self._weights[f"{layer}.weight"].T, f"{layer}.weight")
        bias = graph.constant(self._weights[f"{layer}.bias"], f"{layer}.bias")
        return graph.node("Add", graph.node("MatMul", value, weight), bias)

    def _layer_norm(self, value, layer):
        # Spelled out: the operator of that name came with opset 17. ONNX Runtime recognises
        # this pattern and puts its own kernel in its place.
        graph = self._graph
        centred = graph.node("Sub", value, graph.node("ReduceMean", value, axes=[-1], keepdims=1))
        square = graph.node("Pow", centred, graph.scalar(2.0))
        variance = graph.node("ReduceMean", square, axes=[-1], keepdims=1)
        deviation = graph.node("Sqrt", graph.node("Add", variance,
                                                  graph.scalar(LAYER_NORM_EPSILON)))
        value = graph.node("Div", centred, deviation)
        scale = graph.constant(self._weights[f"{layer}.weight"], f"{layer}.weight")
        shift = graph.constant(self._weights[f"{layer}.bias"], f"{layer}.bias")
        return graph.node("Add", graph.node("Mul", value, scale), shift)

    def _gelu(self, value):
        graph = self._graph
        erf = graph.node("Erf", graph.node("Div", value, graph.scalar(math.sqrt(2.0))))
        value = graph.node("Mul", value, graph.node("Add", erf, graph.scalar(1.0)))
        return graph.node("Mul", value, graph.scalar(0.5))

    def _attention(self, value, bias, layer, width):
        graph = self._graph

        def heads(part, order):
            split = graph.node("Reshape", self._linear(value, f"{layer}.self.{part}"),
                               graph.numbers(0, 0, HEADS, width // HEADS))
            return graph.node("Transpose", split, perm=order)

        scores = graph.node("MatMul", heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]))
        scores = graph.node("Div", scores, graph.scalar(math.sqrt(width // HEADS)))
        shares = graph.node("Softmax", graph.node("Add", scores, bias), axis=-1)
        mixed = graph.node("MatMul", shares, heads("value", [0, 2, 1, 3]))
        mixed = graph.node("Transpose", mixed, perm=[0, 2, 1, 3])
        mixed = graph.node("Reshape", mixed, graph.numbers(0, 0, width))
        mixed = self._linear(mixed, f"{layer}.output.dense")
        return self._layer_norm(graph.node("Add", mixed, value), f"{layer}.output.LayerNorm")

    def _embeddings(self):
        graph = self._graph
        words = graph.constant(self._weights["embeddings.word_embeddings.weight"], "words")
        # A single text is all of token type 0, so that row is added to the positions once, here,
        # and the runtime feeds ids and mask only.
        positions = graph.constant(self._weights["embeddings.position_embeddings.weight"]
                                   + self._weights["embeddings.token_type_embeddings.weight"][0],
                                   "positions")
        length = graph.node("Slice", graph.node("Shape", "input_ids"), graph.numbers(1),
                            graph.numbers(2))
        places = graph.node("Slice", positions, graph.numbers(0), length, graph.numbers(0))
        value = graph.node("Add", graph.node("Gather", words, "input_ids"), places)
        return self._layer_norm(value, "embeddings.LayerNorm")

    def write(self, path, dimensions):
        graph = self._graph
        mask = graph.node("Cast", "attention_mask", to=FLOAT)
        # 0 for a token, a large negative number for padding: added to the scores before softmax.
        bias = graph.node("Mul", graph.node("Sub", mask, graph.scalar(1.0)), graph.scalar(1e9))
        bias = graph.node("Unsqueeze", bias, graph.numbers(1, 2))

        value = self._embeddings()
        width = self._weights["embeddings.LayerNorm.weight"].shape[0]
        layer = 0
        while f"encoder.layer.{layer}.output.dense.weight" in self._weights:
            name = f"encoder.layer.{layer}"
            value = self._attention(value, bias, f"{name}.attention", width)
            inner = self._gelu(self._linear(value, f"{name}.intermediate.dense"))
            inner = self._linear(inner, f"{name}.output.dense")
            value = self._layer_norm(graph.node("Add", inner, value), f"{name}.output.LayerNorm")
            layer += 1

        # The sum over the tokens points where their mean does, and the length goes with the norm.
        column = graph.node("Unsqueeze", mask, graph.numbers(2))
        value = graph.node("ReduceSum", graph.node("Mul", value, column), graph.numbers(1),
                           keepdims=0)
        value = graph.node("Pad", value, graph.numbers(0, 0, 0, dimensions - width))
        graph.l2_normalised(value, "text_embeds")
        graph.save(path, [("input_ids", INT64, ["batch", "sequence"]),
                          ("attention_mask", INT64, ["batch", "sequence"])],
                   [("text_embeds", FLOAT, ["batch", dimensions])])


def write(path, weights, dimensions):
    """Writes the tower, its output padded with zeros to `dimensions`."""
    _Tower(weights).write(path, dimensions)
