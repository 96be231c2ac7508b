import pytest
import torch
from parity_tools import assert_close, both_precisions, load, tensors

from pipelines.losses.queue import enqueue, initial_queue


@both_precisions
@pytest.mark.parametrize("prefix", ["", "wrap_"])
def test_steps(dtype, prefix):
    given, expected = tensors("moco_queue", dtype), load("moco_queue")
    queue = given[f"{prefix}queue_init"]
    after = expected[f"{prefix}queue_after"]
    if not prefix:  # stored as columns (D, K)
        queue, after = queue.T.contiguous(), after.transpose(0, 2, 1)
    pointer = torch.tensor(0)
    for step, keys in enumerate(given[f"{prefix}keys"]):
        enqueue(queue, pointer, keys)
        assert_close(queue, after[step], dtype)
        assert_close(pointer, expected[f"{prefix}ptr_after"][step], dtype)


def test_holds_the_newest_keys_whatever_the_batch():
    for batch in (1, 3, 7, 10):
        queue, pointer = torch.zeros(10, 1), torch.tensor(0)
        keys = torch.arange(20 * batch, dtype=torch.float32).unsqueeze(1)
        for part in keys.split(batch):
            enqueue(queue, pointer, part)
        assert sorted(queue.flatten().tolist()) == keys[-10:].flatten().tolist()
        assert pointer.item() == 20 * batch % 10


def test_keys_leave_their_graph_and_their_precision_behind():
    queue, pointer = torch.zeros(4, 2), torch.tensor(3)
    enqueue(queue, pointer, torch.ones(2, 2, dtype=torch.bfloat16, requires_grad=True))
    assert not queue.requires_grad
    assert queue.dtype == torch.float32
    assert queue.sum(dim=1).tolist() == [2, 0, 0, 2]
    assert pointer.dtype == torch.int64


def test_more_keys_than_room_is_noticed():
    with pytest.raises(AssertionError, match="do not fit"):
        enqueue(torch.zeros(4, 2), torch.tensor(0), torch.zeros(5, 2))


def test_fresh_queue_is_unit_rows_of_its_generator():
    queue = initial_queue(50, 6, torch.Generator().manual_seed(1))
    torch.testing.assert_close(queue.norm(dim=1), torch.ones(50))
    assert torch.equal(queue, initial_queue(50, 6, torch.Generator().manual_seed(1)))
