"""Deep InfoMax as a torch module."""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._coder import make_encoder, stage_sizes
from skdeep.nn._linear import Linear, linear
from skdeep.nn._views import View

#: Number of training samples whose codes are the negatives of new samples.
N_REFERENCES = 128
# Width of the space in which features and codes are compared.
_WIDTH = 128
# Scores are cosine similarities divided by this.
_TEMPERATURE = 0.2


class Pairs(NamedTuple):
    """Features and codes of a batch in a common space; their scalar products are scores."""

    #: (batch, locations, width)
    features: torch.Tensor
    #: (batch, width)
    code: torch.Tensor

    def positive(self):
        """Scores of each sample's features with its own code, (batch, locations)."""
        return (self.features * self.code.unsqueeze(1)).sum(dim=-1)

    def negative(self, codes):
        """Scores of features with given codes, (n, width) -> (batch, locations, n)."""
        return linear(self.features, codes)


class InfoMaxOutput(NamedTuple):
    """Output of the forward pass; terms that the loss does not have are None.

    Features and codes are in the common space of the critic of the term.
    """

    #: (batch, n_components)
    code: torch.Tensor
    #: (batch, 1, width), all features of a sample together
    global_features: torch.Tensor | None = None
    #: (batch, width)
    global_code: torch.Tensor | None = None
    #: (batch, n_pixels, width)
    local_features: torch.Tensor | None = None
    #: (batch, width)
    local_code: torch.Tensor | None = None

    def pairs(self):
        """Return the ``Pairs`` of each term of the loss by name."""
        pairs = {}
        if self.global_features is not None and self.global_code is not None:
            pairs["global"] = Pairs(self.global_features, self.global_code)
        if self.local_features is not None and self.local_code is not None:
            pairs["local"] = Pairs(self.local_features, self.local_code)
        return pairs


class Critic(nn.Module):
    """Maps features and codes to a common space, similar to the encode-and-dot critic of [1]_.

    **Shape**: (batch, locations, n_features), (batch, n_components) -> ``Pairs``

    Parameters
    ----------
    n_features, n_components : int
    activation : str
        Key of ``ACTIVATIONS``.
    generator : torch.Generator
        Source of the initial weights.

    References
    ----------
    .. [1] Hjelm et al. (2019), "Learning Deep Representations by Mutual Information Estimation and
       Maximization", ICLR.
    """

    references: torch.Tensor

    def __init__(self, n_features, n_components, *, activation, generator):
        super().__init__()
        self.features = nn.Sequential(
            Linear(n_features, _WIDTH, generator=generator),
            ACTIVATIONS[activation](),
            Linear(_WIDTH, _WIDTH, generator=generator),
        )
        self.code = Linear(n_components, _WIDTH, generator=generator)
        size = N_REFERENCES, _WIDTH
        self.register_buffer("references", torch.zeros(size, dtype=torch.float32))

    def embed(self, code):
        """(batch, n_components) -> (batch, width)."""
        return _on_sphere(self.code(code))

    def forward(self, features, code):
        """(batch, locations, n_features), (batch, n_components) -> Pairs."""
        return Pairs(_on_sphere(self.features(features)), self.embed(code))


def _on_sphere(x):
    """Scale vectors so that their scalar products are cosines over the temperature."""
    # NOTE[DIFF]: the paper's scores are unbounded, and it has a residual net where the map of codes
    # is linear here
    return F.normalize(x, dim=-1) * _TEMPERATURE**-0.5


class InfoMaxModule(nn.Module):
    """Encoder with critics that compare its features to its codes.

    **Shape**: (batch, n_features) -> ``InfoMaxOutput``

    Parameters
    ----------
    shape : CoderShape
    streams : dict of str to torch.Generator
    compares_global, compares_local : bool
        Which terms the loss has.
    **view
        Arguments of ``View``.
    """

    #: how ``encoder`` was built, see ``ENCODERS``
    encoder_kind = "codes"
    reference_weight: torch.Tensor

    def __init__(self, shape, streams, *, compares_global, compares_local, **view):
        super().__init__()
        self.view = View(shape.image_shape, **view, generator=streams["noise"])
        layers = list(make_encoder(shape, streams))
        # codes are computed from the feature map, or from the last hidden layer
        start = len(layers) - (1 if shape.image_shape is None else 2)
        self.body, self.head = nn.Sequential(*layers[:start]), nn.Sequential(*layers[start:])
        n_channels, n_pixels = _feature_map(shape)
        sizes = {"global": n_channels * n_pixels} if compares_global else {}
        sizes |= {"local": n_channels} if compares_local else {}
        options = {"activation": shape.activation, "generator": streams["weights"]}
        critics = {
            name: Critic(size, shape.n_components, **options) for name, size in sizes.items()
        }
        # not in a ModuleDict: torch.export takes no keyword of Python, "global", as a name
        self.global_critic, self.local_critic = critics.get("global"), critics.get("local")
        self.register_buffer("reference_weight", torch.zeros(N_REFERENCES, dtype=torch.float32))

    @property
    def critics(self):
        """Critics by the name of the term of the loss."""
        critics = {"global": self.global_critic, "local": self.local_critic}
        return {name: critic for name, critic in critics.items() if critic is not None}

    @property
    def encoder(self):
        """Layers of ``encode``."""
        return nn.Sequential(*self.body, *self.head)

    def encode(self, x):
        """(batch, n_features) -> (batch, n_components)."""
        return self.head(self.body(x))

    def forward(self, x):
        """(batch, n_features) -> InfoMaxOutput."""
        features = self.body(self.view(x))
        # NOTE[DIFF]: code and features of two views, as in AMDIM; the paper has no augmentation
        is_random = self.training and self.view.is_random
        code = self.encode(self.view(x)) if is_random else self.head(features)
        locations = {
            "global": features.flatten(1).unsqueeze(1),
            "local": features.flatten(2).transpose(1, 2) if features.ndim == 4 else None,
        }
        output = InfoMaxOutput(code)
        for name, critic in self.critics.items():
            pairs = critic(locations[name], code)
            parts = {f"{name}_features": pairs.features, f"{name}_code": pairs.code}
            output = output._replace(**parts)
        return output

    def set_references(self, x, weight):
        """Keep the codes of at most ``N_REFERENCES`` training samples.

        Parameters
        ----------
        x : Tensor, shape (n, n_features)
        weight : Tensor, shape (n,)
        """
        with torch.no_grad():
            code = self.encode(x)
            self.reference_weight.zero_()[: len(x)] = weight
            for critic in self.critics.values():
                assert isinstance(critic, Critic)
                critic.references.zero_()[: len(x)] = critic.embed(code)


def _feature_map(shape):
    """Return the number of channels and of pixels before the code."""
    if shape.image_shape is None:
        return [shape.n_features, *shape.hidden_layer_sizes][-1], 1
    channels = [shape.image_shape[0], *shape.hidden_layer_sizes][-1]
    height, width = stage_sizes(shape.image_shape, len(shape.hidden_layer_sizes))[-1]
    return channels, height * width
