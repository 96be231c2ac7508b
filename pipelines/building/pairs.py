"""Test images and their captions in the common space of a method that reads texts: what retrieval works on."""

import torch

from pipelines.building.devices import chosen_device
from pipelines.building.images import in_order, loader, plain_views
from pipelines.building.subject import Subject
from pipelines.evaluation.features import evaluating, pooled_features
from pipelines.evaluation.retrieval import ImagesAndCaptions
from pipelines.methods.clip import CLIP
from pipelines.sources.captions import all_captions


@torch.no_grad()
def pairs_of(subject: Subject) -> ImagesAndCaptions:
    """Every test image, labelled or not, with all its captions. InputError where an image has none."""
    device, shards, trained = chosen_device(), subject.shards, subject.trained
    texts = all_captions(shards, "test")
    assert trained is not None, "planning gives protocols on texts a trained method"
    method = trained.method(whole=True)
    assert isinstance(method, CLIP), "planning gives protocols on texts the weights of a method that reads them"
    method.to(device)
    views = plain_views(loader(shards, "test", in_order(), device), trained.wanted, device)
    with evaluating(method):
        image = method.image_embeddings(pooled_features(method.encoder, views, device).to(device))
        text = method.text_embeddings([each for listed in texts for each in listed])
    shards.check_unchanged("test")
    owner = torch.tensor([number for number, listed in enumerate(texts) for _ in listed], device=device)
    return ImagesAndCaptions(image, text, owner)
