"""Problems whose trainings a method may learn from before it is judged on those of `benchmarks.quality.problems`.

No task is made of these. Their spaces hold the same hyperparameters in other ranges, most of them wider, so that what
is learned is what a learning rate means, not where in a range the best one lay.
"""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

from benchmarks.prior import drawn
from benchmarks.prior import lesson_examples as of
from benchmarks.quality.problems import Problem, cancer, digits


class _Ranges(NamedTuple):
    """The ranges of a problem."""

    rates: tuple[float, float]
    batches: tuple[int, ...]
    units: tuple[int, int]
    layers: int  # at most
    decays: tuple[float, float]
    dropout: float | None  # at most; None is none at all
    momentum: float = 0.0  # at least

    def of(self, problem: Problem) -> Problem:
        """Return a problem with these."""
        plain = {"rates": self.rates, "batches": self.batches, "units": self.units, "decays": self.decays}
        dropouts = None if self.dropout is None else (0.0, self.dropout)
        return replace(problem, **plain, layers=(1, self.layers), dropouts=dropouts, momenta=(self.momentum, 0.99))


# Of networks without dropout (`_RANGES`): with as many examples of every class; with rare classes, as rare as is said,
# of which as many of every class validate; trained until they overfit; of up to a thousand units a layer.
_even = partial(Problem, optimizer="adam", configurations=512)
_rare = partial(Problem, optimizer="adam", configurations=512, balanced=True)
_long = partial(Problem, optimizer="adam", configurations=384)
_broad = partial(Problem, optimizer="adam", configurations=256)

