"""A question to a person, for which a run of a deployment is suspended until it is answered."""

from __future__ import annotations

import itertools
from typing import TypeVar

from prefect import get_run_logger
from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput
from prefect.input.actions import aread_flow_run_input
from prefect.input.run_input import keyset_from_base_key

WAIT_SECONDS = 7 * 86_400

_Answer = TypeVar("_Answer", bound=RunInput)


async def asked(question: type[_Answer], *, key: str) -> _Answer:
    """The answer to a question, which is kept under `key` for as long as the run lives.

    The run's process ends here. When the run is resumed, or taken up by another worker, its flow begins anew, comes
    here again, and finds the answer. Without one the run fails after WAIT_SECONDS.
    """
    for again in itertools.count():
        name = f"{key}-{again}" if again else key
        kept = keyset_from_base_key(f"suspended-{name}")
        # Prefect forgets what a run has asked once that has crashed: it would put the question again, under a name
        # that is taken.
        if await aread_flow_run_input(kept["response"]) is not None:
            return await question.aload(kept)
        if await aread_flow_run_input(kept["schema"]) is None:
            get_run_logger().warning("The run waits for a person, who answers in its form in the UI.")
            return await asuspend_flow_run(wait_for_input=question, timeout=WAIT_SECONDS, key=name)
    raise AssertionError("there is always another name")
