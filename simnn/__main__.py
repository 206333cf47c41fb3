"""``python -m simnn`` is the ``simnn`` command."""

from simnn.pipeline.cli import main

main(prog_name="simnn")