_PROBLEMS = {
    "wine": Problem(of.wine, "wine", 60, 118, 20, repeats=2),
    "iris": Problem(of.iris, "iris", 50, 100, 30, repeats=2),
    "cancer_few": Problem(cancer, "breast cancer Wisconsin", 40, 400, 30, optimizer="adam"),
    "digits_parity": Problem(of.parity, "digits, odd or even", 400, 600, 8),
    "digits_alike": Problem(of.alike, "the digits 3, 5, 8, 9", 100, 400, 30, optimizer="rmsprop"),
    "digits_blurred": Problem(of.blurred, "digits, noisy pixels", 600, 600, 8),
    "moons": Problem(of.moons, "two moons", 200, 500, 30),
    "circles": Problem(of.circles, "two circles", 300, 500, 30),
    "shells": Problem(of.shells, "3 shells in 5 dimensions", 1000, 600, 12),
    "hastie": Problem(of.hastie, "2 classes by the sum of 10 squares", 2000, 600, 6, optimizer="adamw"),
    "taught_classes": Problem(of.taught_classes, "5 classes of a random network", 600, 600, 10),
    "taught_values": Problem(of.taught_values, "a random network's values with noise", 500, 500, 16),
    "sparse": Problem(of.sparse, "8 of 80 features count", 180, 400, 30),
    "waves": Problem(of.waves, "a product of sines", 300, 400, 40, optimizer="adam"),
    "ripple": Problem(of.ripple, "a noisy sine", 100, 300, 60),
    "mnist_coarse": Problem(of.mnist, "MNIST, 7x7 pixels", 1500, 500, 3),
    "mnist_few": Problem(of.mnist, "MNIST, 7x7 pixels", 80, 500, 30),
    "cifar_grey": Problem(of.grey, "CIFAR-10, 8x8 grey pixels", 1000, 500, 10),
    "mnist_coarse_conv": Problem(of.mnist, "MNIST, 7x7 pixels", 300, 400, 4, "cnn", configurations=384),
    "cifar_conv": Problem(of.colour, "CIFAR-10, 8x8 pixels", 800, 400, 7, "cnn", "adam", configurations=384),
    "reviews": Problem(
        of.reviews, "IMDB, 32 words", 1500, 500, 5, "rnn", "adam", configurations=384, vocabulary=of.TOKENS
    ),
    "even_noisy": _even(of.classes(11, 12, 6, flip_y=0.35), "2 classes, 35% drawn anew", 500, 800, 25),
    "even_six": _even(of.classes(12, 18, 10, n_classes=6, class_sep=1.5), "6 classes", 800, 800, 20),
    "even_three": _even(
        of.classes(13, 8, 5, n_classes=3, flip_y=0.1), "3 classes, 10% drawn anew", 600, 800, 30, optimizer="adamw"
    ),
    "even_wide": _even(of.classes(14, 60, 10, flip_y=0.05), "2 classes in 60 dimensions", 400, 800, 20),
    "rare_threes": _rare(of.threes, "digits, a three or not", 400, 240, 15),
    "rare_few": _rare(of.classes(21, 10, 4, weights=[0.8], flip_y=0.1, class_sep=0.6), "1 of 5", 400, 800, 20),
    "rare_clusters": _rare(
        of.classes(22, 20, 8, weights=[0.85], flip_y=0.05, class_sep=0.7, n_clusters_per_class=3),
        "1 of 7",
        600,
        800,
        20,
    ),
    "rare_noisy": _rare(of.classes(23, 5, 4, weights=[0.75], flip_y=0.3, class_sep=0.8), "1 of 4", 500, 800, 30),
    "rare_noisier": _rare(of.classes(24, 6, 3, weights=[0.75], flip_y=0.4, class_sep=0.8), "1 of 4", 600, 800, 20),
    "rare_third": _rare(of.classes(25, 15, 5, weights=[0.7], flip_y=0.3), "1 of 3", 700, 800, 20),
    "rare_three": _rare(
        of.classes(26, 20, 12, n_classes=3, weights=[0.6, 0.3], flip_y=0.1),
        "1 of 10 in 3 classes",
        500,
        750,
        20,
    ),
    "rare_line": _rare(
        of.classes(27, 12, 2, weights=[0.85], flip_y=0.2, class_sep=0.5, n_clusters_per_class=1),
        "1 of 7",
        800,
        800,
        12,
    ),
    "rare_four": _rare(
        of.classes(28, 8, 6, n_classes=4, weights=[0.7, 0.2, 0.06], flip_y=0.02),
        "1 of 25 in 4 classes",
        800,
        400,
        15,
    ),
    "rare_tenth": _rare(of.classes(29, 10, 6, weights=[0.9], flip_y=0.02), "1 of 10", 1000, 600, 30),
    "rare_wide": _rare(of.classes(30, 60, 8, weights=[0.8], flip_y=0.1), "1 of 5 in 60 dimensions", 400, 800, 15),
    "rare_many": _rare(of.classes(31, 15, 8, weights=[0.7], flip_y=0.1, class_sep=0.7), "1 of 3", 2000, 800, 10),
    "long_wine": _long(of.wine, "wine", 80, 98, 200),
    "long_cancer": _long(cancer, "breast cancer Wisconsin", 200, 369, 150),
    "long_digits": _long(digits, "digits", 250, 500, 150),
    "long_uneven": _long(of.classes(41, 4, 3, weights=[0.76], flip_y=0.2, class_sep=0.8), "2 classes", 400, 250, 200),
    "long_noisy": _long(of.classes(42, 20, 8, weights=[0.7], flip_y=0.2), "2 classes, 20% drawn anew", 500, 300, 200),
    "long_clusters": _long(of.classes(43, 18, 10, n_classes=4, flip_y=0.05), "4 classes", 500, 300, 150),
    "long_shells": _long(of.shells, "3 shells in 5 dimensions", 600, 400, 150),
    "long_easy": _long(of.classes(44, 14, 6, flip_y=0.1, class_sep=1.2), "2 classes", 450, 240, 200),
    "broad_noisy": _broad(of.classes(51, 20, 8, flip_y=0.2), "2 classes, 20% drawn anew", 500, 400, 40),
    "broad_clusters": _broad(of.classes(52, 16, 10, n_classes=4, flip_y=0.05), "4 classes", 600, 500, 30),
    "broad_uneven": _broad(of.classes(53, 12, 6, weights=[0.8], flip_y=0.1), "2 classes", 500, 400, 40),
    "broad_easy": _broad(of.classes(54, 10, 5, flip_y=0.05, class_sep=1.2), "2 classes", 400, 400, 40),
    "broad_shells": _broad(of.shells, "3 shells in 5 dimensions", 600, 500, 30),
    "broad_digits": _broad(digits, "digits", 300, 500, 20),
    "broad_cancer": _broad(cancer, "breast cancer Wisconsin", 200, 369, 40),
}

