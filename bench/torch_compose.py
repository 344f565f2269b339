#!/usr/bin/python3
"""How fast PyTorch decodes the same model: with a key/value cache, and as the
authors' demo does it, the whole window for every token. Random weights.

    bench/torch_compose.py [--threads 2] [--window 600] [--tokens 20]

Compare with `emsync bench compose` at the same window and thread count. Only
a yardstick: nothing of EMSYNC needs PyTorch."""
import argparse
import math
import time

import torch
from torch.nn import functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--window", type=int, default=600)
parser.add_argument("--tokens", type=int, default=20)
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(1)
C, L, H, INNER, T, V = 512, 11, 8, 2048, 1216, 1011
D = C // H


def weight(n, k):
    return torch.randn(n, k) / math.sqrt(k)


layers = [{
    "rel": torch.randn(T, D), "qkv": weight(3 * C, C), "o": weight(C, C),
    "ff1": weight(INNER, C), "ff2": weight(C, INNER),
} for _ in range(L)]
out = weight(V, C)


def attend(q, k, v, rel, mask):
    """q [H, n, D]; k, v [H, m, D]; the last query sees all m keys."""
    n, m = q.shape[1], k.shape[1]
    scores = q @ k.transpose(1, 2)
    if n == 1:
        scores = scores + q @ rel[T - m:].t()
    else:  # the skew of Music Transformer
        s = F.pad(q @ rel[T - m:].t(), (1, 0))
        s = s.reshape(H, m + 1, n)[:, 1:].reshape(H, n, m)
        scores = scores + s + mask
    return torch.softmax(scores / math.sqrt(D), -1) @ v


def layer(x, w, past, mask):
    n = x.shape[0]
    q, k, v = (x @ w["qkv"].t()).view(n, 3, H, D).permute(1, 2, 0, 3)
    if past is not None:
        past[0][:, -1:], past[1][:, -1:] = k, v
        k, v = past
    a = attend(q, k, v, w["rel"], mask).transpose(0, 1).reshape(n, C)
    h = F.layer_norm(x + a @ w["o"].t(), (C,), eps=1e-6)
    y = torch.relu(h @ w["ff1"].t()) @ w["ff2"].t()
    return F.layer_norm(h + y, (C,), eps=1e-6)


def decode(n, pasts, mask):
    x = torch.randn(n, C)
    for w, past in zip(layers, pasts):
        x = layer(x, w, past, mask)
    return x[-1] @ out.t()


def rate(n, pasts, mask, tokens):
    decode(n, pasts, mask)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(tokens):
        decode(n, pasts, mask)
    return (tokens / (time.perf_counter() - wall),
            (time.process_time() - cpu) / tokens * 1e3)


with torch.no_grad():
    m = args.window
    cache = [(torch.randn(H, m, D), torch.randn(H, m, D)) for _ in layers]
    print("torch %s, %d threads, window %d" % (torch.__version__,
                                               args.threads, m))
    print("  cached:   %.1f tokens/s, %.1f ms of CPU a token"
          % rate(1, cache, None, args.tokens))
    causal = torch.full((m, m), -math.inf).triu(1)
    print("  uncached: %.2f tokens/s, %.1f ms of CPU a token"
          % rate(m, [None] * L, causal, max(2, args.tokens // 5)))
