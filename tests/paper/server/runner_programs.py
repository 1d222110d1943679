"""A paper exchange and a small guard that the tests of the runner start as processes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import sys
from urllib.parse import urlencode

import aiohttp
import msgspec
from yarl import URL

from trailstop.errors import LinkLost
from trailstop.paper.runner import PaperSettings, run_paper
from trailstop.timelink import LoopClock, run_linked

SYMBOL = "BTCUSDT"


async def guard(clock: LoopClock, ready: dict, printing: bool = True) -> None:
    """Place a stop 2 % below, then move it each virtual minute; print every event and answer."""
    keys = ready["accounts"]["long"]
    private = {"X-MBX-APIKEY": keys["key"]}

    def say(*words: object) -> None:
        if printing:
            print(clock.wall_ms(), *words, flush=True)

    async with aiohttp.ClientSession(ready["rest"], headers=private) as http:

        async def signed(method: str, path: str, **params: object) -> dict:
            text = urlencode(params | {"timestamp": clock.wall_ms()})
            signature = hmac.new(keys["secret"].encode(), text.encode(), hashlib.sha256)
            query = f"{text}&signature={signature.hexdigest()}"
            address = URL(f"{ready['rest']}{path}?{query}", encoded=True)
            async with http.request(method, address) as response:
                return await response.json()

        async def listen(path: str, names: tuple[str, ...]) -> None:
            async with http.ws_connect(ready["ws"] + path) as socket:
                async for message in socket:
                    event = json.loads(message.data)
                    say(event["e"], *(str(event.get(name)) for name in names))

        async with http.post("/fapi/v1/listenKey") as response:
            listen_key = (await response.json())["listenKey"]
        streams = [
            asyncio.ensure_future(listen("/market/ws/btcusdt@aggTrade", ("p", "T"))),
            asyncio.ensure_future(listen(f"/private/ws?listenKey={listen_key}", ("T",))),
        ]
        before = None
        while True:
            for position in await signed("GET", "/fapi/v3/positionRisk"):
                price = float(position["markPrice"]) * 0.98
                order = await signed(
                    "POST", "/fapi/v1/algoOrder", algoType="CONDITIONAL", symbol=SYMBOL,
                    side="SELL", type="STOP_MARKET", triggerPrice=f"{price:.1f}",
                    quantity=position["positionAmt"], reduceOnly="true",
                )  # fmt: skip
                say("placed", order.get("triggerPrice"), order.get("code"))
                if before is not None:
                    await signed("DELETE", "/fapi/v1/algoOrder", algoId=before)
                before = order.get("algoId", before)
            await asyncio.sleep(60)
            if all(stream.done() for stream in streams):
                return


def main() -> None:
    role, text = sys.argv[1:]
    if role == "paper":
        sys.exit(run_paper(msgspec.json.decode(text, type=PaperSettings)))
    ready = json.loads(text)
    host, port = ready["link"].split(":")
    with contextlib.suppress(LinkLost):
        run_linked(lambda clock: guard(clock, ready), host, int(port))


if __name__ == "__main__":
    main()
