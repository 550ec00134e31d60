"""The folder people drop videos into. Watcher events are hints, a rescan is the truth.

scan     what lies in the folder now
settle   which of it has stopped changing (pure)
watch    hints that a rescan is worth while
inbox    the loop: scan, settle, register or refuse
"""

from vlmd.inbox.inbox import Inbox

__all__ = ["Inbox"]
