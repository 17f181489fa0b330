"""Pairs of plates as draw.go writes them, crops of them, and training targets."""
import math

import numpy as np
import torch

from net import SIZE, STRIDE

NEGATIVE = np.array([1, 0, 3, 2, 5, 4])  # the class of a defect once copper and laminate change places


class Pairs:
    """The pairs of some folders; bits stay packed in memory."""

    def __init__(self, folders):
        bits = [np.fromfile(f"{f}/pairs.bin", np.uint8).reshape(-1, 2, SIZE, SIZE // 8) for f in folders]
        self.boxes = []
        for f, b in zip(folders, bits):
            rows = np.fromfile(f"{f}/boxes.bin", "<f4").reshape(-1, 6)
            ends = np.searchsorted(rows[:, 0], np.arange(len(b) + 1))
            self.boxes += [rows[i:j, 1:] for i, j in zip(ends, ends[1:])]
        self.bits = bits[0] if len(bits) == 1 else np.concatenate(bits)

    def __len__(self):
        return len(self.bits)

    def whole(self, i):
        return np.unpackbits(self.bits[i], axis=-1)

    def crop(self, rng, c):
        """A random crop, mostly around a defect, in one of eight symmetries,
        one in four as its negative, some with the golden plate moved further.
        Returns plates, boxes, and boxes that the crop cut through."""
        i = rng.integers(len(self))
        boxes = self.boxes[i]
        if len(boxes) and rng.random() < 0.8:
            b = boxes[rng.integers(len(boxes))]
            x = int((b[0] + b[2]) / 2 - rng.uniform(0.12, 0.88) * c)
            y = int((b[1] + b[3]) / 2 - rng.uniform(0.12, 0.88) * c)
        else:
            x, y = rng.integers(0, SIZE - c + 1, 2)
        x, y = min(max(x, 0), SIZE - c), min(max(y, 0), SIZE - c)
        dx, dy = rng.integers(-2, 3, 2) if rng.random() < 0.15 else (0, 0)
        px = np.stack([self._cut(i, 0, x, y, c), self._cut(i, 1, min(max(x + dx, 0), SIZE - c), min(max(y + dy, 0), SIZE - c), c)])
        boxes = boxes.copy()
        boxes[:, [0, 2]] -= x
        boxes[:, [1, 3]] -= y
        if rng.random() < 0.25:
            px = 1 - px
            boxes[:, 4] = NEGATIVE[boxes[:, 4].astype(int)]
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        cut = boxes.copy()
        cut[:, :4] = cut[:, :4].clip(0, c)
        seen = (cut[:, 2] - cut[:, 0]) * (cut[:, 3] - cut[:, 1]) / np.maximum(area, 1)
        keep, ignore = cut[seen > 0.55], cut[(seen > 0) & (seen <= 0.55)]
        turns, mirror = rng.integers(4), rng.random() < 0.5
        px = np.rot90(px, turns, (1, 2))
        if mirror:
            px = px[:, :, ::-1]
        return px, turned(keep, turns, mirror, c), turned(ignore, turns, mirror, c)

    def _cut(self, i, plate, x, y, c):
        byte = x // 8  # rows are packed by eight
        return np.unpackbits(self.bits[i, plate, y:y + c, byte:byte + c // 8 + 1], axis=-1)[:, x - 8 * byte:][:, :c]


def turned(boxes, turns, mirror, c):
    """Boxes after np.rot90 by turns and a mirror from left to right."""
    x1, y1, x2, y2, k = boxes.T
    for _ in range(turns):
        x1, y1, x2, y2 = y1, c - x2, y2, c - x1
    if mirror:
        x1, x2 = c - x2, c - x1
    return np.stack([x1, y1, x2, y2, k], 1)


def batch(pairs, rng, n, c):
    """n crops of c pixels and their targets."""
    crops = [pairs.crop(rng, c) for _ in range(n)]
    x = torch.from_numpy(np.stack([p[0] for p in crops])).float().contiguous(memory_format=torch.channels_last)
    return (x, *targets([p[1:] for p in crops], c // STRIDE))


def targets(crops, g):
    """Per cell: 1 a defect's, 0 none, -1 do not care; its class; its sides in cells.
    A defect's cells are those within one cell of its middle; the rest of the
    middle of a large box is left open, and so is what the crop cut through."""
    n = len(crops)
    obj, cls = np.zeros((n, g, g), np.float32), np.zeros((n, g, g), np.int64)
    box, near = np.zeros((n, 4, g, g), np.float32), np.full((n, g, g), 1e9, np.float32)
    cell = np.arange(g) + 0.5
    for i, (keep, ignore) in enumerate(crops):
        for x1, y1, x2, y2, _ in ignore / STRIDE:
            obj[i, max(0, int(y1)):math.ceil(y2), max(0, int(x1)):math.ceil(x2)] = -1
        for x1, y1, x2, y2, _ in keep / STRIDE:
            down, across = np.abs(cell - (y1 + y2) / 2), np.abs(cell - (x1 + x2) / 2)
            open_ = (down < max(0.3 * (y2 - y1), 1))[:, None] & (across < max(0.3 * (x2 - x1), 1))
            obj[i][open_ & (obj[i] == 0)] = -1
        for b in keep:
            x1, y1, x2, y2 = b[:4] / STRIDE
            d = np.maximum(np.abs(cell - (y1 + y2) / 2)[:, None], np.abs(cell - (x1 + x2) / 2))
            at = (d <= 1) & (d < near[i])
            obj[i][at], near[i][at], cls[i][at] = 1, d[at], int(b[4])
            y, x = np.nonzero(at)
            box[i][:, y, x] = cell[x] - x1, cell[y] - y1, x2 - cell[x], y2 - cell[y]
    return torch.from_numpy(obj), torch.from_numpy(cls), torch.from_numpy(box)
