"""Networks with the topology of those that users bring, of any width."""
import torch
import torch.nn as nn
import torch.nn.functional as F


def unit(i, o, k=3, s=1, g=1, act=nn.ReLU):
    """Convolution, normalisation and activation."""
    layers = [nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, *([act()] if act else []))


class Residual(nn.Module):
    def __init__(self, i, o, s):
        super().__init__()
        self.body = nn.Sequential(unit(i, o, 3, s), unit(o, o, act=None))
        self.skip = unit(i, o, 1, s, act=None) if s > 1 or i != o else nn.Identity()

    def forward(self, x):
        return F.relu(self.body(x) + self.skip(x))


class ResNet18(nn.Module):
    def __init__(self, w, classes):
        super().__init__()
        blocks, i = [], w
        for k, o in enumerate([w, 2 * w, 4 * w, 8 * w]):
            blocks += [Residual(i, o, 2 if k else 1), Residual(o, o, 1)]
            i = o
        self.stem = nn.Sequential(unit(3, w, 7, 2), nn.MaxPool2d(3, 2, 1))
        self.body, self.pool, self.fc = nn.Sequential(*blocks), nn.AdaptiveAvgPool2d(1), nn.Linear(8 * w, classes)

    def forward(self, x):
        return self.fc(torch.flatten(self.pool(self.body(self.stem(x))), 1))


class Inverted(nn.Module):
    """MobileNetV2's block: expand, depthwise, project."""

    def __init__(self, i, o, s, t):
        super().__init__()
        h = i * t
        self.add = s == 1 and i == o
        expand = [unit(i, h, 1, act=nn.ReLU6)] if t > 1 else []
        self.body = nn.Sequential(*expand, unit(h, h, 3, s, h, act=nn.ReLU6), unit(h, o, 1, act=None))

    def forward(self, x):
        return x + self.body(x) if self.add else self.body(x)


