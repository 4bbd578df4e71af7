# SPDX-License-Identifier: Apache-2.0 OR MIT
"""That the checks of figures and tables would notice: `python3 -B vmtests/figures_test.py`, without a guest."""

import collections
import pathlib
import re
import sys
import tomllib
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "bench")]

import budgets  # noqa: E402
import interval  # noqa: E402
import readme  # noqa: E402
import table  # noqa: E402
import verifier  # noqa: E402


def measured(more=0):
    """What a guest could have told; `more` is what Bartizan adds to each act."""
    acts = {operation: 10_000 for operation in table.OPERATIONS}
    few = {operation: 10_000 for operation in ("open+close", "chmod")}
    one = {"open+close": 10_000}
    baseline = {table.NOTHING: acts, table.OTHER[table.COLD]: few, table.OTHER[table.DENIED]: one, table.OTHER[table.FIRST]: one}
    with_bartizan = {name: {operation: value + more for operation, value in acts.items()} for name in table.BARTIZAN}
    with_bartizan |= {table.COLD: {operation: 10_000 + 10 * more for operation in few},
                      table.DENIED: {"open+close": 10_000 + more}, table.FIRST: {"open+close": 10_000 + more}}
    pairs = {operation: [[1_000_000, 1_000_000 + 10 * more]] * 31 for operation in ("spawn+exec", "spawn+exec static")}
    memory = [{"inodes": 10, "tasks": 10, "inode": 0, "task": 0}] * 2
    return {"release": "6.12.95", "baselines": [baseline] * 3, "measured": with_bartizan, "pairs": pairs, "memory": memory,
            "peers": {name: {operation: value + 5_000 for operation, value in acts.items()} for name in table.PEERS}}


def over(found, kernel=budgets.KERNEL):
    judged = budgets.judged(kernel, found, table.rows(kernel, found))
    return {sentence.split(": ")[1] for kept, sentence in judged if not kept}


class VerifierCounts(unittest.TestCase):
    def test_a_rise_of_a_fifth_is_borne_and_one_of_21_per_cent_is_not(self):
        self.assertEqual(list(verifier.compared({"file_open": 1000}, {"file_open": 1200})), [])
        self.assertEqual(list(verifier.compared({"file_open": 1000}, {"file_open": 1210})),
                         ["file_open rose by 21 %, from 1,000 to 1,210 instructions"])

    def test_a_fall_is_borne(self):
        self.assertEqual(list(verifier.compared({"file_open": 1000}, {"file_open": 10})), [])

    def test_a_program_without_a_count_and_a_count_without_a_program_are_told(self):
        self.assertEqual(list(verifier.compared({"old": 1}, {"new": 2})),
                         ["new is new, with 2 instructions", "old is not loaded any more"])

    def test_what_is_written_is_read_again(self):
        counts = {"6.1": {"file_open": 5, "inode_link": 7}, "6.12": {"file_open": 6}}
        self.assertEqual(verifier.kept(verifier.written(counts)), counts)

    def test_a_release_is_known_by_its_series(self):
        self.assertEqual(verifier.kernel("6.12.95+deb12-cloud-amd64"), "6.12")

    def test_the_kept_file_holds_counts(self):
        kept = verifier.kept()
        self.assertTrue(kept)
        self.assertTrue(all(count > 0 for programs in kept.values() for count in programs.values()))


class Intervals(unittest.TestCase):
    def test_ranks_are_those_of_the_binomial_distribution(self):
        self.assertEqual(interval.ranks(31), (9, 21))
        self.assertEqual(interval.ranks(6), (0, 5))
        self.assertRaises(ValueError, interval.ranks, 5)

    def test_the_interval_holds_the_median_and_no_outlier(self):
        self.assertEqual(interval.of_median([*range(30), 10_000]), (9, 21))


class Budgets(unittest.TestCase):
    def test_what_costs_nothing_is_within_each(self):
        self.assertEqual(over(measured()), set())

    def test_what_costs_much_is_over_each(self):
        self.assertEqual(over(measured(5_000)), {f"{configuration}, {operation}" for configuration, operation, _ in budgets.BUDGETS})

    def test_each_budget_is_the_most_that_may_be(self):
        for configuration, operation, most in (one for one in budgets.BUDGETS if isinstance(one[2], int)):
            found = measured()
            found["measured"][configuration][operation] = 10_000 + most
            self.assertEqual(over(found), set())
            found["measured"][configuration][operation] += 1
            self.assertEqual(over(found), {f"{configuration}, {operation}"})

    def test_an_act_without_a_hook_may_vary_with_the_clock_and_no_more(self):
        for configuration, operation, _ in (one for one in budgets.BUDGETS if one[2] == "baselines"):
            found = measured()
            found["measured"][configuration][operation] = 10_010
            self.assertEqual(over(found), set())
            found["measured"][configuration][operation] = 10_011
            self.assertEqual(over(found), {f"{configuration}, {operation}"})

    def test_the_upper_end_of_the_interval_counts(self):
        found = measured()
        # The median is 0.9 %, and eleven of 31 pairs say more than 1.2 %.
        found["pairs"]["spawn+exec"] = [[1_000_000, 1_009_000]] * 20 + [[1_000_000, 1_013_000]] * 11
        self.assertEqual(over(found), {"bartizan governed warm, spawn+exec"})

    def test_another_kernel_has_none(self):
        self.assertEqual(over(measured(5_000), "6.1"), set())


