import pytest
import torch
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors

from pipelines.losses.mae import mae_loss, normalised_pixels, num_kept, patchify, random_masking, take, unpatchify


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@both_precisions
def test_patchify_matches_the_reference(dtype):
    given, expected = tensors("mae_patchify", dtype), load("mae_patchify")
    patch = int(expected["patch_size"])
    patches = patchify(given["images"], patch)
    assert_close(patches, expected["patches"], dtype)
    rows = given["images"].shape[2] // patch
    assert_close(unpatchify(patches, patch, rows), expected["images_back"], dtype)


@both_precisions
def test_masking_matches_the_reference(dtype):
    given, expected = tensors("mae_masking", dtype), load("mae_masking")
    masking = random_masking(given["noise"], float(expected["mask_ratio"]))
    assert masking.keep.tolist() == expected["ids_keep"].tolist()
    assert masking.restore.tolist() == expected["ids_restore"].tolist()
    assert masking.keep.shape[1] == int(expected["len_keep"])
    assert_close(masking.mask, expected["mask"], dtype)
    assert_close(take(given["tokens"], masking.keep), expected["tokens_visible"], dtype)
    lengths, ratios = expected["keep_table_length"].tolist(), expected["keep_table_ratio"].tolist()
    assert [num_kept(n, ratio) for n, ratio in zip(lengths, ratios)] == expected["keep_table"].tolist()


@both_precisions
@pytest.mark.parametrize(("norm_pix", "suffix"), [(False, "plain"), (True, "norm_pix")])
def test_loss_matches_the_reference(dtype, norm_pix, suffix):
    given, expected = tensors("mae_loss", dtype), load("mae_loss")
    prediction = given["pred"].requires_grad_()
    loss = mae_loss(given["images"], prediction, given["mask"], int(expected["patch_size"]), norm_pix)
    loss.backward()
    assert_close(loss, expected[f"loss_{suffix}"], dtype)
    assert_close(prediction.grad, expected[f"grad_pred_{suffix}"], dtype)


def test_oblong_images_with_any_channels_come_back_whole():
    images = rand(2, 5, 8, 12)
    patches = patchify(images, 4)
    assert patches.shape == (2, 6, 80)
    assert torch.equal(patches[1, 4].reshape(4, 4, 5), images[1, :, 4:8, 4:8].permute(1, 2, 0))  # row 1, column 1
    assert torch.equal(unpatchify(patches, 4, rows=2), images)


def test_an_image_that_does_not_divide_is_refused():
    with pytest.raises(AssertionError, match="10 x 8 pixels do not divide into patches of 4"):
        patchify(rand(1, 3, 10, 8), 4)


def test_visible_and_masked_tokens_go_back_to_their_places():
    tokens, noise = rand(3, 10, 4), rand(3, 10, seed=1)
    masking = random_masking(noise, 0.7)
    assert masking.keep.shape == (3, 3)
    assert masking.mask.sum(1).tolist() == [7, 7, 7]
    shuffled = torch.cat([take(tokens, masking.keep), torch.full((3, 7, 4), -1.0, dtype=tokens.dtype)], dim=1)
    restored = take(shuffled, masking.restore)
    assert torch.equal(restored, torch.where(masking.mask[..., None] > 0, -1.0, tokens))


def test_a_perfect_prediction_costs_nothing_and_only_masked_patches_count():
    images, mask = rand(2, 3, 8, 8), torch.tensor([[1.0, 0, 0, 1], [0, 0, 1, 0]], dtype=torch.float64)
    target = patchify(images, 4)
    wrong_where_visible = torch.where(mask[..., None] > 0, target, 100.0)
    assert mae_loss(images, wrong_where_visible, mask, 4, norm_pix=False) == 0
    off_by_three = target + 3 * mask[..., None]
    assert mae_loss(images, off_by_three, mask, 4, norm_pix=False).item() == pytest.approx(9)


def test_predicting_the_mean_of_normalised_pixels_costs_almost_one():
    images, mask = rand(2, 3, 8, 8) * 1000, torch.ones(2, 4, dtype=torch.float64)
    loss = mae_loss(images, torch.zeros(2, 4, 48, dtype=torch.float64), mask, 4, norm_pix=True)
    assert loss.item() == pytest.approx(47 / 48)  # biased over unbiased variance of 48 values


def test_normalised_pixels_ignore_brightness_and_contrast():
    patches = rand(2, 4, 48) * 1000
    torch.testing.assert_close(normalised_pixels(5 * patches + 70), normalised_pixels(patches))
    assert not normalised_pixels(torch.full((1, 1, 48), 0.4, dtype=torch.float64)).abs().gt(1e-9).any()
