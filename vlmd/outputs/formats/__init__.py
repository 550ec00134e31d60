"""Results in the formats of other programs: one module a format, all in `registry`.

base     what a format is
shown    the part of a result document that formats show, checked
cues     what the two kinds of subtitles have in common; `cells` the two kinds of CSV
"""

from vlmd.outputs.formats.base import Document, Format
from vlmd.outputs.formats.registry import FORMATS, pieces

__all__ = ["FORMATS", "Document", "Format", "pieces"]
