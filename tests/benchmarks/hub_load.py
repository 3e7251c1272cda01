"""A class on one hub, everybody dragging a slider: python tests/benchmarks/hub_load.py [30] [seconds of drag]

Each learner signs in, opens a kernel, runs an explorer, and then asks for the pictures of a slider as a page
does that has none of them, 15 a second, one after another, while the kernel works ahead. All at once, as at
the beginning of a class. Prints what the guide's table says.
"""

import contextlib
import json
import os
import statistics
import struct
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import psutil
from websocket import WebSocketTimeoutException, create_connection

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from test_hub import Hub, Learner

PER_SECOND = 15
CODE = """from optim_lessons.adam import adam
from optim_lessons.lab.explore import explore
from optim_lessons.landscapes import rosenbrock
import json
shown = explore(adam, rosenbrock, lr=0.05, steps=200)
place = list(shown.controls).index("lr")
print(json.dumps({"comm": shown.comm.comm_id, "values": shown._values, "place": place,
    "stops": list(shown.controls["lr"].stops)}))"""


class Dragging(Learner):
    """A learner who signs in and drags."""

    def open(self):
        """Open a kernel and run the explorer; note the seconds to its first picture."""
        kernel = self.ask("POST", "api/kernels", json={"name": "python3"}).json()["id"]
        cookies = "; ".join(f"{c.name}={c.value}" for c in self.session.cookies if "/hub/" not in c.path)
        address = self.at(f"api/kernels/{kernel}/channels").replace("http", "ws", 1)
        address = f"{address}?session_id={uuid.uuid4().hex}&_xsrf={self.token()}"
        self.socket = create_connection(address, cookie=cookies, origin=self.hub.address, timeout=240)
        ask = {"code": CODE, "silent": False, "store_history": False, "stop_on_error": True}
        self.say("execute_request", ask | {"user_expressions": {}, "allow_stdin": False})
        while True:
            message = self.hear()
            if message["msg_type"] == "error":
                raise RuntimeError(message["content"])
            if message["msg_type"] == "stream":
                self.explorer = json.loads(message["content"]["text"])
                return

    def say(self, kind, content):
        """Send a message to the kernel."""
        header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "version": "5.3"}
        header |= {"username": self.name, "session": uuid.uuid4().hex}
        message = {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "channel": "shell",
            "content": content,
        }
        self.socket.send(json.dumps(message))

    def hear(self):
        """Return the next message, without its buffers."""
        data = self.socket.recv()
        if isinstance(data, bytes):
            (count,) = struct.unpack(">I", data[:4])
            offsets = struct.unpack(f">{count}I", data[4 : 4 + 4 * count])
            data = data[offsets[0] : offsets[1] if count > 1 else None]
        return json.loads(data)

    def tell(self, content):
        """Say something to the explorer, as its page does."""
        self.say(
            "comm_msg", {"comm_id": self.explorer["comm"], "data": {"method": "custom", "content": content}}
        )

    def drag(self, seconds):
        """Drag for some seconds; return the milliseconds to each picture that came."""
        values, stops, place = (self.explorer[key] for key in ("values", "stops", "place"))
        begun, took, asked = time.monotonic(), [], 0
        self.tell({"ask": "ahead", "values": values, "knob": "lr", "grab": 1, "from": len(stops) // 2})
        self.socket.settimeout(5)
        while (now := time.monotonic()) < begun + seconds:
            stop = stops[asked % len(stops)]
            self.tell({"ask": "frame", "values": [*values[:place], stop, *values[place + 1 :]], "id": asked})
            with contextlib.suppress(WebSocketTimeoutException):
                while True:
                    content = self.hear()["content"].get("data", {}).get("content") or {}
                    if content.get("id") == asked and content.get("tell") in ("frames", "failed"):
                        took.append(1000 * (time.monotonic() - now))
                        break
            asked += 1
            time.sleep(max(0, now + 1 / PER_SECOND - time.monotonic()))
        return took


def memory(folder, kind):
    """Return the proportional memory in MB of the processes that have a word in their command."""
    sizes = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            words = " ".join(process.cmdline())
            if Path(process.cwd()).is_relative_to(folder) and kind in words:
                sizes.append(process.memory_full_info().pss / 1e6)
    return sizes


def main(count=30, seconds=20.0):
    """Run the class and print its figures."""
    with tempfile.TemporaryDirectory() as place:
        os.environ["PATH"] = os.pathsep.join([os.environ.get("PROXY", ""), os.environ["PATH"]])
        hub = Hub(Path(place) / "optim-lessons-hub", os.environ.get("PROXY", ""))
        figures, lock = [], threading.Lock()
        ready = threading.Barrier(count + 1, timeout=900)

        def learn(number):
            learner, begun = Dragging(hub, f"learner{number}"), time.monotonic()
            try:
                _, signed = learner.login()
                learner.open()
                first = time.monotonic() - begun
            except Exception as error:
                print(f"learner {number}: {error!r}"[:300], flush=True)
                ready.wait()
                return
            ready.wait()
            took = learner.drag(seconds)
            with lock:
                figures.append((signed, first, len(took) / seconds, statistics.median(took) if took else 0))

        threads = [threading.Thread(target=learn, args=[n]) for n in range(count)]
        for thread in threads:
            thread.start()
        try:
            ready.wait()
            load = psutil.cpu_percent(seconds / 2)
            servers, kernels = memory(hub.folder, "hub.learner"), memory(hub.folder, "ipykernel")
            free = psutil.virtual_memory().available / 1e9
            for thread in threads:
                thread.join()
        finally:
            hub.end(2)
        print(
            f"{count} learners at once on {os.cpu_count()} cores (busy {load:.0f} %), {len(figures)} came in"
        )
        rows = ("signed in, s", "first picture, s", "pictures per second", "key to picture, ms")
        for name, values in zip(rows, zip(*figures, strict=True), strict=True):
            some = sorted(values)
            print(f"{name}: {some[0]:.1f} to {some[-1]:.1f}, median {statistics.median(some):.1f}")
        each = (sum(servers) + sum(kernels)) / max(len(figures), 1)
        print(f"memory of a learner: {each:.0f} MB (server {statistics.mean(servers):.0f}, "
              f"kernel {statistics.mean(kernels):.0f}); free on the machine: {free:.1f} GB")  # fmt: skip


if __name__ == "__main__":
    main(*(kind(text) for kind, text in zip((int, float), sys.argv[1:], strict=False)))
