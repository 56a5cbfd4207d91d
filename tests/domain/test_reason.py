"""The list of reasons."""

from __future__ import annotations

from launchyard.domain.reason import CLASS_OF, FailureClass, Reason


def test_every_reason_has_a_class_and_every_class_a_reason() -> None:
    """Retry policies and alerts go by the class."""
    assert set(CLASS_OF) == set(Reason)
    assert set(CLASS_OF.values()) == set(FailureClass)


def test_reasons_are_good_label_values() -> None:
    """They stand in metrics as they are."""
    assert all(reason.value == reason.name.lower() for reason in Reason)
