"""Ranks, recall and mean reciprocal rank, and how two sides' vectors differ. No packages needed."""

import math


def ranking(similarities):
    """Columns from the most to the least similar; equals keep their order."""
    return sorted(range(len(similarities)), key=lambda column: -similarities[column])


def ranks(similarities, hits):
    """For each query (row), the rank of its first hit, from 1."""
    return [next(rank for rank, column in enumerate(ranking(row), 1) if wanted[column])
            for row, wanted in zip(similarities, hits)]


def figures(found):
    """R@1, R@5, R@10 and MRR of ranks."""
    values = {f"R@{k}": sum(rank <= k for rank in found) / len(found) for k in (1, 5, 10)}
    return {**values, "MRR": math.fsum(1 / rank for rank in found) / len(found)}


def cosine(one, other):
    """The cosine of two vectors of the same length."""
    return math.fsum(a * b for a, b in zip(one, other)) / math.sqrt(
        math.fsum(a * a for a in one) * math.fsum(b * b for b in other))


def similarities(queries, photos):
    """The cosine of every query (row) with every photo (column)."""
    return [[cosine(query, photo) for photo in photos] for query in queries]


def accepted(same, different, share):
    """The share of distances `same` below the one that only `share` of `different` are below."""
    limit = sorted(different)[int(share * len(different))]
    return sum(distance < limit for distance in same) / len(same)
