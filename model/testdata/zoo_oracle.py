"""Turns outputs into defects with NumPy, independently of the Go code."""
import numpy as np


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def activated(x, how, axis=1):
    return softmax(x, axis) if how == "softmax" else 1 / (1 + np.exp(-x)) if how == "sigmoid" else x


def scores(task, outs, decode, labels, good):
    """All scores of defects, [labels, places]."""
    x = outs[0].astype(np.float64)
    if task == "detection":
        return x[0, 4:]
    x = activated(x, decode["activation"])[0]
    keep = [i for i, l in enumerate(labels) if l != good]
    return x.reshape(len(labels), -1)[keep]


def limits(s, quantile):
    """Thresholds well away from any score, so that rounding decides nothing."""
    if quantile is None:
        return {"fail": 0.5, "pass": 0.3}
    best = np.sort(s.max(0))
    near = lambda q: best[max(0, int(len(best) * q) - 3):int(len(best) * q) + 3]

    def gap(q):
        v = near(q)
        i = np.argmax(np.diff(v))
        return round(float((v[i] + v[i + 1]) / 2), 5)

    low, high = gap(quantile), gap((1 + quantile) / 2)
    return {"fail": max(low, high), "pass": low}


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    area = lambda r: (r[2] - r[0]) * (r[3] - r[1])
    return w * h / (area(a) + area(b) - w * h) if w > 0 and h > 0 else 0


def defects(task, outs, m, shape):
    h, w = shape[:2]
    low, high = m["thresholds"]["pass"], m["thresholds"]["fail"]
    s = scores(task, outs, m["decode"], m["labels"], m.get("good", ""))
    names = [l for l in m["labels"] if l != m.get("good", "")]
    if task == "classification":
        found = [dict(label=n, score=float(v), box=[0, 0, w, h]) for n, v in zip(names, s[:, 0]) if v >= low]
    elif task == "detection":
        found = boxes(outs[0][0].astype(np.float64), s, names, m, w, h, low, high)
    else:
        found = regions(s.reshape(len(names), outs[0].shape[-2], -1), names, low, m["decode"].get("min_area", 0))
        if len(outs) > 1 and all(float(outs[1].ravel()[0]) > f["score"] + 1e-4 for f in found):
            found.append(dict(label=names[0], score=float(outs[1].ravel()[0]), box=[0, 0, w, h]))
    return sorted(found, key=lambda f: (f["score"] < high, -f["score"]))


def boxes(x, s, names, m, w, h, low, high):
    i = m["inputs"][0]
    left, top = (i["width"] - w) / 2, (i["height"] - h) / 2  # the picture is not scaled
    found = []
    for a in range(x.shape[1]):
        k = int(s[:, a].argmax())
        if s[k, a] < low:
            continue
        cx, cy, bw, bh = x[:4, a]
        box = [cx - bw / 2 - left, cy - bh / 2 - top, cx + bw / 2 - left, cy + bh / 2 - top]
        clip = [min(max(box[0], 0), w), min(max(box[1], 0), h), min(max(box[2], 0), w), min(max(box[3], 0), h)]
        found.append(dict(label=names[k], score=float(s[k, a]), box=[float(v) for v in clip]))
    found.sort(key=lambda f: (f["score"] < high, -f["score"]))
    kept = []
    for f in found:
        rivals = [k for k in kept if k["label"] == f["label"] or not m["decode"].get("per_class")]
        if all(iou(k["box"], f["box"]) <= m["decode"]["nms"] for k in rivals):
            kept.append(f)
    return kept


def regions(maps, names, low, least):
    """Regions of neighbours (eight) at or above the limit; the map has the size of the picture."""
    found = []
    for name, v in zip(names, maps):
        seen = v < low
        for y, x in zip(*np.nonzero(~seen)):
            if seen[y, x]:
                continue
            stack, part = [(y, x)], []
            seen[y, x] = True
            while stack:
                j, i = stack.pop()
                part.append((j, i))
                for b in range(max(j - 1, 0), min(j + 2, v.shape[0])):
                    for a in range(max(i - 1, 0), min(i + 2, v.shape[1])):
                        if not seen[b, a]:
                            seen[b, a] = True
                            stack.append((b, a))
            if len(part) >= least:
                p = np.array(part)
                found.append(dict(label=name, score=float(v[p[:, 0], p[:, 1]].max()), area=len(part),
                                  box=[int(p[:, 1].min()), int(p[:, 0].min()), int(p[:, 1].max()) + 1, int(p[:, 0].max()) + 1]))
    return found
