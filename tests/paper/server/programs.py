"""Guards and hosts that the tests of the time link start as processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time

import aiohttp
from aiohttp import web

from trailstop.errors import LinkLost
from trailstop.timelink import THREAD_WORK, HostLoop, LoopClock, run_hosted, run_linked

START_US = 1_700_000_000_000_000
LATENCY_S = 0.0371239
AWKWARD_S = (0.0100001, 0.0333333333, 0.7777777, 0.1, 1 / 3)


async def host(loop: HostLoop) -> None:
    """Keeps the time and answers each request a latency after it arrived."""
    port = loop.listen("127.0.0.1", 0)
    trace: list[str] = []
    done = asyncio.Event()

    async def serve(request: web.BaseRequest) -> web.Response:
        text = await request.text()
        trace.append(f"{loop.now_us - START_US} got {text}")
        if text == "end":
            done.set()
            return web.Response()
        await asyncio.sleep(LATENCY_S)
        return web.Response(text=str(loop.now_us - START_US))

    runner = web.ServerRunner(web.Server(serve, access_log=None, keepalive_timeout=86_400))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(port, runner.addresses[0][1], flush=True)

    async def beat() -> None:
        while True:
            await asyncio.sleep(0.1357911)
            trace.append(f"{loop.now_us - START_US} beat")

    beating = asyncio.ensure_future(beat())
    await done.wait()
    beating.cancel()
    await runner.cleanup()
    print("\n".join(trace), flush=True)


async def guard(clock: LoopClock, http_port: int) -> None:
    """Timers, requests and work in threads, all noted with their virtual times."""
    loop = asyncio.get_running_loop()
    trace: list[str] = []

    def note(text: str) -> None:
        trace.append(f"{round(loop.time() * 1_000_000)} {text}")

    async def timers(index: int, period_s: float) -> None:
        for _ in range(20):
            await asyncio.sleep(period_s)
            note(f"timer {index}")

    async def requests(http: aiohttp.ClientSession, name: str) -> None:
        for number in range(10):
            url = f"http://127.0.0.1:{http_port}/"
            async with http.post(url, data=f"{name}-{number}") as response:
                note(f"answer {name}-{number} {await response.text()}")
            await asyncio.sleep(0.05)

    async def threads() -> None:
        for _ in range(5):
            await asyncio.to_thread(time.sleep, 0.01)
            note("thread done")
            written: asyncio.Future[None] = loop.create_future()
            THREAD_WORK.begin()
            threading.Thread(target=write, args=(loop, written)).start()
            await written
            note("written")
            await asyncio.sleep(0.2)

    async with aiohttp.ClientSession() as http:
        await asyncio.gather(
            *(timers(index, period_s) for index, period_s in enumerate(AWKWARD_S)),
            requests(http, "a"),
            requests(http, "b"),
            threads(),
        )
        note(f"wall {clock.wall_ms()}")
        print("\n".join(trace), flush=True)
        await http.post(f"http://127.0.0.1:{http_port}/", data="end")


def write(loop: asyncio.AbstractEventLoop, written: asyncio.Future[None]) -> None:
    time.sleep(0.005)
    loop.call_soon_threadsafe(written.set_result, None)
    THREAD_WORK.end()


async def sleeper(clock: LoopClock) -> None:
    """A guard that never ends; says each virtual second."""
    while True:
        await asyncio.sleep(1)
        print(clock.wall_ms(), flush=True)


def main() -> None:
    role, *ports = sys.argv[1:]
    if role == "host":
        run_hosted(host, HostLoop(START_US, waits_for_guard=True))
    elif role == "guard":
        link, http = map(int, ports)
        with contextlib.suppress(LinkLost):
            # The host may end before the answer to the last request has been read.
            run_linked(lambda clock: guard(clock, http), "127.0.0.1", link)
    else:
        try:
            run_linked(sleeper, "127.0.0.1", int(ports[0]))
        except LinkLost as error:
            print(error)
            sys.exit(7)


if __name__ == "__main__":
    main()
