"""MTCNN in NumPy, nets and steps between them, sharing nothing with the graphs and the Rust side.

Follows what the package `mtcnn` 1.0.0 does with a picture, step by step: the same pyramid, area
resampling, windows, suppression and crops. All is in double precision but the scores: in single
precision, as the package has them, many are equal to 1, and their order decides which box stays.
"""

import numpy


def convolve(x, kernel, bias):
    """Nothing padded; x [batch, height, width, channels]."""
    height, width = kernel.shape[:2]
    rows, columns = x.shape[1] - height + 1, x.shape[2] - width + 1
    return bias + sum(x[:, i:i + rows, j:j + columns] @ kernel[i, j].astype(numpy.float64)
                      for i in range(height) for j in range(width))


def prelu(x, slope):
    return numpy.where(x > 0, x, x * slope.reshape(-1))


def pool(x, width, same):
    """Maxima of windows, in steps of two. `same`: beyond the far edges there is nothing."""
    if same:
        extra = [max((-(-extent // 2) - 1) * 2 + width - extent, 0) for extent in x.shape[1:3]]
        x = numpy.pad(x, [(0, 0), *((pad // 2, pad - pad // 2) for pad in extra), (0, 0)],
                      constant_values=-numpy.inf)
    rows, columns = ((extent - width) // 2 + 1 for extent in x.shape[1:3])
    return numpy.max([x[:, i:i + 2 * rows - 1:2, j:j + 2 * columns - 1:2]
                      for i in range(width) for j in range(width)], axis=0)


def softmax(x):
    x = x.astype(numpy.float32)
    powers = numpy.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def columns_first(x):
    return x.transpose(0, 2, 1, 3).reshape(len(x), -1)


class Nets:
    """`proposals`, `refinement`, `output`: lists of arrays of `weights.read_joblib`."""

    def __init__(self, proposals, refinement, output):
        self._p, self._r, self._o = proposals, refinement, output

    def proposals(self, x):
        """Offsets [h, w, 4] and scores [h, w] of one picture [height, width, 3]."""
        w = self._p
        x = pool(prelu(convolve(x[None], w[0], w[1]), w[2]), 2, True)
        x = prelu(convolve(x, w[3], w[4]), w[5])
        x = prelu(convolve(x, w[6], w[7]), w[8])
        return convolve(x, w[9], w[10])[0], softmax(convolve(x, w[11], w[12]))[0, :, :, 1]

    def refinement(self, x):
        w = self._r
        x = pool(prelu(convolve(x, w[0], w[1]), w[2]), 3, True)
        x = pool(prelu(convolve(x, w[3], w[4]), w[5]), 3, False)
        x = columns_first(prelu(convolve(x, w[6], w[7]), w[8]))
        x = prelu(x @ w[9] + w[10], w[11])
        return x @ w[12] + w[13], softmax(x @ w[14] + w[15])[:, 1]

    def output(self, x):
        w = self._o
        x = pool(prelu(convolve(x, w[0], w[1]), w[2]), 3, True)
        x = pool(prelu(convolve(x, w[3], w[4]), w[5]), 3, False)
        x = pool(prelu(convolve(x, w[6], w[7]), w[8]), 2, True)
        x = columns_first(prelu(convolve(x, w[9], w[10]), w[11]))
        x = prelu(x @ w[12] + w[13], w[14])
        return x @ w[15] + w[16], x @ w[17] + w[18], softmax(x @ w[19] + w[20])[:, 1]


def area(picture, height, width):
    """Means over the areas that the new pixels cover, parts of pixels as parts."""
    def weights(old, new):
        edges = numpy.arange(new + 1) * (old / new)
        pixels = numpy.arange(old)
        covered = (numpy.minimum(edges[1:, None], pixels + 1)
                   - numpy.maximum(edges[:-1, None], pixels))
        return numpy.maximum(covered, 0) * (new / old)

    return numpy.einsum("yi,ijc,xj->yxc", weights(picture.shape[0], height), picture,
                        weights(picture.shape[1], width), optimize=True)


def overlap(boxes, smaller):
    """Shares of each two boxes: of their union, or of the smaller one."""
    size = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    width, height = (
        numpy.maximum(numpy.minimum(boxes[:, None, axis + 2], boxes[None, :, axis + 2])
                      - numpy.maximum(boxes[:, None, axis], boxes[None, :, axis]), 0)
        for axis in (0, 1))
    both = width * height
    if smaller:
        return both / numpy.minimum(size[:, None], size[None])
    return both / (size[:, None] + size[None] - both)


def suppress(boxes, limit, smaller=False):
    """Boxes [n, 5 or more] (edges, score), best first, without those that a better one covers.

    Of equal scores the one further up is the better one, then the one further left. (The package
    leaves that to its sort.)
    """
    left, top, score = (boxes[:, place].astype(numpy.float32) for place in (0, 1, 4))
    boxes = boxes[numpy.lexsort((left, top, -score))]
    covered = numpy.triu(overlap(boxes[:, :4], smaller) > limit, 1).any(0)
    return boxes[~covered]


def square(boxes):
    boxes = boxes.copy()
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    side = numpy.maximum(width, height)
    boxes[:, 0] += (width - side) / 2
    boxes[:, 1] += (height - side) / 2
    boxes[:, 2:4] = boxes[:, :2] + side[:, None]
    return boxes


def moved(boxes, offsets):
    boxes = boxes.copy()
    sizes = boxes[:, 2:4] - boxes[:, :2] + 1
    boxes[:, :4] += offsets * numpy.tile(sizes, 2)
    return boxes


def patches(picture, boxes, side):
    """Squares of the picture, each sampled bilinearly at side × side points that include both ends;
    zero, which is gray, outside of it."""
    height, width = picture.shape[:2]
    result = numpy.zeros((len(boxes), side, side, 3))
    for n, box in enumerate(boxes):
        def places(low, high, edge):
            # The package divides by the edge, and the resampling multiplies by one less.
            low, high = low / edge * (edge - 1), high / edge * (edge - 1)
            return low + numpy.arange(side) * (high - low) / (side - 1)

        xs, ys = places(box[0], box[2], width), places(box[1], box[3], height)
        inside = ((ys >= 0) & (ys <= height - 1))[:, None] & ((xs >= 0) & (xs <= width - 1))
        xs, ys = xs.clip(0, width - 1), ys.clip(0, height - 1)
        x0, y0 = numpy.floor(xs).astype(int), numpy.floor(ys).astype(int)
        x1, y1 = numpy.ceil(xs).astype(int), numpy.ceil(ys).astype(int)
        fx, fy = (xs - x0)[None, :, None], (ys - y0)[:, None, None]
        top = picture[y0][:, x0] * (1 - fx) + picture[y0][:, x1] * fx
        bottom = picture[y1][:, x0] * (1 - fx) + picture[y1][:, x1] * fx
        result[n] = (top * (1 - fy) + bottom * fy) * inside[:, :, None]
    return result


def detect(nets, rgb, smallest=20, factor=0.709, limits=(0.6, 0.7, 0.8)):
    """Faces of a picture u8 [height, width, 3]: rows of left, top, right, bottom, score, the x of
    five points, their y; best first."""
    picture = (rgb.astype(numpy.float64) - 127.5) / 128
    height, width = picture.shape[:2]
    nothing = numpy.zeros((0, 15))
    levels = round(-(numpy.log(min(height, width) / 12) / numpy.log(factor) + 1))
    found = []
    for level in range(levels):
        scale = 12 / smallest * factor**level
        offsets, scores = nets.proposals(area(picture, int(height * scale), int(width * scale)))
        y, x = numpy.where(scores > limits[0])
        corners = numpy.stack([2 * x, 2 * y, 2 * x + 12, 2 * y + 12], 1)
        boxes = (corners + 12 * offsets[y, x]) / scale
        found.append(suppress(numpy.column_stack([boxes, scores[y, x]]), 0.5))
    boxes = numpy.concatenate(found) if found else nothing[:, :5]
    if len(boxes) == 0:
        return nothing
    boxes = square(suppress(boxes, 0.7))
    offsets, scores = nets.refinement(patches(picture, boxes, 24))
    boxes = numpy.column_stack([moved(boxes, offsets)[:, :4], scores])[scores > limits[1]]
    if len(boxes) == 0:
        return nothing
    boxes = square(suppress(boxes, 0.7))
    offsets, points, scores = nets.output(patches(picture, boxes, 48))
    sizes = boxes[:, 2:4] - boxes[:, :2] + 1
    points = numpy.column_stack([sizes[:, :1] * points[:, :5] + boxes[:, :1] - 1,
                                 sizes[:, 1:] * points[:, 5:] + boxes[:, 1:2] - 1])
    boxes = numpy.column_stack([moved(boxes, offsets)[:, :4], scores, points])
    boxes = suppress(boxes[scores > limits[2]], 0.7, smaller=True)
    boxes[:, [0, 2]] = boxes[:, [0, 2]].clip(0, width - 1)
    boxes[:, [1, 3]] = boxes[:, [1, 3]].clip(0, height - 1)
    return boxes
