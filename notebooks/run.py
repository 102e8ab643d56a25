"""Executes the notebook on a published file and checks what came out.

    python notebooks/run.py FILE OUT.ipynb
    python notebooks/run.py --every-figure FILE OUT.ipynb

Exits 1 where a cell fails, or where a cell that promises a figure gives
neither one nor the words "Not shown". With --every-figure the words do not
count: for data that has everything.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import matplotlib.font_manager  # noqa: F401, builds its list of fonts now, so that no cell says that it does
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from traitlets.config import Config

NOTEBOOK = Path(__file__).with_name("engagement.ipynb")
CELL_SECONDS = 120


def execute(file, out):
    """Runs every cell on the file and writes the notebook with its outputs, also when a cell fails."""
    os.environ["GOODHOUR_FILE"] = str(file.absolute())  # the kernel inherits it
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as sockets:  # sockets in files: nothing listens on a port
        files = Config(AsyncKernelManager={"transport": "ipc", "ip": str(Path(sockets, "kernel"))})
        client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", config=files)
        try:
            client.execute()
        finally:
            nbformat.write(notebook, out)
    return notebook


def figures(cell):
    """The number of pictures among the cell's outputs."""
    return sum("image/png" in output.get("data", {}) for output in cell.outputs)


def words(cell):
    """What the cell says in words."""
    texts = [output.get("data", {}).get("text/markdown", output.get("text", "")) for output in cell.outputs]
    return "\n".join("".join(text) for text in texts)


def problems(notebook, every_figure):
    """What is wrong with an executed notebook."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                found.append(f"cell {cell.id} warns: {output.text.strip()}")
        if "figure" not in cell.metadata.get("tags", []) or figures(cell):
            continue
        if every_figure:
            found.append(f"cell {cell.id} drew no figure: {words(cell)}")
        elif "Not shown:" not in words(cell):
            found.append(f"cell {cell.id} drew no figure and does not say why")
    return found


def main():
    arguments = argparse.ArgumentParser(description="execute the notebook on a published file")
    arguments.add_argument("--every-figure", action="store_true", help="fail where a figure is missing, whatever the reason")
    arguments.add_argument("file", type=Path, help="the published file, data/goodhour.duckdb")
    arguments.add_argument("out", type=Path, help="where to write the executed notebook")
    given = arguments.parse_args()
    try:
        notebook = execute(given.file, given.out)
    except CellExecutionError as error:
        sys.exit(f"a cell failed, see {given.out}:\n{error}")
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    found = problems(notebook, given.every_figure)
    drawn = sum(figures(cell) for cell in cells)
    missing = sum("Not shown:" in words(cell) for cell in cells)
    print(f"{len(cells)} cells, {drawn} figures, {missing} sections without all of their data: {given.out}")
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
