"""`stagewatch worker` with faults inside its process, where no signal from outside would hit but by luck.

    python -m tests.fault.sabotaged_worker --watch FILE --freeze before-commit --off fencing -- worker

Patches this process only; the product has no switch for any of it. What is patched is aiokafka wherever that is
enough: it stays the same while the product around it is rewritten. A name that is gone fails at once and loudly.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from aiokafka import AIOKafkaProducer

import streams.partitions
import streams.tracking
import streams.worker
from stagewatch.__main__ import run
from streams.partitions import Partitions
from streams.transport import BatchConsumer
from tests.fault import stacks
from tests.fault.phases import Phase, Phases

SLOW_RESUME_S = 0.3
"""Between a seek and the moment data flows again: a fetch on its way falls into it."""
Method = Callable[..., Awaitable[Any]]


def wrap(owner: Any, name: str, around: Callable[[Method], Method]) -> None:
    """Put a coroutine around an asynchronous method (or function of a module)."""
    original = getattr(owner, name)
    setattr(owner, name, wraps(original)(around(original)))


def is_lease(producer: AIOKafkaProducer) -> bool:
    """Whether a producer is the writer of a partition, and not of the probe for transactions."""
    manager = producer._txn_manager  # noqa: SLF001 - aiokafka says it nowhere else
    return manager is not None and "-probe-" not in manager.transactional_id


def writes_alerts(producer: AIOKafkaProducer) -> bool:
    """Whether the transaction under way holds alerts."""
    return any(tp.topic == "stagewatch.alerts" for tp in producer._txn_manager._txn_partitions)  # noqa: SLF001


# -- watching


def watch(phases: Phases) -> None:
    """Note in a file that outlives a SIGKILL what this process is in the middle of."""

    def during(phase: Phase, is_meant: Callable[[Any], bool] = lambda _: True) -> Callable[[Method], Method]:
        def around(original: Method) -> Method:
            async def call(*args: Any, **kwargs: Any) -> Any:
                meant = is_meant(args[0]) if args else True
                phases.add(phase, int(meant))
                try:
                    return await original(*args, **kwargs)
                finally:
                    phases.add(phase, -int(meant))

            return call

        return around

    def until(phase: Phase, *, is_begin: bool) -> Callable[[Method], Method]:
        def around(original: Method) -> Method:
            async def call(*args: Any, **kwargs: Any) -> Any:
                if is_begin:
                    phases.set(phase, 1)
                try:
                    return await original(*args, **kwargs)
                finally:
                    if not is_begin:
                        phases.set(phase, 0)

            return call

        return around

    wrap(AIOKafkaProducer, "start", during(Phase.FENCING, is_lease))
    wrap(streams.partitions, "recover", during(Phase.RECOVERY))
    wrap(streams.worker.Worker, "run", _tell_stacks)
    wrap(BatchConsumer, "on_partitions_revoked", until(Phase.REBALANCE, is_begin=True))
    wrap(Partitions, "_take_over", until(Phase.REBALANCE, is_begin=False))
    _watch_transactions(phases)


def _tell_stacks(original: Method) -> Method:
    async def call(worker: Any) -> None:
        stacks.tell_when_asked()
        await original(worker)

    return call


def _watch_transactions(phases: Phases) -> None:
    def begins(original: Method) -> Method:
        async def call(producer: Any) -> None:
            await original(producer)
            phases.add(Phase.TRANSACTION, 1)

        return call

    def ends(original: Method) -> Method:
        async def call(producer: Any) -> None:
            try:
                await original(producer)
            finally:
                phases.add(Phase.TRANSACTION, -1)

        return call

    wrap(AIOKafkaProducer, "begin_transaction", begins)
    wrap(AIOKafkaProducer, "commit_transaction", ends)
    wrap(AIOKafkaProducer, "abort_transaction", ends)


def _say(text: str) -> None:
    """Say in the log what this process does to itself."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


# -- freezing


def freeze_before_fence() -> None:
    """SIGSTOP itself once, assigned and before the first lease is taken."""
    _freeze(AIOKafkaProducer, "start", is_lease)


def freeze_before_commit() -> None:
    """SIGSTOP itself once, between the last write of a transaction with alerts and its commit."""
    _freeze(AIOKafkaProducer, "commit_transaction", writes_alerts)


