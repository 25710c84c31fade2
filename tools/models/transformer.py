"""Writes CLIP's two transformers as ONNX, in the real sizes: what they cost, not what they know.

The weights are random, so vectors mean nothing; operations, shapes and bytes are those of an export
of the trained model. Patterns are spelled as exporters spell them, and ONNX Runtime puts its own
kernels in their place (LayerNormalization, QuickGelu).
"""

import numpy

from graph import FLOAT, INT64, Graph

EPSILON = 1e-5


class Shape:
    """Sizes of one tower."""

    def __init__(self, layers, width, heads):
        self.layers, self.width, self.heads = layers, width, heads


class _Writer:
    def __init__(self, name, shape, seed):
        self.graph, self._shape = Graph(name), shape
        self._seed = seed

    def random(self, name, *shape, scale=0.02):
        """A tensor of its own stream, so that each is the same whatever else is drawn."""
        stream = numpy.random.default_rng([self._seed, *name.encode()])
        values = stream.standard_normal(shape, numpy.float32) * numpy.float32(scale)
        return self.graph.constant(values, name)

    def linear(self, value, name, rows, columns):
        product = self.graph.node("MatMul", value, self.random(f"{name}.weight", rows, columns))
        return self.graph.node("Add", product, self.random(f"{name}.bias", columns))

    def norm(self, value, name):
        graph, width = self.graph, self._shape.width
        centred = graph.node("Sub", value, graph.node("ReduceMean", value, axes=[-1], keepdims=1))
        square = graph.node("Pow", centred, graph.scalar(2.0))
        variance = graph.node("ReduceMean", square, axes=[-1], keepdims=1)
        deviation = graph.node("Sqrt", graph.node("Add", variance, graph.scalar(EPSILON)))
        value = graph.node("Div", centred, deviation)
        scale = graph.constant(numpy.ones(width, numpy.float32), f"{name}.weight")
        shift = self.random(f"{name}.bias", width)
        return graph.node("Add", graph.node("Mul", value, scale), shift)

    def _attention(self, value, name, bias):
        graph, width, heads = self.graph, self._shape.width, self._shape.heads

        def split(part, order):
            whole = self.linear(value, f"{name}.{part}", width, width)
            whole = graph.node("Reshape", whole, graph.numbers(0, 0, heads, width // heads))
            return graph.node("Transpose", whole, perm=order)

        scores = graph.node("MatMul", split("query", [0, 2, 1, 3]), split("key", [0, 2, 3, 1]))
        scores = graph.node("Mul", scores, graph.scalar((width // heads) ** -0.5))
        if bias is not None:
            scores = graph.node("Add", scores, bias)
        mixed = graph.node("MatMul", graph.node("Softmax", scores, axis=-1),
                           split("value", [0, 2, 1, 3]))
        mixed = graph.node("Transpose", mixed, perm=[0, 2, 1, 3])
        mixed = graph.node("Reshape", mixed, graph.numbers(0, 0, width))
        return self.linear(mixed, f"{name}.out", width, width)

    def layers(self, value, bias=None):
        graph, width = self.graph, self._shape.width
        for layer in range(self._shape.layers):
            name = f"layer.{layer}"
            inner = self._attention(self.norm(value, f"{name}.before"), name, bias)
            value = graph.node("Add", value, inner)
            inner = self.linear(self.norm(value, f"{name}.between"), f"{name}.up", width, 4 * width)
            gate = graph.node("Sigmoid", graph.node("Mul", inner, graph.scalar(1.702)))
            inner = self.linear(graph.node("Mul", inner, gate), f"{name}.down", 4 * width, width)
            value = graph.node("Add", value, inner)
        return value


def write_image(path, shape, side, patch, dimensions, seed):
    """Input `pixel_values` f32 [batch, 3, side, side], output `image_embeds` [batch, dimensions]."""
    writer = _Writer("random_clip_image", shape, seed)
    graph, width, places = writer.graph, shape.width, (side // patch) ** 2
    value = graph.node("Conv", "pixel_values", writer.random("patches", width, 3, patch, patch),
                       kernel_shape=[patch, patch], strides=[patch, patch])
    value = graph.node("Reshape", value, graph.numbers(0, width, places))
    value = graph.node("Transpose", value, perm=[0, 2, 1])
    batch = graph.node("Slice", graph.node("Shape", "pixel_values"), graph.numbers(0),
                       graph.numbers(1))
    whole = graph.node("Concat", batch, graph.numbers(1, width), axis=0)
    start = graph.node("Expand", writer.random("class", 1, 1, width), whole)
    value = graph.node("Concat", start, value, axis=1)
    value = graph.node("Add", value, writer.random("places", places + 1, width))
    value = writer.layers(writer.norm(value, "first"))
    value = graph.node("Gather", value, graph.numbers(0), axis=1)
    value = graph.node("Squeeze", value, graph.numbers(1))
    value = writer.norm(value, "last")
    graph.node("MatMul", value, writer.random("projection", width, dimensions), name="image_embeds")
    graph.save(path, [("pixel_values", FLOAT, ["batch", 3, side, side])],
               [("image_embeds", FLOAT, ["batch", dimensions])])


def write_text(path, shape, vocabulary, context, dimensions, seed):
    """Inputs `input_ids` and `attention_mask` i64 [batch, sequence], output `text_embeds`."""
    writer = _Writer("random_clip_text", shape, seed)
    graph, width = writer.graph, shape.width
    length = graph.node("Slice", graph.node("Shape", "input_ids"), graph.numbers(1),
                        graph.numbers(2))
    zero = graph.numbers(0)
    places = graph.node("Slice", writer.random("places", context, width), zero, length, zero)
    value = graph.node("Gather", writer.random("words", vocabulary, width), "input_ids")
    value = graph.node("Add", value, places)
    # A word looks neither at later ones nor at padding.
    later = graph.constant(numpy.triu(numpy.full((context, context), -1e9, numpy.float32), 1),
                           "later")
    for axis in (0, 1):
        later = graph.node("Slice", later, zero, length, graph.numbers(axis))
    mask = graph.node("Cast", "attention_mask", to=FLOAT)
    mask = graph.node("Mul", graph.node("Sub", mask, graph.scalar(1.0)), graph.scalar(1e9))
    bias = graph.node("Add", later, graph.node("Unsqueeze", mask, graph.numbers(1, 2)))
    value = writer.norm(writer.layers(value, bias), "last")
    # The end token has the highest id, and its state is the text's.
    end = graph.node("ArgMax", "input_ids", axis=1, keepdims=1)
    numbers = graph.constant(numpy.arange(context, dtype=numpy.int64), "numbers")
    which = graph.node("Equal", graph.node("Slice", numbers, zero, length, zero), end)
    which = graph.node("Unsqueeze", graph.node("Cast", which, to=FLOAT), graph.numbers(2))
    value = graph.node("ReduceSum", graph.node("Mul", value, which), graph.numbers(1), keepdims=0)
    graph.node("MatMul", value, writer.random("projection", width, dimensions), name="text_embeds")
    graph.save(path, [("input_ids", INT64, ["batch", "sequence"]),
                      ("attention_mask", INT64, ["batch", "sequence"])],
               [("text_embeds", FLOAT, ["batch", dimensions])])
