"""The formulas that Rust has too: data.rs tests the same numbers.

Needs numpy: `PYTHONPATH=... python3 -m unittest` with the peers' packages.
"""

import unittest

try:
    import shared
except ImportError as missing:
    raise unittest.SkipTest(f"the peers' packages are not on PYTHONPATH: {missing}")


class Formulas(unittest.TestCase):
    def test_mix(self):
        self.assertEqual(int(shared.mix(0)), 0xE220A8397B1DCDAF)

    def test_buckets(self):
        self.assertEqual([int(shared.buckets(row, 1)[0]) for row in (0, 1, 2, 199_999)],
                         [672, 3, 524, 166])

    def test_picture(self):
        picture = shared.picture(bytes(range(256)) * 200, 70_000)
        self.assertEqual(len(picture), shared.PICTURE)
        self.assertEqual(shared.picture_row(picture), 70_000)

    def test_recall(self):
        self.assertAlmostEqual(shared.recall([[2, 9], [3, 1]],
                                             shared.np.array([[1, 2], [3, 0xFFFFFFFF]])), 2 / 3)


if __name__ == "__main__":
    unittest.main()