_WIDE = (1e-8, 1.0)  # of weight decay
_RANGES = {
    "wine": _Ranges((1e-4, 3.0), (10, 20, 60), (4, 64), 5, (1e-6, 1.0), 0.6),
    "iris": _Ranges((1e-3, 3.0), (10, 50), (4, 32), 3, (1e-6, 0.1), 0.5),
    "cancer_few": _Ranges((1e-5, 0.3), (8, 16, 32), (4, 128), 3, (1e-6, 0.1), 0.8),
    "digits_parity": _Ranges((1e-3, 3.0), (16, 64, 256), (8, 160), 4, (1e-7, 0.01), 0.6),
    "digits_alike": _Ranges((1e-5, 0.1), (10, 20, 50, 100), (8, 128), 4, (1e-4, 1.0), 0.8),
    "digits_blurred": _Ranges((1e-5, 1.0), (32, 64, 128, 256), (16, 192), 3, (1e-6, 0.1), 0.8, 0.5),
    "moons": _Ranges((1e-4, 3.0), (8, 16, 32, 64), (4, 64), 6, (1e-6, 0.1), 0.5),
    "circles": _Ranges((1e-3, 1.0), (25, 50, 100, 300), (4, 64), 6, (1e-7, 0.1), 0.4),
    "shells": _Ranges((1e-3, 3.0), (16, 32, 64, 128, 256, 512), (4, 128), 5, (1e-6, 0.1), 0.5),
    "hastie": _Ranges((1e-4, 0.3), (40, 120, 480), (8, 192), 3, (1e-4, 1.0), 0.4),
    "taught_classes": _Ranges((1e-5, 3.0), (20, 40, 80, 160), (8, 128), 4, (1e-7, 1.0), 0.8),
    "taught_values": _Ranges((1e-4, 1.0), (25, 50, 100, 250), (8, 128), 5, (1e-6, 0.3), 0.5),
    "sparse": _Ranges((1e-4, 0.3), (15, 30, 90, 180), (4, 128), 3, (1e-5, 1.0), 0.6),
    "waves": _Ranges((3e-4, 0.3), (20, 60, 300), (8, 96), 5, (1e-7, 0.1), 0.3),
    "ripple": _Ranges((1e-3, 1.0), (10, 20, 100), (4, 96), 5, (1e-6, 0.01), 0.2),
    "mnist_coarse": _Ranges((1e-4, 3.0), (20, 60, 180, 540), (8, 256), 3, (1e-7, 0.1), 0.6),
    "mnist_few": _Ranges((1e-4, 1.0), (10, 20, 40, 80), (8, 192), 3, (1e-5, 1.0), 0.8),
    "cifar_grey": _Ranges((1e-4, 1.0), (25, 50, 100, 500), (16, 192), 3, (1e-7, 0.3), 0.6),
    "mnist_coarse_conv": _Ranges((1e-4, 1.0), (25, 50, 100), (2, 24), 3, (1e-6, 0.1), 0.6),
    "cifar_conv": _Ranges((1e-4, 0.1), (25, 50, 100), (4, 24), 3, (1e-6, 1.0), 0.8),
    "reviews": _Ranges((1e-4, 0.1), (20, 100), (4, 24), 2, (1e-6, 0.1), 0.6),
    "even_noisy": _Ranges((1e-5, 1.0), (8, 16, 32, 64, 128, 256), (16, 256), 3, _WIDE, None),
    "even_six": _Ranges((1e-5, 0.3), (16, 64, 256), (8, 128), 4, _WIDE, None),
    "even_three": _Ranges((1e-5, 1.0), (10, 40, 160), (8, 192), 3, _WIDE, None),
    "even_wide": _Ranges((1e-6, 0.1), (8, 32, 128), (16, 256), 3, (1e-7, 0.1), None),
    "rare_threes": _Ranges((1e-5, 1.0), (8, 16, 32, 64, 128), (8, 128), 3, _WIDE, None),
    "rare_few": _Ranges((1e-5, 1.0), (8, 16, 32, 64, 128), (16, 256), 3, _WIDE, None),
    "rare_clusters": _Ranges((1e-5, 1.0), (8, 16, 32, 64, 128, 256), (16, 192), 3, _WIDE, None),
    "rare_noisy": _Ranges((1e-5, 1.0), (10, 20, 50, 100, 250), (8, 128), 3, _WIDE, None),
    "rare_noisier": _Ranges((1e-5, 0.1), (8, 32, 128), (8, 128), 3, (1e-7, 0.1), None),
    "rare_third": _Ranges((1e-5, 1.0), (8, 16, 32, 64, 128, 256), (16, 192), 3, _WIDE, None),
    "rare_three": _Ranges((1e-5, 1.0), (8, 16, 32, 64, 128), (16, 128), 4, _WIDE, None),
    "rare_line": _Ranges((1e-6, 0.3), (16, 32, 64, 128), (4, 128), 3, _WIDE, None),
    "rare_four": _Ranges((1e-5, 1.0), (8, 16, 32, 64, 128, 256), (16, 256), 3, _WIDE, None),
    "rare_tenth": _Ranges((1e-5, 1.0), (16, 32, 64, 128, 256), (16, 128), 3, _WIDE, None),
    "rare_wide": _Ranges((1e-5, 1.0), (8, 16, 32, 64, 128), (16, 256), 3, _WIDE, None),
    "rare_many": _Ranges((1e-4, 0.3), (16, 64, 256), (32, 512), 2, (1e-8, 0.1), None),
    "long_wine": _Ranges((1e-5, 1.0), (8, 16, 40, 80), (16, 256), 3, _WIDE, None),
    "long_cancer": _Ranges((1e-5, 1.0), (16, 32, 64, 128), (16, 128), 3, _WIDE, None),
    "long_digits": _Ranges((1e-5, 0.3), (25, 50, 125, 250), (16, 128), 3, _WIDE, None),
    "long_uneven": _Ranges((1e-5, 1.0), (16, 32, 64, 128, 256), (16, 128), 3, _WIDE, None),
    "long_noisy": _Ranges((1e-5, 1.0), (16, 32, 64, 128, 256), (16, 128), 3, _WIDE, None),
    "long_clusters": _Ranges((1e-5, 1.0), (20, 40, 100, 200), (16, 128), 3, _WIDE, None),
    "long_shells": _Ranges((1e-5, 0.3), (20, 60, 160, 320), (8, 96), 3, (1e-8, 0.1), None),
    "long_easy": _Ranges((1e-5, 1.0), (16, 32, 64, 128, 256), (16, 128), 3, _WIDE, None),
    "broad_noisy": _Ranges((1e-5, 1.0), (16, 32, 64, 128, 256), (16, 1024), 3, _WIDE, None),
    "broad_clusters": _Ranges((1e-5, 1.0), (32, 64, 128, 256), (16, 1024), 3, _WIDE, None),
    "broad_uneven": _Ranges((1e-5, 0.3), (16, 64, 256), (32, 1024), 2, _WIDE, None),
    "broad_easy": _Ranges((1e-5, 1.0), (16, 32, 64, 128), (16, 1024), 3, _WIDE, None),
    "broad_shells": _Ranges((1e-6, 0.1), (32, 64, 128, 256), (32, 1024), 2, (1e-7, 0.1), None),
    "broad_digits": _Ranges((1e-5, 0.3), (20, 60, 180), (16, 1024), 3, _WIDE, None),
    "broad_cancer": _Ranges((1e-5, 1.0), (16, 32, 64), (16, 1024), 3, _WIDE, None),
}

LESSONS = {name: _RANGES[name].of(problem) for name, problem in _PROBLEMS.items()}
LESSONS |= {f"drawn_{seed:02}": drawn.draw(seed) for seed in drawn.SEEDS}
"""By name."""
