import pytest
import torch
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors
from torch import nn

from pipelines.errors import InputError
from pipelines.spec.training import Training
from pipelines.training.larc import LARC
from pipelines.training.lars import LARS
from pipelines.training.layer_decay import layer_decay_groups
from pipelines.training.optimizers import (
    build_optimizer,
    clip_each,
    derived_lr,
    parameter_groups,
    set_rates,
)


class Toy(nn.Module):
    """A body, a predictor and a frozen target, with norms and biases."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.predictor = nn.Linear(4, 4)
        self.target = nn.Linear(4, 4).requires_grad_(False)
        self.log_scale = nn.Parameter(torch.zeros(()))


def names_of(group: dict, module: nn.Module) -> set[str]:
    members = {id(parameter) for parameter in group["params"]}
    return {name for name, parameter in module.named_parameters() if id(parameter) in members}


@pytest.mark.parametrize(("scaling", "expected"), [("linear", 0.3 * 16), ("sqrt", 0.3 * 4), ("none", 0.3)])
def test_derived_lr(scaling, expected):
    assert derived_lr(Training(lr_per_256=0.3, batch_size=4096, lr_scaling=scaling)) == pytest.approx(expected)


def test_everything_trainable_decays_in_one_group_when_asked():
    toy = Toy()
    (group,) = parameter_groups(toy, Training(decay_norm_and_bias=True, weight_decay=0.1))
    assert names_of(group, toy) == {name for name, _ in toy.named_parameters() if not name.startswith("target")}
    assert (group["weight_decay"], group["decayed"], group["adapt"], group["constant_lr"]) == (0.1, True, True, False)


def test_norms_biases_and_scales_are_left_out_of_decay_and_adaptation():
    toy = Toy()
    kept, spared = parameter_groups(toy, Training(decay_norm_and_bias=False, weight_decay=0.1))
    assert names_of(kept, toy) == {"body.0.weight", "predictor.weight"}
    assert names_of(spared, toy) == {"body.0.bias", "body.1.weight", "body.1.bias", "predictor.bias", "log_scale"}
    assert (spared["weight_decay"], spared["decayed"], spared["adapt"]) == (0.0, False, False)


def test_modules_of_constant_rate_keep_the_peak():
    toy, training = Toy(), Training(decay_norm_and_bias=False)
    groups = parameter_groups(toy, training, constant=[toy.predictor])
    assert [group["constant_lr"] for group in groups] == [False, False, True, True]
    assert names_of(groups[2], toy) == {"predictor.weight"}
    assert names_of(groups[3], toy) == {"predictor.bias"}
    optimizer = build_optimizer(groups, training, 0.4)
    set_rates(optimizer, 0.1, 0.03)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.1, 0.4, 0.4]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.03, 0, 0.03, 0]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sgd", torch.optim.SGD),
        ("lars", LARS),
        ("larc", LARC),
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
    ],
)
def test_each_optimizer_gets_its_settings_and_survives_a_checkpoint(name, kind):
    training = Training(
        optimizer=name, momentum=0.8, betas=(0.9, 0.95), trust=0.02, weight_decay=0.05, decay_norm_and_bias=False
    )

    def fresh() -> tuple[nn.Linear, torch.optim.Optimizer]:
        net = nn.Linear(3, 2)
        net.load_state_dict({"weight": torch.arange(6.0).reshape(2, 3) / 6, "bias": torch.ones(2)})
        return net, build_optimizer(parameter_groups(net, training), training, 0.2)

    def steps(net: nn.Linear, optimizer: torch.optim.Optimizer, numbers: range) -> None:
        for step in numbers:
            set_rates(optimizer, 0.2 / (step + 1), 0.05 + step)
            net.zero_grad()
            net(torch.full((2, 3), step + 1.0)).square().sum().backward()
            optimizer.step()

    net, optimizer = fresh()
    assert type(optimizer) is kind
    group = optimizer.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (0.2, 0.05)
    assert group.get("momentum", 0.8) == 0.8
    assert group.get("betas", (0.9, 0.95)) == (0.9, 0.95)
    assert group.get("trust", 0.02) == 0.02
    steps(net, optimizer, range(4))

    half, first = fresh()
    steps(half, first, range(2))
    resumed, second = fresh()
    resumed.load_state_dict(half.state_dict())
    second.load_state_dict(first.state_dict())
    steps(resumed, second, range(2, 4))
    assert torch.equal(resumed.weight, net.weight)
    assert torch.equal(resumed.bias, net.bias)


def test_clipping_of_the_local_rate_goes_with_larc_only():
    net = nn.Linear(2, 2)
    with pytest.raises(InputError, match="lars_clip: lars has no clipped local rate; use optimizer: larc"):
        build_optimizer(parameter_groups(net, Training()), Training(optimizer="lars", lars_clip=True), 0.1)
    clipped = Training(optimizer="larc", lars_clip=True)
    assert build_optimizer(parameter_groups(net, clipped), clipped, 0.1).param_groups[0]["clip"]


def test_simclrs_form_of_lars_can_be_asked_for():
    training = Training(optimizer="lars")
    for inside in (False, True):
        optimizer = build_optimizer(parameter_groups(nn.Linear(2, 2), training), training, 0.1, lr_in_buffer=inside)
        assert optimizer.param_groups[0]["lr_in_buffer"] is inside


@both_precisions
def test_clipping_each_parameter_matches_dino(dtype):
    given, expected = tensors("dino_grad_utils", dtype), load("dino_grad_utils")
    names = ("big", "small", "last_layer_v")
    parameters = {name: nn.Parameter(torch.zeros_like(given[f"grad_{name}"])) for name in names}
    for name, parameter in parameters.items():
        parameter.grad = given[f"grad_{name}"]
    norms = clip_each([*parameters.values(), nn.Parameter(torch.ones(2))], float(expected["clip"]))
    assert_close(norms, expected["norms"], dtype)
    for name, parameter in parameters.items():
        assert_close(parameter.grad, expected[f"clipped_{name}"], dtype)


def test_clipping_bounds_each_norm_and_copes_with_no_gradient_at_all():
    parameters = [nn.Parameter(torch.ones(4)) for _ in range(3)]
    assert clip_each(parameters, 1.0).numel() == 0
    for size, parameter in zip((0.0, 0.1, 100.0), parameters):
        parameter.grad = torch.full((4,), size)
    assert clip_each(parameters, 1.0).tolist() == pytest.approx([0, 0.2, 200])
    assert [parameter.grad.norm().item() for parameter in parameters] == pytest.approx([0, 0.2, 1.0], rel=1e-5)


def test_layer_decay_matches_mae():
    expected = load("mae_layer_decay")
    named = [
        (str(name), nn.Parameter(torch.zeros([1] * int(ndim))))
        for name, ndim in zip(expected["names"], expected["ndim"])
    ]
    groups = layer_decay_groups(
        named,
        float(expected["layer_decay"]),
        float(expected["weight_decay"]),
        [str(name) for name in expected["no_weight_decay"]],
    )
    found = {id(parameter): group for group in groups for parameter in group["params"]}
    assert len(found) == len(named) == sum(len(group["params"]) for group in groups)
    for (_, parameter), scale, decay in zip(named, expected["lr_scale"], expected["wd_per_param"]):
        assert found[id(parameter)]["lr_scale"] == pytest.approx(scale, rel=1e-9)
        assert found[id(parameter)]["weight_decay"] == decay


def test_layer_decay_scales_the_rate_from_the_start_and_at_every_step():
    net = nn.ModuleDict(
        {"patch_embed": nn.Linear(2, 2), "blocks": nn.ModuleList([nn.Linear(2, 2)]), "head": nn.Linear(2, 2)}
    )
    groups = layer_decay_groups(net.named_parameters(), 0.5, 0.1)
    optimizer = build_optimizer(groups, Training(optimizer="adamw"), 1.0)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25, 0.5, 0.5, 1, 1]
    set_rates(optimizer, 0.2, 0.3)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.05, 0.05, 0.1, 0.1, 0.2, 0.2])
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0, 0.3, 0, 0.3, 0]
