"""What runs in the process of a worker on a cluster: a thread that works, and the messages between it and the run.

Imports nothing that computes: what does is opened by whoever the actor is handed.
"""

from __future__ import annotations

import pickle
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.workers.worker_process import Drawn, converse

if TYPE_CHECKING:  # see above
    from studio.evaluation.worker import OpenedWorker

NodeOpener = Callable[[Callable[[str], None]], "OpenedWorker"]  # says what it is about; can be pickled


@dataclass(frozen=True)
class Opening:
    """The worker is on its way.

    Attributes:
        node: the machine that it is on.
        doing: what it is about.
    """

    node: str
    doing: str


class WorkerActor:
    """A worker behind methods whose answers stream: messages as `converse` gives them, pickled here.

    Ray hands out arrays that lie in memory of its own and cannot be written to; what is pickled is the reader's.
    """

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def open(self, open_worker: NodeOpener) -> Iterator[bytes]:
        """Open the worker: any number of `Opening`, then what `converse` says of it."""
        node = socket.gethostname()

        def opened(_: int | None) -> OpenedWorker:
            return open_worker(lambda doing: self.send(Opening(node, doing)))

        self.send(Opening(node, "starts"))
        threading.Thread(target=converse, args=(self, opened, None), daemon=True).start()
        yield from self._answers()

    def evaluate(self, request: bytes) -> Iterator[bytes]:
        """Have the worker do an `EvaluationRequest`: any number of `Drawn`, then the last word on it."""
        self._requests.put(pickle.loads(request))
        yield from self._answers()

    def recv(self) -> Any:
        """Wait for a request; see `Messages`."""
        return self._requests.get()

    def send(self, message: Any, /) -> None:
        """Take an answer of the worker's thread; see `Messages`."""
        self._replies.put(message)

    def _answers(self) -> Iterator[bytes]:
        while True:
            message = self._replies.get()
            yield pickle.dumps(message)
            if not isinstance(message, Opening | Drawn):
                return
