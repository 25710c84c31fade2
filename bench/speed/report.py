"""Tables of what the sides printed, and the ratios that are aimed at."""

import statistics

# The recall from which on a search's time counts.
ENOUGH = 0.985


class Ratio:
    """What is aimed at: `value` takes `pick(side, case, unit)`, whose figures are of one round."""

    def __init__(self, what, aim, value):
        self.what, self.aim, self.value = what, aim, value


class Figures:
    """Figures by side, case and unit, then by variant, then by round."""

    def __init__(self, records):
        self.values, self.recalls = {}, {}
        for record in records:
            key = (record["side"], record["case"], record["unit"])
            variant = record.get("variant", "")
            rounds = self.values.setdefault(key, {}).setdefault(variant, {})
            rounds.setdefault(record["round"], []).append(record["value"])
            if record.get("recall") is not None:
                self.recalls.setdefault((*key, variant), []).append(record["recall"])

    def all(self, key, variant):
        return [value for values in self.values[key][variant].values() for value in values]

    def recall(self, key, variant):
        recalls = self.recalls.get((*key, variant))
        return statistics.median(recalls) if recalls else None

    def best(self, key):
        """The variant with the best median of those with enough recall; else the one with most."""
        # A percentile is that of the variant that is best in the middle.
        key = (*key[:2], "ms p50") if (*key[:2], "ms p50") in self.values else key
        variants = list(self.values[key])
        recall = {variant: self.recall(key, variant) for variant in variants}
        enough = [v for v in variants if recall[v] is None or recall[v] >= ENOUGH]
        if not enough:
            most = max(recall.values())
            enough = [v for v in variants if recall[v] == most]
        up = key[2].endswith(("/s", "/CPU-s")) or key[2].startswith("of ")
        pick = max if up else min
        return pick(enough, key=lambda variant: statistics.median(self.all(key, variant)))

    def at(self, key, number):
        """The best variant's figure of one round; of round 0 what was measured once."""
        rounds = self.values[key][self.best(key)]
        return statistics.median(rounds[number] if number in rounds else rounds[0])

    def ratio(self, ratio):
        """The ratio of each round in which all that it takes was measured."""
        numbers = sorted({n for by in self.values.values() for rounds in by.values() for n in rounds})
        found = []
        for number in [n for n in numbers if n] or numbers:
            try:
                found.append(ratio.value(lambda *key, n=number: self.at(key, n)))
            except (KeyError, ZeroDivisionError):
                continue
        return found


def number(value):
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def three(values):
    return " | ".join(number(pick(values)) for pick in (min, statistics.median, max))


def tables(title, session, ratios):
    """The whole report of one comparison, as Markdown."""
    figures, machine = Figures(session.records), session.machine
    versions = machine["peers"].get("versions", {})
    lines = [
        f"## {title}", "",
        f"{session.run}; {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB; "
        f"{machine['system']}, {machine['file_system']}; load before {machine['load_before']}, "
        f"after {machine.get('load_after', '?')}; {session.rounds_done} rounds; "
        f"adb {machine['commit']} (program {machine['speed']}); Python {machine['python']}, "
        + (", ".join(f"{name} {version}" for name, version in versions.items()) or "no peers")
        + ". BLAS: " + "; ".join(machine["peers"].get("pools", ["-"])) + ".", "",
        "| side | what | unit | min | median | max | recall@10 |", "|---|---|---|---|---|---|---|",
    ]
    for key, variants in figures.values.items():
        side, case, unit = key
        if unit == "recall@10":
            continue
        best = figures.best(key)
        for variant in variants:
            if unit == "ms p99" and variant != best:
                continue
            recall = figures.recall(key, variant)
            name = f"{case}: {variant}" if variant else case
            if len(variants) > 1 and variant == best:
                name += " (best)"
            lines.append(f"| {side} | {name} | {unit} | {three(figures.all(key, variant))} | "
                         f"{'' if recall is None else f'{recall:.3f}'} |")
    if ratios:
        lines += ["", "| ratio, round by round, best variants | aim | min | median | max |",
                  "|---|---|---|---|---|"]
    for ratio in ratios:
        found = figures.ratio(ratio)
        lines.append(f"| {ratio.what} | {ratio.aim} | {three(found) if found else '- | - | -'} |")
    if session.failures:
        lines += ["", "Failed:", ""]
        # What fails in every round is told once.
        lines += [f"- {side}: {' '.join(why.split())}" for side, why in dict.fromkeys(session.failures)]
    return "\n".join(lines) + "\n"
