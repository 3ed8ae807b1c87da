"""What mergekit's methods make of a tensor, by their formulas in float64: numbers in, numbers out, nothing of ours."""

import numpy as np


def linear(tensors, weights, normalize=True):
    total = sum(weight * tensor for weight, tensor in zip(weights, tensors, strict=True))
    return total / sum(weights) if normalize else total


def slerp(base, other, t):
    norms = np.linalg.norm(base), np.linalg.norm(other)
    cosine = float((base * other).sum() / norms[0] / norms[1])
    if abs(cosine) > 0.9995:
        return (1 - t) * base + t * other
    angle = np.arccos(cosine)
    return (np.sin((1 - t) * angle) * base + np.sin(t * angle) * other) / np.sin(angle)


def nuslerp(first, second, weights, base=0.0):
    t = weights[1] / sum(weights)
    one, other = first - base, second - base
    angle = np.arccos((one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other))
    return base + (np.sin((1 - t) * angle) * one + np.sin(t * angle) * other) / np.sin(angle)


def karcher(tensors, steps=10):
    norms = [np.linalg.norm(tensor) for tensor in tensors]
    units = [tensor / norm for tensor, norm in zip(tensors, norms, strict=True)]
    mean = sum(units) / len(units)
    mean /= np.linalg.norm(mean)
    for _ in range(steps):
        step = np.zeros_like(mean)
        for unit in units:
            cosine = np.clip((mean * unit).sum(), -1, 1)
            angle = np.arccos(cosine)
            if angle >= 1e-5:
                step += angle / np.sin(angle) * (unit - cosine * mean) / len(units)
        length = np.linalg.norm(step)
        if length < 1e-5:
            break
        mean = np.cos(length) * mean + np.sin(length) * step / length
        mean /= np.linalg.norm(mean)
    return np.mean(norms) * mean


def model_stock(base, others):
    offsets = [other - base for other in others]
    cosines = []
    for i, one in enumerate(offsets):
        for two in offsets[i + 1 :]:
            lengths = max(np.linalg.norm(one) * np.linalg.norm(two), 1e-6)
            cosines.append(np.clip((one * two).sum() / lengths, -1, 1))
    cosine, count = np.mean(cosines), len(others)
    ratio = count * cosine / (1 + (count - 1) * cosine)
    return ratio * sum(others) / count + (1 - ratio) * base


def largest(delta, density):
    """The elements with the largest magnitudes, all others zero."""
    order = np.argsort(-np.abs(delta).ravel(), kind="stable")[: int(density * delta.size)]
    kept = np.zeros(delta.size)
    kept[order] = delta.ravel()[order]
    return kept.reshape(delta.shape)


def middle(delta, density, gamma):
    """Neither the smallest nor the very largest."""
    count, most = delta.size, int(gamma * delta.size)
    least = count - int(density * count) - most
    order = np.argsort(np.abs(delta).ravel(), kind="stable")[max(least, 0) : count - max(most + min(least, 0), 0)]
    kept = np.zeros(count)
    kept[order] = delta.ravel()[order]
    return kept.reshape(delta.shape)


def elected(deltas, weights, normalize):
    """TIES: of each element only the models whose change has the sign of the weighted sum."""
    weighted = [weight * delta for weight, delta in zip(weights, deltas, strict=True)]
    sign = np.where(sum(weighted) >= 0, 1, -1)
    change, divisor = np.zeros_like(deltas[0]), np.zeros_like(deltas[0])
    for weight, one in zip(weights, weighted, strict=True):
        agrees = np.sign(one) == sign
        change += one * agrees
        divisor += weight * agrees
    return change / np.where(divisor == 0, 1, divisor) if normalize else change


def sce(base, others, share):
    deltas = np.stack([other - base for other in others])
    if share < 1:
        variance = deltas.var(axis=0)
        count = int(share * np.count_nonzero(variance))
        mask = np.zeros(variance.size)
        mask[np.argsort(-variance.ravel(), kind="stable")[:count]] = 1
        deltas = deltas * mask.reshape(variance.shape)
    sizes = (deltas**2).reshape(len(deltas), -1).mean(axis=1)
    shares = sizes / sizes.sum() if sizes.sum() >= 1e-6 else np.full(len(deltas), 1 / len(deltas))
    agrees = np.sign(deltas) == np.where(deltas.sum(axis=0) >= 0, 1, -1)
    kept = shares.reshape(-1, *[1] * base.ndim) * agrees
    divisor = kept.sum(axis=0)
    return base + (deltas * kept).sum(axis=0) / np.where(divisor == 0, 1, divisor)
