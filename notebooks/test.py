"""Checks the notebook on published files that goodhour made here: make notebook-test.

    python notebooks/test.py BINARY

The data are those of examples/, and seeded messages on top of them.
"""

import csv
import datetime as dt
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import duckdb
import nbformat

import run

ROOT = Path(__file__).resolve().parent.parent
BINARY = None  # set from the command line
AS_OF = "2026-11-20T00:00:00Z"  # after the last event of examples/, so that the figures never change


def goodhour(data, *arguments):
    """Runs the binary on a data directory."""
    done = subprocess.run([BINARY, *arguments, "--data", data], cwd=ROOT, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise AssertionError(f"goodhour {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")


def write_messages(path):
    """Messages of another tool to the customers of examples/: four campaigns; those of the evening are read more."""
    draw = random.Random(7)
    with open(ROOT / "examples/customers.csv", encoding="utf-8") as file:
        customers = [row["customer"] for row in csv.DictReader(file)]
    first = dt.datetime(2026, 9, 1, tzinfo=dt.timezone.utc)
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["message_id", "customer", "campaign", "sent_at", "delivered_at", "read_at", "replied_at"])
        for number in range(6000):
            sent = first + dt.timedelta(days=draw.randrange(60), hours=draw.choice(range(7, 22)), minutes=draw.randrange(60))
            delivered = sent + dt.timedelta(seconds=draw.expovariate(1 / 20)) if draw.random() < 0.94 else None
            reads = delivered and draw.random() < (0.75 if sent.hour >= 17 else 0.5)
            read = delivered + dt.timedelta(minutes=draw.expovariate(1 / 40)) if reads else None
            replied = read + dt.timedelta(minutes=draw.expovariate(1 / 60)) if read and draw.random() < 0.08 else None
            times = [time.isoformat(timespec="milliseconds") if time else "" for time in (sent, delivered, read, replied)]
            campaign = ("autumn", "new-in", "restock", "a-campaign-with-a-very-long-name-indeed")[sent.day % 4]
            out.writerow([f"wamid.{number}", draw.choice(customers), campaign, *times])


def plan_campaigns(path):
    """Decisions and planned counts in a copy of a published file, as the sender's events make them."""
    draw = random.Random(11)
    verdicts = [("allow", None, "accepted", 70), ("suppress", "opted_out", "suppressed", 6), ("suppress", "marketing_cap", "suppressed", 9),
                ("hold_out", "holdout", "held_out", 10), ("expire", "max_lateness", "expired", 2), ("allow", None, "waiting", 3)]
    with duckdb.connect(str(path)) as db:
        customers = [row[0] for row in db.execute("select customer_id from marts.customers order by all").fetchall()]
        for number in range(800):
            verdict, rule, state, _ = draw.choices(verdicts, [v[3] for v in verdicts])[0]
            db.execute(
                """insert into marts.decisions (plan_id, message_id, campaign_id, customer_id, planned_customer_id, stage, verdict,
                       state, rule, arm, send_hour_local, hour_reason, decision_count, planned_at, decided_at)
                   values ('p1', ?, 'autumn', ?, ?, 'planning', ?, ?, ?, 'treatment', ?, ?, 1, '2026-11-01', '2026-11-01')""",
                [f"m{number}", *[draw.choice(customers)] * 2, verdict, state, rule, draw.choice([9, 12, 18, 19, 19, 20]),
                 draw.choice(["personal", "segment", "segment", "global", "explore"])],
            )
        db.execute("""
            update marts.campaigns set planned_count = d.n, waiting_count = d.waiting, held_out_count = d.held_out,
                suppressed_count = d.suppressed, expired_count = d.expired, planned_attempted_count = d.accepted
            from (select count(*) as n, count_if(state = 'waiting') as waiting, count_if(state = 'held_out') as held_out,
                      count_if(state = 'suppressed') as suppressed, count_if(state = 'expired') as expired,
                      count_if(state = 'accepted') as accepted from marts.decisions) as d
            where campaign_id = 'autumn'
        """)


