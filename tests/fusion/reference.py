#!/usr/bin/env python3
"""Write the vectors that our fusions must equal: what PyTorch computes.

    python3 tests/fusion/reference.py tests/fusion/

Two files, cross.safetensors and joint.safetensors. Each holds the weights
under the names of src/fusion/shape.c, for clip c and expert e the rows
"input.c.e" (none: the expert said nothing), the targets "emotion.c" [6],
"affect.c" [2], "genre.c" [21], then "outputs" [clips, 29], "loss" [1] (sum
over the clips) and "grad.NAME" for every weight. The modules are
torch.nn's own: Linear, MultiheadAttention, LayerNorm, TransformerEncoder.
Made with torch 1.13.1 (Debian python3-torch)."""
import json
import struct
import sys

import numpy as np
import torch
from torch import nn

EXPERTS = [("face", 7, 4), ("scene", 10, 5), ("sound", 6, 3), ("words", 9, 1)]
ROWS = [[3, 5, 2, 1], [4, 0, 3, 0], [0, 0, 1, 1], [1, 2, 0, 0], [4, 5, 3, 1]]
WIDTH, HEADS, INNER, GENRES = 16, 4, 24, 21


def save(path, tensors):
    header, data = {}, b""
    for name, t in tensors.items():
        raw = np.ascontiguousarray(t.detach().numpy(), np.float32).tobytes()
        header[name] = {"dtype": "F32", "shape": list(t.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 64 + 56)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


class Cross(nn.Module):
    """VEMOCLAP's fusion (facts: 6), with masks for what is missing."""

    def __init__(self):
        super().__init__()
        d = WIDTH
        self.encode = nn.ModuleDict({e: nn.Linear(k, d)
                                     for e, k, _ in EXPERTS})
        self.sequences = [e for e, _, rows in EXPERTS if rows > 1]
        for part in ("query", "key", "value"):
            setattr(self, part, nn.ModuleDict(
                {e: nn.Linear(d, d) for e in self.sequences}))
        names = [f"{a}_{b}" for a in self.sequences for b in self.sequences
                 if a != b]
        self.attention = nn.ModuleDict(
            {n: nn.MultiheadAttention(d, HEADS, batch_first=True)
             for n in names})
        self.norm = nn.ModuleDict({n: nn.LayerNorm(d) for n in names})
        self.units = sorted(names + ["words"])
        self.output = nn.Linear(len(self.units) * d, 8 + GENRES)

    def forward(self, x):
        c = {e: self.encode[e](v)[None] for e, v in x.items()}
        code = []
        for name in self.units:
            a, _, b = name.partition("_")
            if a not in c or (b and b not in c):
                code.append(torch.zeros(WIDTH))
            elif not b:
                code.append(c[a][0, 0])
            else:
                y, _ = self.attention[name](
                    self.query[a](c[a]), self.key[b](c[b]),
                    self.value[b](c[b]))
                code.append(self.norm[name](y).mean(1)[0])
        return self.output(torch.relu(torch.cat(code)))


class Joint(nn.Module):
    """The single-transformer of the trailers (facts: 7)."""

    def __init__(self):
        super().__init__()
        d, length = WIDTH, 1 + sum(rows + 1 for _, _, rows in EXPERTS)
        self.encode = nn.ModuleDict({e: nn.Linear(k, d)
                                     for e, k, _ in EXPERTS})
        self.separator = nn.ParameterDict(
            {e: nn.Parameter(torch.randn(d)) for e, _, _ in EXPERTS})
        self.position = nn.ParameterDict(
            {e: nn.Parameter(torch.randn(length, d)) for e, _, _ in EXPERTS})
        self.start = nn.Parameter(torch.randn(d))
        layer = nn.TransformerEncoderLayer(d, HEADS, INNER, 0.0,
                                           batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, nn.LayerNorm(d))
        self.output = nn.Linear(d, 8 + GENRES)

    def forward(self, x):
        z = [self.start[None]]
        for e, v in x.items():
            rows = torch.cat([self.separator[e][None], self.encode[e](v)])
            z.append(rows + self.position[e][:len(rows)])
        return self.output(self.encoder(torch.cat(z)[None])[0, 0])


def our_name(name):
    for theirs, ours in (("encoder.layers.0.self_attn", "attention"),
                         ("encoder.layers.0.", ""), ("encoder.norm", "norm")):
        name = name.replace(theirs, ours)
    return name


def loss_of(y, emotion, affect, genre):
    bce = nn.functional.binary_cross_entropy_with_logits(y[8:], genre)
    return (-(emotion * torch.log_softmax(y[:6], 0)).sum()
            + ((y[6:8] - affect) ** 2).sum() / 2 + bce)


def make(net, path):
    for p in net.parameters():
        nn.init.normal_(p, std=0.4)
    out, tensors, loss = [], {}, 0
    for c, rows in enumerate(ROWS):
        x = {}
        for (e, dim, _), n in zip(EXPERTS, rows):
            if n:
                x[e] = tensors[f"input.{c}.{e}"] = torch.randn(n, dim)
        said = {"emotion": torch.softmax(torch.randn(6), 0),
                "affect": torch.rand(2) * 2 - 1,
                "genre": (torch.rand(GENRES) < 0.2).float()}
        tensors.update({f"{k}.{c}": v for k, v in said.items()})
        out.append(net(x))
        loss = loss + loss_of(out[-1], **said)
    loss.backward()
    tensors["outputs"] = torch.stack(out)
    tensors["loss"] = loss[None]
    for name, p in net.named_parameters():
        tensors[our_name(name)] = p
        tensors["grad." + our_name(name)] = p.grad
    save(path, tensors)


torch.manual_seed(4)
make(Cross(), sys.argv[1] + "/cross.safetensors")
make(Joint(), sys.argv[1] + "/joint.safetensors")
