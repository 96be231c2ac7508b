"""How the networks of a method run: where, with which kernels, compiled, in chunks, with activations kept or sharded."""

import importlib

import torch

from pipelines import distributed
from pipelines.encoders.norms import sync_batch_norm
from pipelines.kernels import choose_kernels
from pipelines.method import Method
from pipelines.spec.training import Training
from pipelines.training.chunks import chunk_networks, num_chunks
from pipelines.training.compiled import compile_networks
from pipelines.training.recompute import recompute_blocks


def prepare(method: Method, training: Training, device: torch.device) -> int:
    """Make the networks of ``method`` run as ``training`` says; in how many chunks a process's share of the batch goes."""
    method.to(device)
    method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if method.sync_statistics:
        sync_batch_norm(method)
    choose_kernels(training.precision, device)
    if training.recompute_blocks:
        recompute_blocks(method)
    if training.compile:
        compile_networks(method, training.compile == "graphs")
    chunks = num_chunks(training.batch_size // distributed.world_size(), training.device_batch_size)
    if chunks > 1:
        chunk_networks(method, chunks)
    if training.shard_encoder and distributed.world_size() > 1:
        importlib.import_module("pipelines.training.sharding").shard_encoders(method)  # a second of imports
    return chunks
