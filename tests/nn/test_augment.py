"""Augmentation: how far images move, what comes in at the border, mirrors."""

import pytest
import torch

from skdeep.nn._augment import AUGMENTATIONS, Augment


def augment(x, kind, seed=0):
    return Augment(kind, generator=torch.Generator().manual_seed(seed))(x)


def moved(image, down, right):
    """Image whose content lies so many pixels further on, with copies of the border."""
    rows = (torch.arange(image.shape[1]) - down).clamp(0, image.shape[1] - 1)
    columns = (torch.arange(image.shape[2]) - right).clamp(0, image.shape[2] - 1)
    return image[:, rows][:, :, columns]


@pytest.mark.parametrize(
    "size, limit", [((8, 8), 1), ((12, 30), 1), ((24, 30), 2), ((28, 28), 2), ((36, 36), 3)]
)
def test_shift_moves_by_up_to_a_twelfth_of_the_shorter_side(size, limit):
    image = torch.arange(2.0 * size[0] * size[1]).reshape(2, *size)
    steps = range(-limit, limit + 1)
    candidates = {(down, right): moved(image, down, right) for down in steps for right in steps}
    results = augment(image.expand(500, -1, -1, -1), "shift")
    seen = set()
    for result in results:
        places = [place for place, one in candidates.items() if torch.equal(one, result)]
        assert len(places) == 1
        seen.add(places[0])
    # 500 draws of at most 49 moves: one is missed with a probability of 49 (48/49)^500 = 0.002
    assert seen == set(candidates)


def test_flip_mirrors_about_half_of_the_images_and_moves_them():
    image = torch.arange(64.0).reshape(1, 8, 8)
    straight = [moved(image, down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    mirrored = [one.flip(2) for one in straight]
    results = augment(image.expand(400, -1, -1, -1), "shift+flip")
    n_mirrored = sum(any(torch.equal(one, result) for one in mirrored) for result in results)
    n_straight = sum(any(torch.equal(one, result) for one in straight) for result in results)
    assert n_mirrored + n_straight == 400
    # binomial of 400 coins: standard deviation 10
    assert abs(n_mirrored - 200) < 45


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_augmentation_draws_from_its_generator_only_and_leaves_its_input_alone(kind):
    x = torch.arange(4 * 64.0).reshape(4, 1, 8, 8)
    before, state = x.clone(), torch.get_rng_state()
    assert torch.equal(augment(x, kind, seed=1), augment(x, kind, seed=1))
    assert not torch.equal(augment(x, kind, seed=1), augment(x, kind, seed=2))
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", [None, *AUGMENTATIONS])
def test_images_stay_as_they_are_in_evaluation_and_without_augmentation(kind):
    x = torch.arange(4 * 64.0).reshape(4, 1, 8, 8)
    layer = Augment(kind, generator=torch.Generator().manual_seed(0))
    assert layer.eval()(x) is x
    assert (layer.train()(x) is x) == (kind is None)
