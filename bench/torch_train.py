#!/usr/bin/python3
"""Tokens per second of a training step of EMSYNC's music transformer in
PyTorch: the yardstick for `emsync bench train`.

    torch_train.py --layers 8 --width 384 --heads 6 --inner 1536 \
        --context 1024 --batch 4 [--bf16] [--steps 5]

Prints one JSON object. Run it tuned, or it is no yardstick:
    MALLOC_MMAP_THRESHOLD_=17179869184 MALLOC_TRIM_THRESHOLD_=17179869184
    MALLOC_TOP_PAD_=268435456 OMP_NUM_THREADS=2, and OpenBLAS built for OpenMP
    on the library path (bench/run does all this)."""
import argparse
import json
import math
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

VOCAB = 1011


class Attention(nn.Module):
    """Relative global attention (Huang et al. 2018), one table per layer."""

    def __init__(self, width, heads, context):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.rel = nn.Parameter(torch.randn(context, width // heads))

    def forward(self, x, mask):
        b, t, c = x.shape
        q, k, v = (y.view(b, t, self.heads, -1).transpose(1, 2)
                   for y in self.qkv(x).chunk(3, -1))
        rel = q @ self.rel[-t:].T                       # [b, h, t, t]
        rel = F.pad(rel, (1, 0)).view(b, self.heads, t + 1, t)[:, :, 1:]
        logits = (q @ k.transpose(-1, -2) + rel) / math.sqrt(c // self.heads)
        weights = F.softmax(logits.masked_fill(mask[:t, :t], -1e9), -1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, t, c))


class Layer(nn.Module):
    def __init__(self, width, heads, inner, context):
        super().__init__()
        self.attention = Attention(width, heads, context)
        self.pre, self.suf = nn.Linear(width, inner), nn.Linear(inner, width)
        self.ln1 = nn.LayerNorm(width, eps=1e-6)
        self.ln2 = nn.LayerNorm(width, eps=1e-6)
        self.drop = nn.Dropout(0.1)

    def forward(self, x, mask):
        x = self.ln1(x + self.drop(self.attention(x, mask)))
        return self.ln2(x + self.drop(self.suf(F.relu(self.pre(x)))))


class Model(nn.Module):
    def __init__(self, a):
        super().__init__()
        d = a.width
        self.width = d
        self.embed = nn.Embedding(VOCAB, d, padding_idx=0)
        self.condition = nn.ModuleList(
            nn.Sequential(nn.Linear(1, d // 2), nn.ReLU(), nn.Linear(d // 2, d))
            for _ in range(2))
        self.offset = nn.Sequential(nn.Linear(1, d // 4), nn.ReLU(),
                                    nn.Linear(d // 4, d // 2))
        self.pos = nn.Parameter(torch.rand(1, a.context, d // 2) * 0.2 - 0.1)
        self.layers = nn.ModuleList(
            Layer(d, a.heads, a.inner, a.context) for _ in range(a.layers))
        self.out = nn.Linear(d, VOCAB)
        self.register_buffer("mask", torch.triu(
            torch.ones(a.context, a.context, dtype=torch.bool), 1))

    def forward(self, tokens, emotion, seconds):
        x = self.embed(tokens) * math.sqrt(self.width)
        front = [net(emotion[:, i:i + 1]).unsqueeze(1)
                 for i, net in enumerate(self.condition)]
        x = torch.cat(front + [x], 1)
        seconds = torch.cat([seconds[:, :1]] * 2 + [seconds], 1)
        offset = self.offset((8 - seconds).unsqueeze(-1))
        pos = self.pos[:, :x.shape[1]].expand(x.shape[0], -1, -1)
        x = F.dropout(x + torch.cat([pos, offset], -1), 0.1)
        for layer in self.layers:
            x = layer(x, self.mask)
        return self.out(x)[:, 2:]


def main():
    p = argparse.ArgumentParser()
    for name, value in (("layers", 8), ("width", 384), ("heads", 6),
                        ("inner", 1536), ("context", 1024), ("batch", 4),
                        ("steps", 5), ("threads", 2)):
        p.add_argument("--" + name, type=int, default=value)
    p.add_argument("--bf16", action="store_true")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    model = Model(a)
    optimiser = torch.optim.AdamW(model.parameters(), 2e-4)
    weight = torch.ones(VOCAB)
    weight[3] = 10
    length = a.context - 2
    tokens = torch.randint(4, 1009, (a.batch, length + 1))
    seconds = torch.rand(a.batch, length) * 8
    emotion = torch.rand(a.batch, 2)
    times = []
    for _ in range(a.steps + 1):
        begin = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=a.bf16):
            logits = model(tokens[:, :-1], emotion, seconds)
        loss = F.cross_entropy(logits.float().flatten(0, 1),
                               tokens[:, 1:].flatten(), weight=weight,
                               ignore_index=0)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        times.append(time.perf_counter() - begin)
    median = statistics.median(times[1:])
    print(json.dumps({
        "parameters": sum(x.numel() for x in model.parameters()),
        "precision": "bf16" if a.bf16 else "f32",
        "tokens_per_second": round(a.batch * length / median, 1)}))


main()