class MobileNetV2(nn.Module):
    def __init__(self, shrink, classes):
        super().__init__()
        w = lambda c: max(2, c // shrink)
        i, blocks = w(32), [unit(3, w(32), 3, 2, act=nn.ReLU6)]
        for t, c, n, s in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
            for k in range(n):
                blocks.append(Inverted(i, w(c), s if k == 0 else 1, t))
                i = w(c)
        blocks.append(unit(i, w(1280), 1, act=nn.ReLU6))
        self.body, self.head = nn.Sequential(*blocks), nn.Sequential(nn.Dropout(.2), nn.Linear(w(1280), classes))

    def forward(self, x):
        return self.head(F.adaptive_avg_pool2d(self.body(x), 1).flatten(1))


class MultiLabel(nn.Module):
    """Bytes in rows of pixels, as TensorFlow's exporters take them."""

    def __init__(self, w, classes):
        super().__init__()
        self.body = nn.Sequential(unit(3, w, 3, 2), unit(w, 2 * w, 3, 2), nn.MaxPool2d(2), unit(2 * w, 4 * w))
        self.fc = nn.Linear(4 * w, classes)

    def forward(self, x):
        x = self.body((x.float() / 255).permute(0, 3, 1, 2))
        return self.fc(x.mean([2, 3])) * 4


class Split2(nn.Module):
    """Splits the channels and keeps what each bottleneck makes (C2f)."""

    def __init__(self, i, o, n, add):
        super().__init__()
        self.h, self.add = o // 2, add
        self.first, self.last = unit(i, o, 1, act=nn.SiLU), unit((2 + n) * self.h, o, 1, act=nn.SiLU)
        self.inner = nn.ModuleList(nn.Sequential(unit(self.h, self.h, act=nn.SiLU), unit(self.h, self.h, act=nn.SiLU)) for _ in range(n))

    def forward(self, x):
        parts = list(self.first(x).split(self.h, 1))
        for m in self.inner:
            y = m(parts[-1])
            parts.append(parts[-1] + y if self.add else y)
        return self.last(torch.cat(parts, 1))


class Pyramid(nn.Module):
    """Three pools of the same kernel, one after the other (SPPF)."""

    def __init__(self, c):
        super().__init__()
        self.first, self.last, self.pool = unit(c, c // 2, 1, act=nn.SiLU), unit(2 * c, c, 1, act=nn.SiLU), nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        parts = [self.first(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.last(torch.cat(parts, 1))


class Attention(nn.Module):
    """Attention between the positions of the smallest map (C2PSA)."""

    def __init__(self, c, heads=2):
        super().__init__()
        self.c, self.heads, self.key = c, heads, max(c // heads // 2, 1)
        self.qkv = unit(c, c + 2 * heads * self.key, 1, act=None)
        self.place, self.last = unit(c, c, 3, g=c, act=None), unit(c, c, 1, act=None)

    def forward(self, x):
        b, _, h, w = x.shape
        d = self.c // self.heads
        q, k, v = self.qkv(x).view(b, self.heads, 2 * self.key + d, h * w).split([self.key, self.key, d], 2)
        a = (q.transpose(-2, -1) @ k * self.key ** -.5).softmax(-1)
        y = (v @ a.transpose(-2, -1)).view(b, self.c, h, w) + self.place(v.reshape(b, self.c, h, w))
        return x + self.last(y)


class YOLO(nn.Module):
    """Anchor-free detection in three scales; with attention and depthwise
    class heads as in YOLO11, without as in YOLOv8."""

    def __init__(self, classes, shrink, eleven):
        super().__init__()
        a, b, c, d, e = [max(4, x // shrink // 2 * 2) for x in (64, 128, 256, 512, 512)]
        conv = lambda i, o: unit(i, o, 3, 2, act=nn.SiLU)
        self.p3 = nn.Sequential(conv(3, a), conv(a, b), Split2(b, b, 1, True), conv(b, c), Split2(c, c, 2, True))
        self.p4 = nn.Sequential(conv(c, d), Split2(d, d, 2, True))
        self.p5 = nn.Sequential(conv(d, e), Split2(e, e, 1, True), Pyramid(e), *([Attention(e)] if eleven else []))
        self.up4, self.up3 = Split2(d + e, d, 1, False), Split2(c + d, c, 1, False)
        self.to4, self.down4 = conv(c, c), Split2(c + d, d, 1, False)
        self.to5, self.down5 = conv(d, d), Split2(d + e, e, 1, False)
        self.bins, self.classes, h = 16, classes, max(8, 64 // shrink)

        def name(i):
            mid = [unit(i, i, 3, g=i, act=nn.SiLU), unit(i, h, 1, act=nn.SiLU)] if eleven else [unit(i, h, act=nn.SiLU)]
            return nn.Sequential(*mid, nn.Conv2d(h, classes, 1))

        self.box = nn.ModuleList(nn.Sequential(unit(i, h, act=nn.SiLU), nn.Conv2d(h, 4 * self.bins, 1)) for i in (c, d, e))
        self.name = nn.ModuleList(name(i) for i in (c, d, e))
        for m in self.box:
            m[-1].weight.data *= .2
        for m in self.name:
            m[-1].weight.data *= 3 if eleven else .4
            m[-1].bias.data -= 3 if eleven else 1
        self.mean = nn.Conv2d(self.bins, 1, 1, bias=False)
        self.mean.weight.data = torch.arange(16.).view(1, 16, 1, 1)

    def forward(self, x):
        p3 = self.p3(x)
        p4 = self.p4(p3)
        p5 = self.p5(p4)
        twice = lambda t: F.interpolate(t, scale_factor=2, mode="nearest")
        u4 = self.up4(torch.cat([twice(p5), p4], 1))
        u3 = self.up3(torch.cat([twice(u4), p3], 1))
        d4 = self.down4(torch.cat([self.to4(u3), u4], 1))
        d5 = self.down5(torch.cat([self.to5(d4), p5], 1))
        return self.decode([u3, d4, d5])

    def decode(self, maps):
        n, points, strides = maps[0].shape[0], [], []
        for m, s in zip(maps, (8, 16, 32)):
            h, w = m.shape[2:]
            y, x = torch.meshgrid(torch.arange(int(h)) + .5, torch.arange(int(w)) + .5, indexing="ij")
            points.append(torch.stack([x, y]).view(2, -1))
            strides.append(torch.full((1, int(h) * int(w)), float(s)))
        points, strides = torch.cat(points, 1)[None], torch.cat(strides, 1)[None]
        raw = torch.cat([torch.cat([b(m), c(m)], 1).view(n, 4 * self.bins + self.classes, -1) for m, b, c in zip(maps, self.box, self.name)], 2)
        box, name = raw.split([4 * self.bins, self.classes], 1)
        reach = self.mean(box.view(n, 4, self.bins, -1).transpose(2, 1).softmax(1)).view(n, 4, -1) / 4
        low, high = points - reach[:, :2], points + reach[:, 2:]
        return torch.cat([torch.cat([(low + high) / 2, high - low], 1) * strides, name.sigmoid()], 1)


class StudentTeacher(nn.Module):
    """Two networks that agree on what is normal, with the outputs and names of
    anomalib: score and label of the picture, map and mask."""

    def __init__(self, w, side):
        super().__init__()
        self.side = side
        self.teacher, self.student = self.stages(w), self.stages(w)

    @staticmethod
    def stages(w):
        return nn.ModuleList([nn.Sequential(unit(3, w, 7, 2), nn.MaxPool2d(3, 2, 1), Residual(w, w, 1)), Residual(w, 2 * w, 2), Residual(2 * w, 4 * w, 2)])

    def forward(self, x):
        odd, t, s = 1., x, x
        for a, b in zip(self.teacher, self.student):
            t, s = a(t), b(s)
            d = .5 * (F.normalize(t, dim=1) - F.normalize(s, dim=1)).pow(2).sum(1, keepdim=True)
            odd = odd * F.interpolate(d, size=(self.side, self.side), mode="bilinear", align_corners=False)
        odd = ((odd - .3) / .6 + .5).clamp(0, 1)
        score = torch.amax(odd, dim=(-2, -1)).flatten()
        return score, score > .5, odd, odd > .5


class UNet(nn.Module):
    def __init__(self, w, classes):
        super().__init__()
        self.a, self.b, self.c = [nn.Sequential(unit(i, o), unit(o, o)) for i, o in ((3, w), (w, 2 * w), (2 * w, 4 * w))]
        self.up2, self.up1 = nn.ConvTranspose2d(4 * w, 2 * w, 2, 2), nn.ConvTranspose2d(2 * w, w, 2, 2)
        self.d, self.e = unit(4 * w, 2 * w), unit(2 * w, w)
        self.last = nn.Conv2d(w, classes, 1)

    def forward(self, x):
        a = self.a(x)
        b = self.b(F.max_pool2d(a, 2))
        c = self.c(F.max_pool2d(b, 2))
        y = self.d(torch.cat([self.up2(c), b], 1))
        return self.last(self.e(torch.cat([self.up1(y), a], 1))) * 2
