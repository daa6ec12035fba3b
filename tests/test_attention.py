"""Attention and positions, held against what papers and other implementations say."""

from __future__ import annotations

import numpy as np
import pytest

from nnspec.graph.evaluate import ArraySite

RANDOM = np.random.default_rng(0)


def test_sinusoids_are_those_of_the_paper() -> None:
    site = ArraySite()
    found = site.sinusoidal(site.term(np.zeros((2, 7, 6)))).held
    place, i = np.arange(7.0)[:, None], np.arange(3)
    angles = place / 10000 ** (2 * i / 6)
    assert np.allclose(found[:, 0::2], np.sin(angles), atol=1e-12)
    assert np.allclose(found[:, 1::2], np.cos(angles), atol=1e-12)


@pytest.mark.parametrize("interleaved", (False, True))
def test_rotary_turns_complex_numbers(interleaved: bool) -> None:
    site, x = ArraySite(), RANDOM.standard_normal((2, 3, 5, 8))
    pairs = (x[..., 0::2], x[..., 1::2]) if interleaved else (x[..., :4], x[..., 4:])
    angles = np.arange(5.0)[:, None] * 500.0 ** (-2 * np.arange(4) / 8)
    turned = (pairs[0] + 1j * pairs[1]) * np.exp(1j * angles)
    sides = [turned.real, turned.imag]
    expected = (
        np.stack(sides, -1).reshape(x.shape) if interleaved else np.concatenate(sides, axis=-1)
    )
    found = site.rotary(site.term(x), base=500.0, interleaved=interleaved).held
    assert np.allclose(found, expected, atol=1e-12)


def test_a_window_and_a_mask_leave_out_what_they_say() -> None:
    """Each score that counts, by hand; the last place of the mask sees nothing."""
    site = ArraySite()
    q, k, v = (RANDOM.standard_normal((1, 2, 6, 4)) for _ in range(3))
    mask = np.ones((1, 1, 6, 6), bool)
    mask[..., 5, :] = False
    given = map(site.term, (q, k, v, mask))
    found = site.attention(*given, causal=True, window=3).held
    for place in range(5):
        seen = slice(max(place - 2, 0), place + 1)
        scores = np.exp(np.einsum("hd,hsd->hs", q[0, :, place], k[0, :, seen]) / 2)
        shares = scores / scores.sum(-1, keepdims=True)
        assert np.allclose(found[0, :, place], np.einsum("hs,hsd->hd", shares, v[0, :, seen]))
    assert not found[0, :, 5].any()


@pytest.mark.framework
def test_heads_are_those_of_pytorch() -> None:
    """The same weights in `nn.MultiheadAttention`, whose mask says where it is not allowed."""
    import torch

    from nnspec.catalogue.ops.attention import MultiHeadAttention

    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True).double()
    x, mask = RANDOM.standard_normal((2, 5, 8)), np.tril(np.ones((5, 5), bool))
    held = {n: p.detach().numpy() for n, p in theirs.named_parameters()}
    weights = {"output.weight": held["out_proj.weight"], "output.bias": held["out_proj.bias"]}
    for i, name in enumerate(("query", "key", "value")):
        part = slice(8 * i, 8 * i + 8)
        weights |= {f"{name}.{w}": held[f"in_proj_{w}"][part] for w in ("weight", "bias")}
    site = ArraySite()
    terms = {r: site.term(w) for r, w in weights.items()}
    (found,) = site.apply(MultiHeadAttention(2), site.term(x), site.term(mask), weights=terms)
    t = torch.tensor(x)
    expected, _ = theirs(t, t, t, attn_mask=torch.tensor(~mask))
    assert np.allclose(found.held, expected.detach().numpy(), atol=1e-12)
