"""The daemon's loopback socket and its client: who is heard, what is told, how it fails."""

import asyncio
import contextlib
import http.client
import stat
import threading
from decimal import Decimal

import msgspec
import pytest

from trailstop.daemon.talk.client import ADDRESS_FILE, Address, DaemonClient
from trailstop.daemon.talk.socket import StatusSocket
from trailstop.daemon.talk.status import (
    ControlAnswer,
    ControlRefused,
    ControlRequest,
    EpochSummary,
    Fact,
    LegStatus,
    Status,
)
from trailstop.domain.position import Cause, Leg, Phase
from trailstop.domain.price import Side
from trailstop.errors import NotRunning

LEG = Leg("main", "binance", "BTCUSDT")
STATUS = Status(
    version="1",
    mode="paper",
    now_ms=2,
    started_at_ms=1,
    legs=(
        LegStatus(
            leg=LEG,
            epoch=1,
            side=Side.LONG,
            phase=Phase.ACTIVE,
            entry_price=Decimal("0.10"),
            quantity=Decimal(3),
            opened_at_ms=1,
        ),
    ),
)
EPOCH = EpochSummary(
    leg=LEG,
    epoch=1,
    side=Side.LONG,
    entry_price=Decimal(1),
    quantity=Decimal(3),
    opened_at_ms=1,
    cause=Cause.TRAIL,
    holds={"interval": 2},
)


class Facade:
    def __init__(self):
        self.asked = []

    def status(self):
        return STATUS

    async def events(self, after, limit):
        facts = [Fact(sequence=n, at_ms=n, kind="moved", text=f"fact {n}") for n in range(1, 2_500)]
        return [fact for fact in facts if fact.sequence > after][:limit]

    async def epochs(self):
        return [EPOCH]

    async def control(self, request):
        self.asked.append(request)
        if request.leg != LEG:
            raise ControlRefused("no such leg")
        return ControlAnswer(text="done")


@contextlib.contextmanager
def serving(folder):
    """The socket on a loop of its own, as the daemon has it."""
    facade, started, loop = Facade(), threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve():
        socket = StatusSocket(facade, folder)
        await socket.start()
        started.set()
        await stop.wait()
        await socket.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(10)
    try:
        yield facade
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def test_what_the_daemon_tells_arrives_as_it_is(tmp_path):
    with serving(tmp_path):
        client = DaemonClient(tmp_path)
        assert client.status() == STATUS
        assert client.epochs() == (EPOCH,)


def test_events_are_read_on_from_a_sequence_in_bounded_batches(tmp_path):
    with serving(tmp_path):
        client = DaemonClient(tmp_path)
        first = client.events()
        assert [fact.sequence for fact in first] == list(range(1, 1_001))
        assert client.events(2_498)[0].text == "fact 2499"
        assert client.events(2_499) == ()
        assert len(client.events(0, limit=1_000_000)) == 1_000


def test_a_wish_is_passed_on_and_a_refusal_comes_back_in_words(tmp_path):
    with serving(tmp_path) as facade:
        client = DaemonClient(tmp_path)
        request = ControlRequest(action="tighten", leg=LEG, price=Decimal("61500.10"))
        assert client.control(request).text == "done"
        assert facade.asked == [request]
        with pytest.raises(ControlRefused, match="no such leg"):
            client.control(ControlRequest(action="close", leg=Leg("x", "binance", "ETHUSDT")))


def test_only_who_can_read_the_address_file_is_heard(tmp_path):
    with serving(tmp_path) as facade:
        file = tmp_path / ADDRESS_FILE
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        address = msgspec.json.decode(file.read_bytes(), type=Address)
        wish = msgspec.json.encode(ControlRequest(action="close", leg=LEG))
        for token in ("", "Bearer ", "Bearer wrong", f"Bearer {address.token}x", address.token):
            for method, path in (
                ("GET", "/status"), ("GET", "/epochs"), ("GET", "/trails"), ("POST", "/control"),
            ):  # fmt: skip
                line = http.client.HTTPConnection(address.host, address.port, timeout=5)
                line.request(method, path, body=wish, headers={"Authorization": token})
                assert line.getresponse().status == 403
                line.close()
        assert facade.asked == []


def test_nobody_there_a_stale_file_and_a_stranger_are_all_not_running(tmp_path):
    client = DaemonClient(tmp_path, timeout_s=2)
    with pytest.raises(NotRunning, match="start it with: trailstop run"):
        client.status()
    with serving(tmp_path):
        stale = (tmp_path / ADDRESS_FILE).read_bytes()
    assert not (tmp_path / ADDRESS_FILE).exists(), "a daemon takes its address back"
    (tmp_path / ADDRESS_FILE).write_bytes(stale)
    with pytest.raises(NotRunning, match="does not answer"):
        client.status()
    (tmp_path / ADDRESS_FILE).write_text("{}")
    with pytest.raises(NotRunning, match="cannot be read"):
        client.status()
    other = tmp_path / "other"
    with serving(other):
        port = msgspec.json.decode((other / ADDRESS_FILE).read_bytes(), type=Address).port
        theirs = Address("127.0.0.1", port, "not-their-token", 1)
        (tmp_path / ADDRESS_FILE).write_bytes(msgspec.json.encode(theirs))
        with pytest.raises(NotRunning, match="not this Trailstop"):
            client.status()


def test_a_second_daemon_s_address_survives_the_end_of_the_first(tmp_path):
    with serving(tmp_path):
        replaced = msgspec.json.encode(Address("127.0.0.1", 9, "second", 2))
        (tmp_path / ADDRESS_FILE).write_bytes(replaced)
    assert (tmp_path / ADDRESS_FILE).read_bytes() == replaced


@pytest.mark.parametrize(
    ("protection", "bare"),
    [("none", True), ("placing", True), ("unknown", True), ("held", False), ("moving", False)],
)
def test_a_position_counts_as_protected_only_when_its_stop_is_known_to_rest(protection, bare):
    leg = msgspec.structs.replace(STATUS.legs[0], protection=protection)
    status = msgspec.structs.replace(STATUS, legs=(leg,))
    assert bool(status.unprotected) is bare
