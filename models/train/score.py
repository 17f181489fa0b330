"""Decoding and measures, in numpy."""
import numpy as np

from net import CLASSES, STRIDE

NONE = np.zeros((0, 6), np.float32)


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


class Tally:
    """What was found on boards, matched once, so that any sample of the boards
    can be scored."""

    def __init__(self, found, true):
        self.found, self.true = found, true
        self.bad = np.array([len(t) > 0 for t in true], bool)
        self.worst = np.array([f[0, 4] if len(f) else 0 for f in found])
        self.rows = {}
        for limit in (0.33, 0.5):
            for c in range(6):
                hits = [np.stack([f[f[:, 5] == c][:, 4], matched(f[f[:, 5] == c], t[t[:, 4] == c], limit)[0]], 1) for f, t in zip(found, true)]
                self.rows[limit, c] = hits, np.array([(t[:, 4] == c).sum() for t in true])

    def ap(self, limit, c, boards):
        hits, n = self.rows[limit, c]
        rows = np.concatenate([hits[i] for i in boards])
        tp = np.cumsum(rows[np.argsort(-rows[:, 0], kind="stable"), 1])
        precision = np.maximum.accumulate((tp / np.arange(1, len(tp) + 1))[::-1])[::-1]
        return float(np.sum(np.diff(np.concatenate([[0], tp / max(n[boards].sum(), 1)])) * precision))

    def map(self, limit, boards):
        return float(np.mean([self.ap(limit, c, boards) for c in range(6)]))

    def at(self, t):
        """Per board at threshold t: defects, found at all, found as their class, calls."""
        rows = []
        for f, b in zip(self.found, self.true):
            f = f[f[:, 4] >= t]
            rows.append((len(b), matched(f, b, 0.1, False)[1].sum(), matched(f, b, 0.33)[0].sum(), len(f)))
        return np.array(rows)

    def report(self, thresholds, draws=200, seed=0):
        """Every figure; with draws, 95 % intervals from that many bootstraps over boards."""
        rng, n = np.random.default_rng(seed), len(self.true)
        samples = [np.arange(n)] + [rng.integers(0, n, n) for _ in range(draws)]
        out = {"pairs": n, "good": int((~self.bad).sum()), "defects": int(sum(map(len, self.true)))}
        if self.bad.any():
            out["map33"] = interval([self.map(0.33, s) for s in samples])
            out["map50"] = interval([self.map(0.5, s) for s in samples])
            out["ap33"] = {k: interval([self.ap(0.33, c, s) for s in samples[:51]]) for c, k in enumerate(CLASSES)}
        for t in thresholds:
            out[f"at{round(100 * t)}"] = {k: interval([f(self.at_cache(t)[s], s, t) for s in samples]) for k, f in {
                "defect_recall": lambda r, s, t: r[:, 1].sum() / max(r[:, 0].sum(), 1),
                "class_recall": lambda r, s, t: r[:, 2].sum() / max(r[:, 0].sum(), 1),
                "precision": lambda r, s, t: r[:, 2].sum() / max(r[:, 3].sum(), 1),
                "f": lambda r, s, t: 2 * r[:, 2].sum() / max(r[:, 0].sum() + r[:, 3].sum(), 1),
                "bad_called": lambda r, s, t: mean(self.worst[s][self.bad[s]] >= t),
                "good_called": lambda r, s, t: mean(self.worst[s][~self.bad[s]] >= t),
            }.items()}
        return out

    def at_cache(self, t):
        if getattr(self, "_at", (None,))[0] != t:
            self._at = t, self.at(t)
        return self._at[1]


def mean(v):
    return float(np.mean(v)) if len(v) else float("nan")


def interval(values):
    """The first value, and between what the middle 95 % of the rest lie."""
    if len(values) < 2:
        return round(float(values[0]), 4)
    low, high = np.nanpercentile(values[1:], [2.5, 97.5]) if not np.isnan(values[0]) else (np.nan, np.nan)
    return [round(float(v), 4) for v in (values[0], low, high)]
