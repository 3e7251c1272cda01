"""A network that takes its time: between a browser and a server on this machine, every byte is late."""

import asyncio
import contextlib
import subprocess
import sys
import time

from running_lab import free_port


@contextlib.contextmanager
def slow_network(server, round_trip):
    """Yield a function like `server.address` whose pages are so many seconds of round trip away.

    server: a LabServer. A byte waits half of the time on its way there, and half on its way back.
    """
    port = free_port()
    command = [sys.executable, __file__, port, server.port, str(round_trip / 2)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as network:
        network.stdout.readline()
        try:
            yield lambda page: server.address(page).replace(f":{server.port}/", f":{port}/", 1)
        finally:
            network.kill()


async def _pass_on(port, far, delay):
    """Listen at one port, and carry what comes to the other one and back."""

    async def carry(reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", far)
        await asyncio.gather(_pump(reader, far_writer, delay), _pump(far_reader, writer, delay))

    async with await asyncio.start_server(carry, "127.0.0.1", port) as listening:
        print("listening", flush=True)
        await listening.serve_forever()


async def _pump(reader, writer, delay):
    """Pass everything on, each piece as late as the network is slow, the end too."""
    under_way = asyncio.Queue()

    async def arrive():
        data = True
        while data:
            due, data = await under_way.get()
            await asyncio.sleep(max(0, due - time.monotonic()))
            writer.write(data)
        writer.close()

    arriving = asyncio.ensure_future(arrive())
    data = True
    while data:
        try:
            data = await reader.read(65536)
        except ConnectionError:  # the other side is gone: an end like any other
            data = b""
        under_way.put_nowait((time.monotonic() + delay, data))
    await arriving


if __name__ == "__main__":
    asyncio.run(_pass_on(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
