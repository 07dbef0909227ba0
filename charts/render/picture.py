"""What the process that draws pictures runs. It loads neither Django nor anything else of the site."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from typing import Any, Literal

Format = Literal["png", "svg"]

SCALE = 2.0  # pixels of a PNG for each of the chart's


def draw(spec: dict[str, Any], format: Format) -> bytes:
    """Draw a chart; nothing may be fetched. Raises ValueError for what Vega-Lite cannot draw."""
    import vl_convert

    if format == "svg":
        return str(vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])).encode()
    return bytes(vl_convert.vegalite_to_png(spec, scale=SCALE, allowed_base_urls=[]))


def end_with_parent() -> None:
    """Watch the parent from within the worker: its queue stays open after the parent was killed."""
    # Ctrl-C reaches every process of the terminal; the parent ends this one, which has nothing to say about it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(parent: Any) -> None:
    parent.join()
    os._exit(0)
