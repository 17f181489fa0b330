"""Train, measure and export the printed-circuit-board detector.

    train.py train   --data DIR --minutes 20 --out model.pt
    train.py measure --model model.pt --data DIR
    train.py export  --model model.pt --data DIR --out models/pcb/1.0.0

DIR is what draw.go writes. CPU only; PyTorch 1.13, onnx 1.12 and numpy are enough.
"""
import argparse, copy, json, math, os, time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a thread that spins for its turn is a core that does nothing
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

SIZE, STRIDE, CLASSES = 640, 8, ["open", "short", "mousebite", "spur", "copper", "pin-hole"]


class Conv(nn.Module):
    def __init__(self, i, o, k=1, stride=1, dilation=1, pad=None, relu=True):
        super().__init__()
        pad = dilation * (k // 2) if pad is None else pad
        self.conv = nn.Conv2d(i, o, k, stride, pad, dilation, bias=False)
        self.norm = nn.BatchNorm2d(o, momentum=0.05)
        self.relu = relu

    def forward(self, x):
        x = self.norm(self.conv(x))
        return F.relu(x) if self.relu else x


class Block(nn.Module):
    def __init__(self, c, mid, dilation):
        super().__init__()
        self.f = nn.Sequential(Conv(c, mid), Conv(mid, mid, 3, dilation=dilation), Conv(mid, c, relu=False))

    def forward(self, x):
        return F.relu(x + self.f(x))


class Net(nn.Module):
    """[N,2,H,W] tested and golden, 0 copper, 1 laminate -> [N,11,H/8,W/8]:
    objectness, six classes, and left, top, right, bottom in cells. Only Conv,
    Relu, Add, Sigmoid and Concat, which every runtime computes alike."""

    def __init__(self, stem=32, width=56, mid=28, head=64, dilations=(1, 2, 1, 4, 2)):
        super().__init__()
        self.diff = nn.Conv2d(2, 4, 1, bias=False)  # tested, golden, and what each has alone
        self.diff.weight.data = torch.tensor([[1.0, 0], [0, 1], [1, -1], [-1, 1]]).view(4, 2, 1, 1)
        self.diff.weight.requires_grad_(False)
        self.body = nn.Sequential(
            Conv(4, stem, 6, stride=4, pad=1), Conv(stem, width, 3, stride=2),
            *[Block(width, mid, d) for d in dilations], Conv(width, head))
        self.what, self.where = nn.Conv2d(head, 7, 1), nn.Conv2d(head, 4, 1)
        nn.init.normal_(self.what.weight, 0, 0.01)
        nn.init.normal_(self.where.weight, 0, 0.01)
        nn.init.constant_(self.what.bias[:1], -4.6)  # objects are rare
        nn.init.constant_(self.where.bias, 2.2)

    def forward(self, x, logits=False):
        f = self.body(F.relu(self.diff(x)))
        what, where = self.what(f), self.where(f)
        return (what, where) if logits else torch.cat([torch.sigmoid(what), where], 1)


class Pairs:
    """The pairs of a folder; bits stay packed in memory."""

    def __init__(self, folder):
        bits = np.fromfile(f"{folder}/pairs.bin", np.uint8)
        self.bits = bits.reshape(-1, 2, SIZE, SIZE // 8)
        rows = np.fromfile(f"{folder}/boxes.bin", "<f4").reshape(-1, 6)
        self.boxes = [rows[rows[:, 0] == i, 1:] for i in range(len(self.bits))]

    def __len__(self):
        return len(self.bits)

    def whole(self, i):
        return np.unpackbits(self.bits[i], axis=-1)

    def crop(self, rng, c=320):
        """A random crop, mostly around a defect, in one of eight symmetries."""
        i = rng.integers(len(self))
        boxes = self.boxes[i]
        if len(boxes) and rng.random() < 0.8:
            b = boxes[rng.integers(len(boxes))]
            x = int((b[0] + b[2]) / 2 - rng.uniform(0.12, 0.88) * c)
            y = int((b[1] + b[3]) / 2 - rng.uniform(0.12, 0.88) * c)
        else:
            x, y = rng.integers(0, SIZE - c + 1, 2)
        x, y = min(max(x, 0), SIZE - c), min(max(y, 0), SIZE - c)
        byte = x // 8  # rows are packed by eight
        px = np.unpackbits(self.bits[i][:, y:y + c, byte:byte + c // 8 + 1], axis=-1)[:, :, x - 8 * byte:][:, :, :c]
        boxes = boxes.copy()
        boxes[:, [0, 2]] -= x
        boxes[:, [1, 3]] -= y
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


def turned(boxes, turns, mirror, c):
    """Boxes after np.rot90 by turns and a mirror from left to right."""
    x1, y1, x2, y2, k = boxes.T
    for _ in range(turns):
        x1, y1, x2, y2 = y1, c - x2, y2, c - x1
    if mirror:
        x1, x2 = c - x2, c - x1
    return np.stack([x1, y1, x2, y2, k], 1)


def targets(batch, g):
    """Per cell: 1 a defect's, 0 none, -1 do not care; its class; its sides in cells.
    A defect's cells are those within one cell of its middle; the rest of the
    middle of a large box is left open, and so is what the crop cut through."""
    n = len(batch)
    obj, cls = np.zeros((n, g, g), np.float32), np.zeros((n, g, g), np.int64)
    box, near = np.zeros((n, 4, g, g), np.float32), np.full((n, g, g), 1e9, np.float32)
    cell = np.arange(g) + 0.5
    for i, (keep, ignore) in enumerate(batch):
        for x1, y1, x2, y2, _ in ignore / STRIDE:
            obj[i, max(0, int(y1)):math.ceil(y2), max(0, int(x1)):math.ceil(x2)] = -1
        for x1, y1, x2, y2, _ in keep / STRIDE:
            open_ = (np.abs(cell - (y1 + y2) / 2) < max(0.3 * (y2 - y1), 1))[:, None] & (np.abs(cell - (x1 + x2) / 2) < max(0.3 * (x2 - x1), 1))
            obj[i][open_ & (obj[i] == 0)] = -1
        for b in keep:
            x1, y1, x2, y2 = b[:4] / STRIDE
            d = np.maximum(np.abs(cell - (y1 + y2) / 2)[:, None], np.abs(cell - (x1 + x2) / 2))
            at = (d <= 1) & (d < near[i])
            obj[i][at], near[i][at], cls[i][at] = 1, d[at], int(b[4])
            y, x = np.nonzero(at)
            box[i][:, y, x] = cell[x] - x1, cell[y] - y1, x2 - cell[x], y2 - cell[y]
    return torch.from_numpy(obj), torch.from_numpy(cls), torch.from_numpy(box)


def loss(what, where, obj, cls, box):
    """Focal objectness, class and box losses, each per cell of a defect."""
    o, pos, neg = what[:, 0], obj == 1, obj == 0
    n, p = pos.sum().clamp(min=1), torch.sigmoid(what[:, 0])
    focal = -(F.logsigmoid(o) * (1 - p) ** 2)[pos].sum() - (F.logsigmoid(-o) * p ** 2)[neg].sum()
    names = what[:, 1:].permute(0, 2, 3, 1)[pos]
    kinds = F.binary_cross_entropy_with_logits(names, F.one_hot(cls[pos], 6).float(), reduction="sum")
    got, want = where.permute(0, 2, 3, 1)[pos], box.permute(0, 2, 3, 1)[pos]
    q = got.clamp(min=0.05)
    inter = ((torch.min(q[:, 0], want[:, 0]) + torch.min(q[:, 2], want[:, 2])).clamp(min=0)
             * (torch.min(q[:, 1], want[:, 1]) + torch.min(q[:, 3], want[:, 3])).clamp(min=0))
    union = (q[:, 0] + q[:, 2]) * (q[:, 1] + q[:, 3]) + (want[:, 0] + want[:, 2]) * (want[:, 1] + want[:, 3]) - inter
    hull = ((torch.max(q[:, 0], want[:, 0]) + torch.max(q[:, 2], want[:, 2]))
            * (torch.max(q[:, 1], want[:, 1]) + torch.max(q[:, 3], want[:, 3])))
    giou = (1 - inter / union + (hull - union) / hull).sum()
    return focal / n, kinds / n, (giou + 0.1 * F.smooth_l1_loss(got, want, reduction="sum")) / n


def decode(out, score=0.05, nms=0.3, limit=100):
    """[11,h,w] -> rows of left, top, right, bottom, score, class."""
    s = out[0] * out[1:7].max(0)
    y, x = np.nonzero(s >= score)
    cx, cy, d = (x + 0.5) * STRIDE, (y + 0.5) * STRIDE, np.maximum(out[7:11, y, x], 0.05) * STRIDE
    rows = np.stack([cx - d[0], cy - d[1], cx + d[2], cy + d[3], s[y, x], out[1:7, y, x].argmax(0)], 1)
    rows = rows[np.argsort(-rows[:, 4], kind="stable")]
    keep = []
    while len(rows) and len(keep) < limit:
        keep.append(rows[0])
        rows = rows[1:][iou(rows[:1], rows[1:])[0] <= nms]
    return np.array(keep, np.float32).reshape(-1, 6)


def iou(a, b):
    w = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0])
    h = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1])
    inter = w.clip(0) * h.clip(0)
    area = lambda q: (q[:, 2] - q[:, 0]) * (q[:, 3] - q[:, 1])
    return inter / (area(a)[:, None] + area(b)[None] - inter + 1e-9)


