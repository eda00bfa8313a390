"""What is put into the zip in place of sources: bytecode, without what only a debugger or a reader wants.

Run as a program, so that the interpreter drops columns (``-X no_debug_ranges``) and orders sets always alike
(PYTHONHASHSEED). Tracebacks keep files, functions and lines. Our own documentation strings are kept: the
description of the API is made of them.
"""

from __future__ import annotations

import importlib.util
import marshal
import sys
from pathlib import Path

UNCHECKED = (1).to_bytes(4, "little")
"""Of the two kinds with a hash, the one that is never compared with a source."""


def bytecode(source: bytes, name: str, *, own: bool) -> bytes:
    """A module as ``.pyc``; ``name`` is the file that tracebacks show."""
    code = compile(source, name, "exec", dont_inherit=True, optimize=0 if own else 2)
    header = importlib.util.MAGIC_NUMBER + UNCHECKED + importlib.util.source_hash(source)
    return header + marshal.dumps(code)


def main(root: Path) -> None:
    """Every module below gets its bytecode in its place. ``app.py`` stays: the console shows it."""
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        compiled = bytecode(path.read_bytes(), name, own=name.startswith(("app.", "chalicelib/")))
        path.with_suffix(".pyc").write_bytes(compiled)
        if name != "app.py":
            path.unlink()
        else:
            path.with_suffix(".pyc").unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
