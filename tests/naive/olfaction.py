"""Random expansions with every matrix in memory, and correlations of codes from the bivariate normal distribution."""

import numpy as np
from scipy import stats


def output_correlation(rho, coding_level):
    """Correlation of the signs of two Gaussians above the same quantile."""
    theta = stats.norm.isf(coding_level)
    both = stats.multivariate_normal.cdf([-theta, -theta], cov=[[1.0, rho], [rho, 1.0]], abseps=1e-13, releps=1e-13)
    return (both - coding_level**2) / (coding_level * (1.0 - coding_level))


def wiring(kenyon_cells, glomeruli, claws, generator, weights=None):
    """Each row draws its inputs without replacement; ``weights(shape)`` are 1 if not given."""
    matrix = np.zeros((kenyon_cells, glomeruli))
    chosen = generator.random(matrix.shape).argsort(axis=1)[:, :claws]
    shape = (kenyon_cells, claws)
    np.put_along_axis(matrix, chosen, np.ones(shape) if weights is None else weights(shape), axis=1)
    return matrix


def codes(matrix, odors, coding_level):
    """Cells that fire: each has the threshold that fits its weights and standard normal inputs."""
    thresholds = stats.norm.isf(coding_level) * np.sqrt(np.square(matrix).sum(axis=1))
    return odors @ matrix.T > thresholds


def matrix_dimension(matrix, coding_level, inhibition="none", input_correlation=0.0):
    """Participation ratio of the covariance of the codes, each entry from a correlation of drives."""
    matrix = matrix - matrix.mean() if inhibition == "balanced" else np.asarray(matrix, float)
    size = matrix.shape[1]
    covariance = matrix @ ((1.0 - input_correlation) * np.eye(size) + input_correlation) @ matrix.T
    deviations = np.sqrt(np.diag(covariance))
    rho = np.clip(covariance / np.outer(deviations, deviations), -0.999999, 0.999999)
    output = np.array([[output_correlation(value, coding_level) for value in row] for row in rho])
    np.fill_diagonal(output, 1.0)
    return len(matrix) ** 2 / np.square(output).sum()


def pair_dimension(x):
    """Distances of four different odors at a time."""
    distance = np.square(x[:, None] - x[None]).sum(axis=2)
    numbers = range(len(x))
    quadruples = [
        (a, b, c, d) for a in numbers for b in numbers for c in numbers for d in numbers if len({a, b, c, d}) == 4
    ]
    traces = np.mean([distance[a, b] * distance[c, d] for a, b, c, d in quadruples])
    squares = np.mean([((x[a] - x[b]) @ (x[c] - x[d])) ** 2 for a, b, c, d in quadruples])
    return traces / squares


def hebbian_errors(matrix, coding_level, odors, amplitude, trials, generator):
    """Fraction of wrong answers to noisy odors, for each set of odors with random labels."""
    errors = []
    for _ in range(trials):
        x = generator.standard_normal((odors, matrix.shape[1]))
        labels = generator.choice([-1.0, 1.0], odors)
        noise = generator.standard_normal(x.shape)
        noisy = np.sqrt(1.0 - amplitude**2) * x + amplitude * noise
        readout = labels @ (codes(matrix, x, coding_level) - coding_level)
        errors.append(np.mean((codes(matrix, noisy, coding_level) - coding_level) @ readout * labels < 0.0))
    return np.array(errors)


def circuit_errors(glomeruli, cells, levels, odors, amplitude, readouts, generator):
    """Mean error of Hebbian readouts with random labels of one circuit with Gaussian weights, at each coding level."""
    matrix = generator.standard_normal((glomeruli, cells), np.float32)
    x, noise = generator.standard_normal((2, odors, glomeruli), np.float32)
    labels = generator.choice(np.float32([-1.0, 1.0]), (odors, readouts))
    h = x @ matrix
    drives = h, np.float32(np.sqrt(1.0 - amplitude**2)) * h + (np.float32(amplitude) * noise) @ matrix
    deviations, errors = np.sqrt(np.square(matrix).sum(axis=0)), []
    for level in levels:
        codes, noisy = (np.float32(h > stats.norm.isf(level) * deviations) - np.float32(level) for h in drives)
        errors.append(np.mean((noisy @ (codes.T @ labels)) * labels < 0.0))
    return np.array(errors)


def winners(drives, count):
    """The largest drives of each row, of equal ones the first."""
    code = np.zeros(drives.shape, bool)
    np.put_along_axis(code, np.argsort(-drives, axis=1, kind="stable")[:, :count], True, axis=1)
    return code


def correlation(codes, other):
    """Of codes and those of partners, from covariances and variances summed over cells."""
    a, b = codes - codes.mean(axis=0), other - other.mean(axis=0)
    return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())


def wrong_answers(codes, noisy, labels, coding_level):
    """Fraction of noisy codes that the Hebbian readout of all codes gets wrong, a zero half."""
    readout = labels @ (codes - coding_level)
    fields = (noisy - coding_level) @ readout * labels
    zero = np.abs(fields) < 1e-9
    return np.mean((fields < 0.0) & ~zero) + 0.5 * np.mean(zero)


def projection_neurons(rates, input_gain):
    """Divisive normalisation odor by odor, rates below zero set to zero."""
    out = []
    for odor in np.asarray(rates, float):
        rate = [max(r, 0.0) for r in odor]
        suppression = (input_gain * sum(rate) / 190.0) ** 1.5
        out.append([165.0 * r**1.5 / (r**1.5 + 12.0**1.5 + suppression) for r in rate])
    return np.array(out)


def given_codes(drives, others, level, sparsening):
    """Codes of odors, and of others with the same thresholds: those that give the odors their coding level.

    Thresholds of cells lie half-way to the next drive, one for all just below the weakest drive that counts.
    """
    if sparsening == "winners":
        return [winners(h, round(level * h.shape[1])) for h in (drives, *others)]
    descending = -np.sort(-(drives if sparsening == "cell" else drives.ravel()), axis=0)
    count = round(level * len(descending))
    last, following = descending[count - 1], descending[count]
    threshold = 0.5 * (last + following) if sparsening == "cell" else last * (1.0 - 1e-6) + following * 1e-6
    return [h > threshold for h in (drives, *others)]
