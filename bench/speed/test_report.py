"""Which variant counts, and ratios round by round."""

import unittest

from report import Figures, Ratio


def record(side, case, unit, value, number=1, variant="", recall=None):
    return {"side": side, "case": case, "unit": unit, "value": value, "round": number,
            "variant": variant, "recall": recall}


class Best(unittest.TestCase):
    def test_of_rates_the_highest_of_times_the_lowest(self):
        for unit, best in (("rows/s", "b"), ("ms p50", "a")):
            figures = Figures([record("x", "case", unit, 1, variant="a"),
                               record("x", "case", unit, 2, variant="b")])
            self.assertEqual(figures.best(("x", "case", unit)), best)

    def test_too_little_recall_does_not_count(self):
        figures = Figures([record("x", "case", "ms p50", 1, variant="fast", recall=0.9),
                           record("x", "case", "ms p50", 2, variant="good", recall=0.99)])
        self.assertEqual(figures.best(("x", "case", "ms p50")), "good")

    def test_where_all_have_too_little_the_most_counts(self):
        figures = Figures([record("x", "case", "ms p50", 1, variant="fast", recall=0.8),
                           record("x", "case", "ms p50", 2, variant="better", recall=0.9)])
        self.assertEqual(figures.best(("x", "case", "ms p50")), "better")

    def test_the_tail_is_that_of_the_best_in_the_middle(self):
        figures = Figures([record("x", "case", "ms p50", 1, variant="a"),
                           record("x", "case", "ms p99", 9, variant="a"),
                           record("x", "case", "ms p50", 2, variant="b"),
                           record("x", "case", "ms p99", 3, variant="b")])
        self.assertEqual(figures.at(("x", "case", "ms p99"), 1), 9)


class Ratios(unittest.TestCase):
    ratio = Ratio("x / y", "", lambda pick: pick("x", "c", "s") / pick("y", "c", "s"))

    def test_each_round_has_its_own(self):
        figures = Figures([record("x", "c", "s", 4, 1), record("y", "c", "s", 2, 1),
                           record("x", "c", "s", 9, 2), record("y", "c", "s", 3, 2)])
        self.assertEqual(figures.ratio(self.ratio), [2, 3])

    def test_what_was_measured_once_holds_for_all_rounds(self):
        figures = Figures([record("x", "c", "s", 4, 0), record("y", "c", "s", 2, 1),
                           record("y", "c", "s", 1, 2)])
        self.assertEqual(figures.ratio(self.ratio), [2, 4])

    def test_a_peer_that_failed_leaves_no_ratio(self):
        self.assertEqual(Figures([record("x", "c", "s", 4)]).ratio(self.ratio), [])


if __name__ == "__main__":
    unittest.main()
