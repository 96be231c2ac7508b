"""Training: the optimizer, the schedule, and how the loop runs."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pipelines.spec.base import Count, Model, NotNegative, Positive, Share
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.reading import Reading

HOW_TO_RUN = ("workers", "checkpoint_minutes", "resident_gib", "keep_epochs", "recompute_blocks", "shard_encoder")
"""Settings that say how to run, not what: they change no result, but for rounding, and no key."""
OFF: dict[str, object] = {
    "device_batch_size": None,
    "compile": False,
    "decode": "cpu",
    "collapse_stop": None,
    "restarts": 0,
}
"""Settings that are no part of a run's content while they are off."""
ONE_OPTIMIZER = {"lars_clip": "larc", "lars_lr_in_buffer": "lars"}
"""Switch -> the only optimizer that has it."""

LEAST_SPREAD = 0.1
"""Below it features have collapsed. Reached when two embeddings have a mean cosine of 0.99, if the rest is spread evenly over
the dimensions."""


class CollapseStop(Model):
    """When a training is given up: a reading below its bound at the end of an epoch, from ``epoch`` on."""

    epoch: Count
    spread: Share | None = None
    """Least feature spread, of the last monitor reading; 0: one point, 1: evenly over the sphere."""
    knn: Share | None = None
    """Least online kNN accuracy, as a fraction, of the last reading."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.spread is None and self.knn is None:
            raise ValueError("collapse_stop has no bound; give spread, knn or both, or leave it out")
        return self


class Training(Model):
    """Pretraining settings. Defaults are MoCo v2's at 200 epochs (SGD, cosine, no warm-up)."""

    epochs: Count = 200
    batch_size: Count = 256
    """Images a step over all processes."""
    device_batch_size: int | None = Field(default=None, ge=2)
    """Most images that one process puts through a network at a time; none: all of its share of the batch. Fewer take less
    memory and a second forward pass, and give the same step but for batch norm, which sees so many together."""
    optimizer: Literal["sgd", "lars", "larc", "adam", "adamw"] = "sgd"
    lr_per_256: Positive = 0.03
    """Learning rate for a batch of 256; the rate used is the derived lr."""
    lr_scaling: Literal["linear", "sqrt", "none"] = "linear"
    """lr = lr_per_256 x batch/256, x sqrt(batch/256), or as it stands."""
    momentum: Share = 0.9
    betas: tuple[Share, Share] = (0.9, 0.999)
    """Adam's and AdamW's averaging rates."""
    weight_decay: NotNegative = 1e-4
    weight_decay_end: NotNegative | None = None
    """Cosine from weight_decay to this value (DINO); none: constant."""
    decay_norm_and_bias: bool = True
    """Whether weight decay (and LARS' adaptation) acts on 1-d parameters: norms and biases."""
    layer_decay: Positive | None = None
    """Fine-tuning a ViT: the rate times this for every block further from the top; none: the same rate everywhere."""
    trust: Positive = 0.001
    """LARS' and LARC's trust coefficient."""
    lars_clip: bool = False
    """LARC's clipping: the local rate is at most the global one."""
    lars_lr_in_buffer: bool = False
    """SimCLR's form of LARS: the learning rate enters the momentum buffer."""
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    warmup_epochs: NotNegative = 0.0
    final_lr_share: Share = 0.0
    """Where the cosine ends, as a share of lr."""
    milestones: tuple[Share, ...] = (0.6, 0.8)
    """Fractions of training after which a step schedule multiplies the rate by step_factor."""
    step_factor: Positive = 0.1
    clip: Positive | None = None
    """Largest gradient norm of one parameter (DINO clips each by itself); none: no clipping."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 autocast where the device computes it natively."""
    compile: bool | Literal["graphs"] = False
    """Whether torch.compile makes the networks' kernels: minutes at the start, faster steps, other rounding. graphs: and a
    GPU replays them as CUDA graphs, which spares the host the launches and takes more memory."""
    recompute_blocks: bool = False
    """Activation checkpointing: blocks of encoders keep no activations and run again in the backward pass."""
    shard_encoder: bool = False
    """FSDP2: every process keeps a share of a ViT's weights, gradients and averages; in one process nothing."""
    data: Literal["auto", "resident", "streaming"] = "auto"
    """auto: resident when the set fits in resident_gib."""
    resident_gib: Positive = 4.0
    reading: Reading = Reading()
    """How the streaming path reads: sample by sample, or tar by tar."""
    decode: Literal["cpu", "gpu"] = "cpu"
    """Who decodes streamed JPEGs and cuts crops from them: the workers, or the GPU (nvJPEG), whose pixels differ a little."""
    workers: int | None = Field(default=None, ge=0)
    """Decoding processes of the streaming path; none: one for every core that the process may use but one."""
    checkpoint_minutes: NotNegative = 10.0
    """Time between checkpoints; one is written at every end too. 0: after every epoch."""
    keep_epochs: tuple[Count, ...] = ()
    """Epochs whose checkpoints are kept for good, beside the results: the weights after so many epochs."""
    monitor_steps: Count = 10
    """Steps between monitor readings."""
    online_knn_epochs: Count | None = None
    """Epochs between kNN readings on the held-out slice; none: only at the end."""
    collapse_stop: CollapseStop | None = None
    """When to give up a training whose features collapse; none: never, it is flagged at its end."""
    restarts: int = Field(default=0, ge=0)
    """How often a training whose loss, gradient or weights are no numbers any more goes back to its last checkpoint, and on
    with other draws of views and layers; 0: it ends. A trial of a search always ends."""

    def content(self) -> dict[str, Any]:
        """What of it decides a result, as plain JSON values; a reading in random order is no part of it, nor what is off."""
        dump = {
            name: value
            for name, value in self.model_dump(mode="json").items()
            if name not in HOW_TO_RUN and (name not in OFF or value != OFF[name])
        }
        del dump["reading"]
        return dump if (reading := self.reading.content()) is None else {**dump, "reading": reading}

    def check_encoder(self, encoder: EncoderOptions) -> None:
        """ValueError when this encoder cannot be trained so."""
        if self.recompute_blocks and not encoder.in_blocks:
            raise ValueError(
                f"recompute_blocks: blocks of {encoder.use} are not known here; use encoder resnet or vit, or "
                "device_batch_size, which keeps no activations either"
            )
        if self.shard_encoder and encoder.use != "vit":
            raise ValueError(
                f"shard_encoder: only a ViT is sharded, not {encoder.use}; leave it out: others fit on a GPU"
            )

    def check(self, num_samples: int | None = None) -> None:
        """ValueError when settings do not go together; apart from the fields, as a part of them may be given alone.

        num_samples: of the pretraining split, where known.
        """
        if self.batch_size < 2:
            raise ValueError(
                f"batch_size {self.batch_size} leaves batch norm and every contrast without a second image; use 2 or more"
            )
        if num_samples is not None and self.batch_size > num_samples:
            raise ValueError(
                f"batch_size {self.batch_size} is more than the {num_samples} images to train on; choose a smaller one"
            )
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs ({self.warmup_epochs:g}) must be fewer than epochs ({self.epochs}); shorten the warm-up"
            )
        if self.data == "resident" and self.reading.order == "sequential":
            raise ValueError("data resident keeps all images in memory; leave out reading, or the word resident")
        self.reading.check()
        if late := [epoch for epoch in self.keep_epochs if epoch > self.epochs]:
            raise ValueError(f"keep_epochs: {late[0]} comes after the last of the {self.epochs} epochs; leave it out")
        if self.collapse_stop and self.collapse_stop.knn is not None and self.online_knn_epochs is None:
            raise ValueError("collapse_stop.knn needs readings while training goes on; set online_knn_epochs")
        if self.compile and (self.recompute_blocks or self.shard_encoder):
            name = "recompute_blocks" if self.recompute_blocks else "shard_encoder"
            raise ValueError(f"compile and {name} were never tried together; leave one of them out")
        if self.shard_encoder and self.device_batch_size:
            raise ValueError("shard_encoder does not go with device_batch_size; recompute_blocks saves memory with it")
        if self.shard_encoder and self.optimizer in ("lars", "larc"):
            raise ValueError(
                f"shard_encoder: {self.optimizer} needs the norm of whole layers, which no process has; use adamw or sgd"
            )
        for name, optimizer in ONE_OPTIMIZER.items():
            if getattr(self, name) and self.optimizer != optimizer:
                raise ValueError(f"{name} belongs to optimizer {optimizer}, not to {self.optimizer}; leave it out")
