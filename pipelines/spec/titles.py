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
    """The protocol in words, with those of its settings that are named with it: ``finetune[label_share=0.01]``."""
    kind, _, options = use.removesuffix("]").partition("[")
    words = _PROTOCOLS.get(kind, kind.replace("_", " "))
    return f"{words}, {options.replace('_', ' ').replace('=', ' ')}" if options else words


def metric_title(name: str) -> str:
    """A metric in words."""
    return _METRICS.get(name, name.replace("_", " "))


def number_title(number: str) -> str:
    """Of PROTOCOL/NUMBER: the protocol, and the number where it is not plain top-1."""
    use, _, name = number.rpartition("/") if "/" in number else (number, "", "")
    return protocol_title(use) if name in ("", "top1") else f"{protocol_title(use)}, {metric_title(name)}"