def freeze_after_recovery() -> None:
    """SIGSTOP itself once, with the changelog read and the committed offsets not yet."""
    _freeze(Partitions, "_set_positions", lambda _: True)


def slow_resume() -> None:
    """Widen the gap between a seek and the moment data flows again."""

    def around(original: Method) -> Method:
        async def call(consumer: Any) -> None:
            await original(consumer)
            await asyncio.sleep(SLOW_RESUME_S)

        return call

    wrap(BatchConsumer, "perform_seek", around)


def _freeze(owner: Any, name: str, is_meant: Callable[[Any], bool]) -> None:
    left = [1]

    def around(original: Method) -> Method:
        async def call(*args: Any, **kwargs: Any) -> Any:
            if left and is_meant(args[0]):
                left.clear()
                _say(f"FROZEN before {name}")
                os.kill(os.getpid(), signal.SIGSTOP)
            return await original(*args, **kwargs)

        return call

    wrap(owner, name, around)


# -- sabotage


def without_fencing() -> None:
    """Every process has transactional ids of its own: nobody is ever fenced."""
    original = AIOKafkaProducer.__init__

    def init(self: Any, *args: Any, transactional_id: str | None = None, **kwargs: Any) -> None:
        own = None if transactional_id is None else f"{transactional_id}-{os.getpid()}"
        original(self, *args, transactional_id=own, **kwargs)

    AIOKafkaProducer.__init__ = init


def without_awaited_deliveries() -> None:
    """Whoever waits for a delivery is told at once that all is well."""

    def around(original: Method) -> Method:
        async def call(*args: Any, **kwargs: Any) -> asyncio.Future[None]:
            future = await original(*args, **kwargs)
            future.add_done_callback(lambda f: f.cancelled() or f.exception())  # or asyncio complains
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done

        return call

    wrap(AIOKafkaProducer, "send_batch", around)


def without_position_check() -> None:
    """What the changelog says is not compared with what was committed, as on a broker without transactions."""
    original = streams.tracking.Tracking.recover

    def recover(self: Any, committed: Any) -> Any:
        self._agent.is_exact, kept = False, self._agent.is_exact
        try:
            return original(self, committed)
        finally:
            self._agent.is_exact = kept

    streams.tracking.Tracking.recover = recover  # type: ignore[method-assign]


def without_border_check() -> None:
    """What comes after the end of the last batch is taken as if nothing were missing in between."""
    Partitions._check_border = staticmethod(lambda *_: None)  # type: ignore[assignment] # noqa: SLF001


def lose_a_batch() -> None:
    """Once, a batch of captured records that was fetched never reaches its agent."""
    original = BatchConsumer._to_batch  # noqa: SLF001 - where a fetch becomes a batch
    left = [1]

    def to_batch(self: Any, tp: Any, run: list[Any], generation: int) -> Any:
        message = original(self, tp, run, generation)
        if message is None or tp.topic != "cdc.mkt.mkt_app_progress" or not left:
            return message
        left.clear()
        _say(f"LOST {tp} {message.start}..{message.offset}")
        return None

    BatchConsumer._to_batch = to_batch  # type: ignore[method-assign] # noqa: SLF001


FREEZES = {
    "before-fence": freeze_before_fence,
    "before-commit": freeze_before_commit,
    "after-recovery": freeze_after_recovery,
    "slow-resume": slow_resume,
    "lose-a-batch": lose_a_batch,
}
SABOTAGES = {
    "fencing": without_fencing,
    "deliveries": without_awaited_deliveries,
    "position": without_position_check,
    "border": without_border_check,
}


def main() -> None:
    """Patch, and be `stagewatch`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--watch", metavar="FILE", help="note there what the process is in the middle of")
    parser.add_argument("--freeze", action="append", default=[], choices=sorted(FREEZES))
    parser.add_argument("--off", action="append", default=[], choices=sorted(SABOTAGES))
    parser.add_argument("command", nargs="+")
    chosen = parser.parse_args()
    if chosen.watch:
        watch(Phases(chosen.watch))
    for name in chosen.freeze:
        FREEZES[name]()
    for name in chosen.off:
        SABOTAGES[name]()
    sys.exit(run(chosen.command))


if __name__ == "__main__":
    main()
