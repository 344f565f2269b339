#!/usr/bin/env python3
"""Write torch_reference.h: what PyTorch says about our two networks.

    python3 tests/enhance/torch_reference.py > tests/enhance/torch_reference.h

Made with PyTorch 1.13 (Debian python3-torch). The networks are written here
anew from the description of the paper; weights, sound and target come from
a generator both sides have, so only results are stored."""
import torch
import torch.nn as nn

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
state = [1]


def noise(*shape):
    n = 1
    for d in shape:
        n *= d
    out = []
    for _ in range(n):
        state[0] = (state[0] * 1103515245 + 12345) % 2**31
        out.append((state[0] >> 15) / 32768 - 1)
    return torch.tensor(out).reshape(shape)


class Shuffle(nn.Module):
    """Channel s C + c becomes sub-sample s of channel c."""
    def forward(self, x):
        b, c, t = x.shape
        return x.view(b, 2, c // 2, t).permute(0, 2, 3, 1).reshape(
            b, c // 2, 2 * t)


def conv(i, o, k, s=1):
    return nn.Conv1d(i, o, k, s, (k - 1) // 2)


class ResNet(nn.Module):
    def __init__(self, width, blocks, bn):
        super().__init__()
        self.order = []

        def add(m):
            self.order.append(m)
            return m
        self.first = add(conv(2, width, 7))
        self.blocks = nn.ModuleList()
        for _ in range(blocks):
            part = [add(conv(width, width, 7))]
            part += [add(nn.BatchNorm1d(width))] if bn else []
            part += [nn.ReLU(), add(conv(width, width, 7))]
            part += [add(nn.BatchNorm1d(width))] if bn else []
            self.blocks.append(nn.Sequential(*part))
        self.last = add(conv(width, 2, 1))

    def forward(self, x):
        h = self.first(x)
        for b in self.blocks:
            h = h + 0.1 * b(h)
        return x + self.last(h)


class UNet(nn.Module):
    def __init__(self, c, bn):
        super().__init__()
        self.order = []
        sizes = [(2, c, 65), (c, 2 * c, 33), (2 * c, 4 * c, 17),
                 (4 * c, 4 * c, 9)]
        self.down = nn.ModuleList()
        for i, o, k in sizes:
            part = [conv(i, o, k, 2)] + ([nn.BatchNorm1d(o)] if bn else [])
            self.order += part
            self.down.append(nn.Sequential(*part, nn.ReLU()))
        self.middle = nn.ModuleList([conv(4 * c, 4 * c, 9, 2),
                                     conv(4 * c, 8 * c, 9)])
        self.order += list(self.middle)
        self.up = nn.ModuleList([
            conv(8 * c, 8 * c, 17), conv(8 * c, 4 * c, 33),
            conv(4 * c, 2 * c, 65), conv(2 * c, 4, 9)])
        self.order += list(self.up)
        self.shuffle = Shuffle()

    def forward(self, x):
        skips, h = [], x
        for d in self.down:
            h = d(h)
            skips.append(h)
        for m in self.middle:
            h = torch.relu(m(h))
        h = self.shuffle(h)
        for i, u in enumerate(self.up):
            h = u(torch.cat([h, skips[3 - i]], 1))
            h = self.shuffle(torch.relu(h) if i < 3 else h)
        return x + h


def fill(net):
    with torch.no_grad():
        for m in net.order:
            if isinstance(m, nn.BatchNorm1d):
                m.weight.copy_(1 + 0.5 * noise(*m.weight.shape))
                m.bias.copy_(0.1 * noise(*m.bias.shape))
            else:
                out, inp, taps = m.weight.shape
                w = noise(taps, inp, out) * 1.4 / (inp * taps) ** 0.5
                m.weight.copy_(w.permute(2, 1, 0))
                m.bias.copy_(0.1 * noise(out))


def ours(m, grad):
    """A layer's parameters or gradients in our order."""
    g = (lambda p: p.grad) if grad else (lambda p: p.detach())
    w = g(m.weight)
    w = w.permute(2, 1, 0) if w.dim() == 3 else w
    return torch.cat([w.reshape(-1), g(m.bias).reshape(-1)])


def case(name, net, sounds, time):
    state[0] = 1
    fill(net)
    x, want = noise(sounds, time, 2), noise(sounds, time, 2)
    net.train()
    y = net(x.permute(0, 2, 1)).permute(0, 2, 1)
    loss = ((y - want) ** 2).mean()
    loss.backward()
    g = torch.cat([ours(m, True) for m in net.order])
    norms = [m for m in net.order if isinstance(m, nn.BatchNorm1d)]
    stats = torch.cat([torch.cat([m.running_mean, m.running_var])
                       for m in norms]) if norms else torch.zeros(1)
    net.eval()
    z = net(x.permute(0, 2, 1)).permute(0, 2, 1)

    def row(label, v, count=24):
        v = v.detach().reshape(-1)
        pick = [v[(i * (len(v) - 1)) // (count - 1)] for i in range(count)]
        print("     .%s = {" % label)
        for i in range(0, count, 4):
            print("         " + " ".join("%.9g," % p for p in pick[i:i + 4]))
        print("     },")
    print("    {.name = \"%s\", .loss = %.12g, .parameters = %d,"
          % (name, loss.item(), len(g)))
    print("     .norm = %.12g," % g.norm().item())
    row("output", y)
    row("gradient", g)
    row("eval", z)
    row("stats", stats)
    print("    },")


print("/* torch_reference.h - made by torch_reference.py with PyTorch %s.\n"
      " * Of each array, 24 values evenly spread. */" % torch.__version__)
print("static const reference REFERENCE[] = {")
case("resnet", ResNet(8, 3, False), 2, 96)
case("resnet-bn", ResNet(5, 2, True), 3, 64)
case("unet", UNet(3, False), 2, 160)
case("unet-bn", UNet(2, True), 2, 128)
print("};")
