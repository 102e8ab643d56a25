"""Opens the published file as the README says, while it is loaded into and replaced: make clients-test.

    python examples/clients/test.py BINARY

Each client opens it in turns while files are imported and the models publish again and again. Every state that a
client sees must be one state: all of its relations are of one run.
"""

import csv
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

import duckdb
import polars

ROOT = Path(__file__).resolve().parent.parent.parent
SHELL = Path(sys.executable).with_name("duckdb")
BINARY = None  # set from the command line
OPENINGS = 500

# One row: the orders and customers as three relations have them, and the instant that each looked from.
STATE = """
select
    (select count(*) from staging.orders) as orders,
    (select sum(order_count)::bigint from marts.customers) as customer_orders,
    (select sum(order_count)::bigint from marts.segments) as segment_orders,
    (select count(*) from marts.customers) as customers,
    (select sum(customer_count)::bigint from marts.segments) as segment_customers,
    (select count(distinct model_as_of) from marts.customers) as instants,
    (select max(model_as_of) from marts.customers) = (select as_of from ops.publication) as of_this_run
"""


def goodhour(data, *arguments):
    done = subprocess.run([BINARY, *arguments, "--data", data], cwd=ROOT, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise AssertionError(f"goodhour {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")


def of_shell(file):
    done = subprocess.run([SHELL, "-readonly", "-csv", "-noheader", file, STATE], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise AssertionError(done.stderr)
    *numbers, same = next(csv.reader(done.stdout.splitlines()))
    return (*map(int, numbers), same == "true")


def of_duckdb(file):
    with duckdb.connect(str(file), read_only=True) as db:
        return db.execute(STATE).fetchone()


def of_pandas(file):
    with duckdb.connect(str(file), read_only=True) as db:
        return tuple(db.sql(STATE).df().iloc[0].tolist())


def of_polars(file):
    with duckdb.connect(str(file), read_only=True) as db:
        return polars.DataFrame(db.sql(STATE).to_arrow_table()).row(0)


CLIENTS = {"the DuckDB shell": of_shell, "Python": of_duckdb, "pandas": of_pandas, "polars": of_polars}


def readme_blocks(language):
    """The README's blocks in the section For analysts."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## For analysts\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="goodhour-clients-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.data = cls.folder / "data"
        cls.file = cls.data / "goodhour.duckdb"
        goodhour(cls.data, "import", "orders", "examples/orders.csv", "--source", "shop")
        goodhour(cls.data, "publish")

    def test_readme(self):
        """Every line of the README works as it stands, beside the data directory."""
        environment = {**os.environ, "PATH": f"{SHELL.parent}{os.pathsep}{os.environ['PATH']}"}
        shell = [block for block in readme_blocks("sh") if block.startswith("duckdb ")]
        python = readme_blocks("python")
        self.assertEqual((len(shell), len(python)), (1, 1))
        for command in (["bash", "-euc", shell[0]], [sys.executable, "-c", python[0]]):
            done = subprocess.run(command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("external_id", done.stdout)

    def test_every_state_is_one(self):
        stop, trouble = threading.Event(), []

        def write():
            """Orders of new customers, then a run, until the readers are done."""
            draw, number = random.Random(5), 0
            try:
                while not stop.is_set():
                    path = self.folder / "more.csv"
                    with open(path, "w", newline="", encoding="utf-8") as file:
                        out = csv.writer(file)
                        out.writerow(["order_id", "customer", "time", "amount", "currency"])
                        for _ in range(200):
                            number += 1
                            out.writerow([f"more-{number}", f"m{draw.randrange(5000)}", "2026-11-01T10:00:00Z", draw.randrange(1, 300), "EUR"])
                    goodhour(self.data, "import", "orders", path, "--source", "more")
                    goodhour(self.data, "publish")
            except AssertionError as error:
                trouble.append(error)

        writer = threading.Thread(target=write)
        writer.start()
        seen = set()
        try:
            opened = 0
            while opened < OPENINGS or len(seen) < 3 and writer.is_alive():
                name, client = list(CLIENTS.items())[opened % len(CLIENTS)]
                orders, customer_orders, segment_orders, customers, segment_customers, instants, same = state = client(self.file)
                self.assertEqual((orders, orders, customers, 1, True), (customer_orders, segment_orders, segment_customers, instants, same), f"{name}: {state}")
                seen.add(orders)
                opened += 1
        finally:
            stop.set()
            writer.join()
        self.assertEqual(trouble, [])
        self.assertGreaterEqual(len(seen), 3, "the file was not replaced while it was read")
        print(f"{opened} openings by {len(CLIENTS)} clients, {len(seen)} states, each consistent")


if __name__ == "__main__":
    BINARY = Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