class Tables(unittest.TestCase):
    def test_rows_have_every_configuration_and_what_was_added(self):
        rows = table.rows("6.12", measured(100))
        self.assertEqual([name for name in table.CONFIGURATIONS if name in {row["configuration"] for row in rows}], table.CONFIGURATIONS)
        self.assertEqual({row["added"] for row in rows if row["configuration"] == "auditd"}, {5_000})
        self.assertTrue(all(set(row) == {"kernel", "configuration", "operation", "instructions", "added"} for row in rows))

    def test_baselines_that_are_apart_make_it_worthless(self):
        found = measured()
        self.assertEqual(list(table.apart(found)), [])
        last = {way: dict(values) for way, values in found["baselines"][1].items()}
        last[table.NOTHING]["chown"] = 10_060
        found["baselines"] = [found["baselines"][0], last]
        self.assertEqual(len(list(table.apart(found | {"peers": {}}))), 1)

    def test_a_warm_act_as_dear_as_a_cold_one_is_told(self):
        found = measured(100)
        found["measured"][table.WARM] = found["measured"][table.WARM] | {"chmod": 11_000}
        self.assertEqual(len(list(table.not_warm(table.rows("6.12", found)))), 1)

    def test_the_text_is_made(self):
        self.assertIn("+5,000", table.text("6.12", measured(), table.rows("6.12", measured())))

    def test_the_readme_takes_the_table_between_its_marks(self):
        rows = table.rows("6.12", measured(100))
        made = readme.replaced(f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n", rows)
        self.assertTrue(made.startswith("before\n") and made.endswith("after\n") and "old" not in made)
        self.assertIn("| rename | 10,000 |", made)
        self.assertRaises(ValueError, readme.replaced, "no marks", rows)


def user_space(more=0):
    """What scripts/bench user could have measured."""
    one = {"user_us": 4 + more, "system_us": 2, "resident_kb": 30_000 + 5_000 * more}
    row = {"question": "any", "cold_ms": 50 + 20 * more, "warm_ms": 1 + 40 * more}
    return {"on": "a machine", "default": one, "all sinks": one, "store": {"records": 10, "bytes": 6_000_000, "questions": [row]}}


class UserSpace(unittest.TestCase):
    def test_each_budget_is_the_most_that_may_be(self):
        over = lambda found: [value > most for _, value, most, _ in budgets.of_user_space(found)]
        self.assertEqual([False] * len(budgets.USER_SPACE), over(user_space()))
        self.assertEqual([True] * len(budgets.USER_SPACE), over(user_space(3)))

    def test_the_readme_takes_it_between_marks_of_its_own(self):
        marks = f"{readme.BEGIN}\nkept\n{readme.END}\n{readme.USER_BEGIN}\nold\n{readme.USER_END}\nafter"
        made = readme.replaced(marks, user_space())
        self.assertTrue(made.startswith(f"{readme.BEGIN}\nkept\n{readme.END}\n{readme.USER_BEGIN}\na machine:"))
        self.assertTrue("| 4.0 | 2.0 | 29 |" in made and "old" not in made and made.endswith(f"{readme.USER_END}\nafter"))


class Proofs(unittest.TestCase):
    def test_every_capability_and_access_of_the_catalogue_has_a_row(self):
        wanted = set()
        for path in (HERE.parent / "policy" / "catalogue").glob("*.toml"):
            entry = tomllib.loads(path.read_text())
            words = {"executables": "execute", "sockets": "connect", "read": "read", "write": "write"}
            wanted |= {(entry["name"], words[key]) for group in entry["entries"] for key in words if group.get(key)}
        lines = (HERE / "e2e" / "proofs.tsv").read_text().splitlines()
        rows = {tuple(line.split("\t")[:2]) for line in lines if not line.startswith("#")}
        self.assertEqual(wanted, {row for row in rows if row[1] != "rename"})


class Names(unittest.TestCase):
    def test_no_two_modules_share_the_name_of_a_service(self):
        # What one has made of it would be met by the other, in whichever guest both run.
        used = collections.defaultdict(set)
        for path in (HERE / "e2e").glob("*.py"):
            for pattern in (r'Service\("(e2e-[\w-]+)"', r'"(e2e-[\w-]+)\.service'):
                for name in re.findall(pattern, path.read_text()):
                    used[name].add(path.name)
        self.assertGreater(len(used), 20)
        self.assertEqual({}, {name: modules for name, modules in used.items() if len(modules) > 1})


if __name__ == "__main__":
    result = unittest.TextTestRunner(stream=sys.stdout).run(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]))
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed or not result.testsRun else 0)
