"""Every task there is, under the name that a pipeline gives it."""

from __future__ import annotations

from vlmd.core.tasks.choice import ChoiceTask
from vlmd.core.tasks.ensemble import EnsembleTask
from vlmd.core.tasks.events import EventsTask
from vlmd.core.tasks.feedback import FeedbackTask
from vlmd.core.tasks.text import CaptionTask, TextTask

Task = EventsTask | CaptionTask | ChoiceTask | FeedbackTask | TextTask | EnsembleTask
"""A union that messages decode by its tag."""