class Notebook(unittest.TestCase):
    """The notebook on data with everything, with orders only, and with nothing."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="goodhour-notebook-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.data = cls.folder / "data"
        goodhour(cls.data, "publish", "--as-of", AS_OF)
        cls.empty = cls.copy("empty")
        for kind in ("orders", "customers", "consents"):
            goodhour(cls.data, "import", kind, f"examples/{kind}.csv", "--source", "shop")
        goodhour(cls.data, "publish", "--as-of", AS_OF)
        cls.orders = cls.copy("orders")
        messages = cls.folder / "messages.csv"
        write_messages(messages)
        goodhour(cls.data, "import", "messages", messages, "--source", "other-tool", "--value", "provider=meta",
                 "--value", "number_id=n1")
        goodhour(cls.data, "publish", "--as-of", AS_OF)
        cls.whole = cls.copy("whole")
        plan_campaigns(cls.whole)

    @classmethod
    def copy(cls, name):
        """A copy of the published file, a plain file of its own."""
        return Path(shutil.copyfile((cls.data / "goodhour.duckdb").resolve(), cls.folder / f"{name}.duckdb"))

    def executed(self, file):
        """The notebook, executed on a file, and the number of its figures."""
        notebook = run.execute(file, self.folder / f"{file.stem}.ipynb")
        self.assertEqual(run.problems(notebook, every_figure=False), [])
        return notebook, {cell.id: run.figures(cell) for cell in notebook.cells if cell.cell_type == "code"}

    def test_everything(self):
        notebook, figures = self.executed(self.whole)
        self.assertEqual(run.problems(notebook, every_figure=True), [])
        self.assertGreaterEqual(sum(figures.values()), 9)
        said = "\n".join(run.words(cell) for cell in notebook.cells if cell.cell_type == "code")
        self.assertIn("43 of 60 customers (72%)", said)

    def test_orders_only(self):
        notebook, figures = self.executed(self.orders)
        drawn = {name for name, count in figures.items() if count}
        self.assertEqual(drawn, {"age-figure", "reach-figure", "segments-figure", "spend-figure"})
        for cell in notebook.cells:
            if cell.id == "funnel-figure":
                self.assertIn("`marts.funnel` is empty", run.words(cell))

    def test_nothing(self):
        notebook, figures = self.executed(self.empty)
        self.assertEqual(sum(figures.values()), 0)
        self.assertEqual(len(run.problems(notebook, every_figure=True)), 8)

    def test_relation_is_missing(self):
        older = Path(shutil.copyfile(self.whole, self.folder / "older.duckdb"))
        with duckdb.connect(str(older)) as db:
            db.execute("drop table marts.decisions")
        notebook, figures = self.executed(older)
        self.assertEqual(figures["reasons-figure"], 0)
        self.assertGreater(figures["funnel-figure"], 0)

    def test_a_failing_cell_fails_the_run(self):
        broken = Path(shutil.copyfile(self.orders, self.folder / "broken.duckdb"))
        with duckdb.connect(str(broken)) as db:
            db.execute("alter table marts.segments rename column reachable_count to something_else")
        for file, why in ((broken, "reachable_count"), (self.folder / "absent.duckdb", "no published file")):
            done = subprocess.run(
                [sys.executable, run.__file__, file, self.folder / "out.ipynb"], capture_output=True, text=True, timeout=300
            )
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("a cell failed", done.stderr)
            self.assertIn(why, done.stderr)

    def test_committed_clean(self):
        notebook = nbformat.read(run.NOTEBOOK, as_version=4)
        nbformat.validate(notebook)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                self.assertEqual((cell.outputs, cell.execution_count), ([], None), f"clear the outputs of cell {cell.id}")

    def test_definitions(self):
        source = next(
            cell.source for cell in nbformat.read(run.NOTEBOOK, as_version=4).cells
            if "definitions" in cell.metadata.get("tags", [])
        )
        defined = {}
        exec(source, defined)  # noqa: S102, the cell is ours
        # The roots r of (p - r)^2 = z^2 r (1 - r) / n, solved with 40 digits.
        for hits, n, low, high in ((18, 20, 0.698966, 0.972134), (4, 200, 0.007804, 0.050287), (0, 77, 0, 0.047518)):
            self.assertAlmostEqual(defined["wilson"](hits, n)[0], low, places=6)
            self.assertAlmostEqual(defined["wilson"](hits, n)[1], high, places=6)
        customers, spend = defined["lorenz"]([1, 6, -5, 3])
        self.assertEqual(list(customers), [0, 0.25, 0.5, 0.75, 1])
        self.assertEqual([round(share, 9) for share in spend], [0, 0.6, 0.9, 1, 1])


if __name__ == "__main__":
    BINARY = Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
