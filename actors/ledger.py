"""What the actors of a run host know together of each attempt."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from launchyard.actors.messages import Cancel, Ref
from launchyard.ports.runner import Handle


@dataclass(slots=True)
class _Known:
    handle: Handle | None = None
    cancel: Cancel | None = None
    submitting: bool = False


class Ledger:
    """Handles by attempt and attempts by handle; thread-safe.

    A cancel that comes before its submit has a result is kept here, for whoever brings the result.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Ref, _Known] = {}
        self._refs: dict[Handle, Ref] = {}

    def __len__(self) -> int:
        """Return how many attempts have a handle."""
        return len(self._refs)

    def begin(self, ref: Ref) -> bool:
        """Note that a submit begins; false while another one of the same attempt is under way."""
        with self._lock:
            known = self._known.setdefault(ref, _Known())
            if known.submitting:
                return False
            known.submitting = True
            return True

    def done(self, ref: Ref, handle: Handle | None) -> Cancel | None:
        """Note a submit's result; return the cancel that waited for it."""
        with self._lock:
            known = self._known.setdefault(ref, _Known())
            known.submitting = False
            if handle is not None:
                known.handle = handle
                self._refs[handle] = ref
            return known.cancel

    def keep(self, ref: Ref, handle: Handle) -> None:
        """Note a handle that is known from elsewhere."""
        with self._lock:
            self._known.setdefault(ref, _Known()).handle = handle
            self._refs[handle] = ref

    def want_cancel(self, cancel: Cancel) -> Handle | None:
        """Note the wish; return the handle to carry it out on, if there is one by now."""
        with self._lock:
            known = self._known.setdefault(cancel.ref, _Known())
            known.cancel = cancel
            return cancel.handle or known.handle

    def cancel_of(self, ref: Ref) -> Cancel | None:
        """Return the wish to cancel, if there is one."""
        with self._lock:
            known = self._known.get(ref)
            return known.cancel if known else None

    def handle_of(self, ref: Ref) -> Handle | None:
        """Return the attempt's handle, if it is known."""
        with self._lock:
            known = self._known.get(ref)
            return known.handle if known else None

    def ref_of(self, handle: Handle) -> Ref | None:
        """Return whose *handle* is."""
        with self._lock:
            return self._refs.get(handle)

    def forget(self, ref: Ref) -> Handle | None:
        """Drop the attempt; return the handle that it had."""
        with self._lock:
            known = self._known.pop(ref, None)
            if known is None or known.handle is None:
                return None
            self._refs.pop(known.handle, None)
            return known.handle