def matched(found, true, limit, same=True):
    """Greedy by score: which of found hit, and which of true are hit."""
    hit, used = np.zeros(len(found), bool), np.zeros(len(true), bool)
    if len(true):
        overlaps = iou(found, true) * ((found[:, 5:6] == true[:, 4]) if same else 1)
        for i, row in enumerate(overlaps):
            row = np.where(used, 0, row)
            if row.max() > limit:
                hit[i] = used[row.argmax()] = True
    return hit, used


def average_precision(found, true, c, limit):
    hits, scores, n = [], [], 0
    for f, t in zip(found, true):
        f, t = f[f[:, 5] == c], t[t[:, 4] == c]
        n += len(t)
        hits.append(matched(f, t, limit)[0])
        scores.append(f[:, 4])
    order = np.argsort(-np.concatenate(scores), kind="stable")
    tp = np.cumsum(np.concatenate(hits)[order])
    precision = np.maximum.accumulate((tp / np.arange(1, len(tp) + 1))[::-1])[::-1]
    return float(np.sum(np.diff(np.concatenate([[0], tp / max(n, 1)])) * precision))


def score(net, pairs, limit=None):
    """All that is measured on pairs."""
    net.eval()
    n = min(len(pairs), limit or len(pairs))
    found = []
    with torch.no_grad():
        for i in range(n):
            x = torch.from_numpy(pairs.whole(i)).float()[None].contiguous(memory_format=torch.channels_last)
            found.append(decode(net(x)[0].numpy()))
    true = pairs.boxes[:n]
    bad = [i for i in range(n) if len(true[i])]
    good = [i for i in range(n) if not len(true[i])]
    result = {"pairs": n, "good": len(good), "defects": sum(map(len, true))}
    for t in (0.33, 0.5):
        result[f"map{int(100 * t)}"] = round(float(np.mean([average_precision(found, true, c, t) for c in range(6)])), 4)
    result["ap33"] = {k: round(average_precision(found, true, c, 0.33), 4) for c, k in enumerate(CLASSES)}
    worst = np.array([f[0, 4] if len(f) else 0 for f in found])
    for t in np.arange(0.1, 0.91, 0.05):
        at = [f[f[:, 4] >= t] for f in found]
        hit = sum(matched(at[i], true[i], 0.33)[0].sum() for i in bad)
        calls = sum(map(len, at))
        result[f"at{round(100 * t)}"] = {
            "defect_recall": round(float(sum(matched(at[i], true[i], 0.1, False)[1].sum() for i in bad) / max(result["defects"], 1)), 4),
            "class_recall": round(float(hit / max(result["defects"], 1)), 4),
            "precision": round(float(hit / max(calls, 1)), 4),
            "boards_caught": round(float(np.mean(worst[bad] >= t)), 4) if bad else None,
            "false_calls": round(float(np.mean(worst[good] >= t)), 4) if good else None,
        }
    return result


