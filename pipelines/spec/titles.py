"""What tables call a protocol and its numbers."""

_PROTOCOLS = {
    "knn": "kNN",
    "linear": "linear probe",
    "few_shot": "few-shot",
    "low_shot": "low-shot",
    "linear_augmented": "linear probe, augmented",
    "zero_shot": "zero-shot",
    "finetune": "fine-tuning",
    "multi_label": "multi-label",
}
_METRICS = {"map": "mAP", "miou": "mIoU", "ap": "AP", "ap50": "AP50", "ap75": "AP75"}


def protocol_title(use: str) -> str:
    """The protocol in words, without its settings."""
    return _PROTOCOLS.get(use, use.replace("_", " "))


def metric_title(name: str) -> str:
    """A metric in words."""
    return _METRICS.get(name, name.replace("_", " "))


def number_title(number: str) -> str:
    """Of PROTOCOL/NUMBER: the protocol, and the number where it is not plain top-1."""
    use, _, name = number.partition("/")
    return protocol_title(use) if name in ("", "top1") else f"{protocol_title(use)}, {metric_title(name)}"
