"""Which calls hold the server's event loop up: by the CPU time of its own thread, which a busy machine does not change."""

import asyncio
import gc
import sys
import threading
import time
import traceback
from dataclasses import asdict, dataclass

HELD = 0.1  # seconds of CPU
FRAMES = 12  # of a stack that are told
# What waits for something else than the CPU: events of Python's audit hooks, which are raised before each such call.
BLOCKING = {"time.sleep", "socket.connect", "socket.getaddrinfo", "sqlite3.connect", "subprocess.Popen", "os.system"}


@dataclass(frozen=True)
class Hit:
    """One call of the loop that took long, or that may wait."""

    what: str
    seconds: float  # of CPU
    where: str


class Watch:
    """Measures each call that the loop of the main thread makes."""

    def __init__(self) -> None:
        self.hits: list[Hit] = []
        self.worst = 0.0  # seconds by the clock, in which the machine may have had something else to do
        self._thread = threading.main_thread().ident
        self._since = self._collecting = self._collected = 0.0
        self._seen = ""

    def install(self) -> None:
        """Watch from now on, for as long as the process lives."""
        run = asyncio.Handle._run

        def watched(handle: asyncio.Handle) -> None:
            if threading.get_ident() != self._thread:
                return run(handle)
            self._seen, self._collected = "", 0.0
            what = getattr(handle, "_callback", None)
            cpu, self._since = time.thread_time(), time.perf_counter()
            run(handle)
            self.worst, self._since = max(self.worst, time.perf_counter() - self._since), 0.0
            if (spent := time.thread_time() - cpu - self._collected) > HELD:
                self.hits.append(Hit(repr(what), spent, self._seen))

        asyncio.Handle._run = watched
        gc.callbacks.append(self._note_collection)
        sys.addaudithook(self._audit)
        threading.Thread(target=self._look, name="watch", daemon=True).start()

    def _note_collection(self, phase: str, info: dict[str, int]) -> None:
        # Collecting garbage is no call's own: it falls to whoever makes the next object.
        if threading.get_ident() == self._thread:
            if phase == "start":
                self._collecting = time.thread_time()
            else:
                self._collected += time.thread_time() - self._collecting

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in BLOCKING and self._since and threading.get_ident() == self._thread:
            self.hits.append(Hit(event, 0.0, "".join(traceback.format_stack(limit=FRAMES))))

    def _look(self) -> None:
        while True:
            time.sleep(HELD / 5)
            since = self._since
            if since and time.perf_counter() - since > HELD / 3 and (frame := sys._current_frames().get(self._thread)):
                self._seen = "".join(traceback.format_stack(frame, limit=FRAMES))

    def told(self) -> dict[str, object]:
        """What was found since the last time it was asked."""
        found = {"blocked": self.worst, "hits": [asdict(hit) for hit in self.hits]}
        self.worst, self.hits = 0.0, []
        return found


watch = Watch()
