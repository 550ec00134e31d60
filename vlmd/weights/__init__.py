"""Checkpoints: the one place that reads their folders. Imports no torch, and nothing here but `hub` has a network.

adapters     what is wrong with a LoRA adapter for a checkpoint
beside       what is wrong with the files beside the weights
checkpoint   a folder as facts: architecture, config, weight files, tensors
headers      what a safetensors file says of its tensors, checked against its size
installed    which packages are there that some models need
judging      what is wrong with a checkpoint, each fault one sentence with what helps
places       where checkpoints lie: folders of one's own, and what was fetched from the hub
revision     a digest of a checkpoint's files
"""

from vlmd.weights.checkpoint import Checkpoint, NoCheckpoint, read_checkpoint
from vlmd.weights.headers import BadWeights, Tensor, stored
from vlmd.weights.installed import installed
from vlmd.weights.judging import faults_of, no_checkpoint, not_fetched
from vlmd.weights.places import NotFetched, demo_folder, folder_of
from vlmd.weights.revision import revision_of

__all__ = [
    "BadWeights",
    "Checkpoint",
    "NoCheckpoint",
    "NotFetched",
    "Tensor",
    "demo_folder",
    "faults_of",
    "folder_of",
    "installed",
    "no_checkpoint",
    "not_fetched",
    "read_checkpoint",
    "revision_of",
    "stored",
]
