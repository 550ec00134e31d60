"""Questions that come with videos: files of samples in the shapes that data sets have, read into inputs. Pure.

shapes    one row of each known shape → a sample
reading   a file's bytes → samples, and one sentence for every row that is none
"""

from vlmd.manifests.reading import MAX_BYTES, SUFFIXES, Manifest, Refused, read_manifest
from vlmd.manifests.shapes import Sample

__all__ = ["MAX_BYTES", "SUFFIXES", "Manifest", "Refused", "Sample", "read_manifest"]