def train(a):
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    rng, pairs = np.random.default_rng(a.seed), Pairs(a.data)
    net = Net().to(memory_format=torch.channels_last)
    if a.init:
        net.load_state_dict(torch.load(a.init))
    ema = copy.deepcopy(net).eval()
    weights = [p for p in net.parameters() if p.requires_grad]
    opt = torch.optim.AdamW([{"params": [p for p in weights if p.ndim > 1], "weight_decay": 0.01},
                             {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0}], lr=a.lr)
    begin, saved, step, sums = time.time(), time.time(), 0, np.zeros(3)
    net.train()
    while (done := (time.time() - begin) / 60 / a.minutes) < 1:
        for g in opt.param_groups:
            g["lr"] = a.lr * min(1, (step + 1) / 60) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
        crops = [pairs.crop(rng, a.crop) for _ in range(a.batch)]
        x = torch.from_numpy(np.stack([c[0] for c in crops])).float().contiguous(memory_format=torch.channels_last)
        parts = loss(*net(x, logits=True), *targets([c[1:] for c in crops], a.crop // STRIDE))
        opt.zero_grad()
        (parts[0] + parts[1] + 2 * parts[2]).backward()
        nn.utils.clip_grad_norm_(weights, 5)
        opt.step()
        step += 1
        keep = min(0.998, (1 + step) / (10 + step))
        with torch.no_grad():
            for e, p in zip(ema.parameters(), net.parameters()):
                e.lerp_(p, 1 - keep)
            for e, p in zip(ema.buffers(), net.buffers()):
                e.copy_(p)
        sums += [float(p) for p in parts]
        if step % 100 == 0:
            print(f"step {step} {time.time() - begin:.0f} s, object {sums[0] / 100:.3f} class {sums[1] / 100:.3f} box {sums[2] / 100:.3f}", flush=True)
            sums[:] = 0
        if time.time() - saved > 60:
            save(ema, a.out)
            saved = time.time()
    save(ema, a.out)
    print(f"{step} steps, {time.process_time():.0f} CPU seconds", flush=True)


def save(net, name):
    torch.save(net.state_dict(), name + ".part")
    os.replace(name + ".part", name)


def load(name):
    net = Net()
    net.load_state_dict(torch.load(name))
    return net.eval()


def export(a):
    """Fill the package folder a.out: the graph, its hash in model.yaml, and one
    pair of a.data with what the network says about it."""
    import hashlib, onnx, re
    net, pairs = load(a.model), Pairs(a.data)
    file = f"{a.out}/model.onnx"
    torch.onnx.export(net, torch.zeros(1, 2, SIZE, SIZE), file, opset_version=12, input_names=["input"], output_names=["output"])
    onnx.checker.check_model(onnx.load(file))
    with open(file, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    with open(f"{a.out}/model.yaml") as f:
        manifest = re.sub(r"sha256: .*", f"sha256: {digest}", f.read())
    with open(f"{a.out}/model.yaml", "w") as f:
        f.write(manifest)
    os.makedirs(f"{a.out}/vectors", exist_ok=True)
    pair = next(i for i, b in enumerate(pairs.boxes) if len(set(b[:, 4])) >= 4)
    for name, bits in zip(("tested", "golden"), pairs.bits[pair]):
        with open(f"{a.out}/vectors/{name}.png", "wb") as f:
            f.write(png(bits))
    with torch.no_grad():
        out = net(torch.from_numpy(pairs.whole(pair)).float()[None])[0].numpy()
    expected = {
        "tested": "tested.png", "golden": "golden.png",
        "output_mean": [float(f"{v:.6g}") for v in out.mean((1, 2))],
        "defects": [{"class": CLASSES[int(r[5])], "score": round(float(r[4]), 5), "box": [round(float(v), 3) for v in r[:4]]} for r in decode(out, 0.3)],
    }
    with open(f"{a.out}/vectors/expected.json", "w") as f:
        json.dump(expected, f, indent=1)
        f.write("\n")
    print(sorted({n.op_type for n in onnx.load(file).graph.node}), os.path.getsize(file), "bytes", digest)


def png(bits):
    """Packed rows as a PNG of one bit a pixel."""
    import struct, zlib
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + row.tobytes() for row in bits)
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("verb", choices=["train", "measure", "export"])
    p.add_argument("--data"), p.add_argument("--model"), p.add_argument("--out"), p.add_argument("--init")
    p.add_argument("--minutes", type=float, default=20), p.add_argument("--lr", type=float, default=3e-3)
    p.add_argument("--batch", type=int, default=12), p.add_argument("--crop", type=int, default=256)
    p.add_argument("--threads", type=int, default=2), p.add_argument("--seed", type=int, default=1)
    p.add_argument("--limit", type=int)
    a = p.parse_args()
    if a.verb == "train":
        train(a)
    elif a.verb == "export":
        export(a)
    else:
        torch.set_num_threads(a.threads)
        print(json.dumps(score(load(a.model), Pairs(a.data), a.limit), indent=1))


main()
