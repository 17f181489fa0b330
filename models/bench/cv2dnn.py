"""The loop of bench in Python: OpenCV's dnn module on the same boards. Takes a
task as JSON and prints a result as JSON."""
import json, os, sys, time

import cv2
import numpy as np

task = json.loads(sys.argv[1])
size = task["Size"]
cv2.setNumThreads(task["Threads"])


def since(t):
    return (time.perf_counter() - t) * 1000


def plate(px):
    """0 copper, 1 laminate. A photograph is split where Otsu says; copper is its brighter part."""
    if px.ndim == 2:
        return cv2.threshold(px, 127, 1, cv2.THRESH_BINARY)[1].astype(np.float32)
    grey = cv2.cvtColor(px, cv2.COLOR_BGR2GRAY)
    return cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)[1].astype(np.float32)


def decode(out, stride=8, nms=0.3):
    """Boxes and scores, the highest first, of what does not pass."""
    s = out[0] * out[1:-4].max(0)
    y, x = np.nonzero(s >= task["Pass"])
    reach = np.maximum(out[-4:, y, x], 0.05) * stride
    cx, cy, scores = (x + 0.5) * stride, (y + 0.5) * stride, s[y, x]
    boxes = np.stack([cx - reach[0], cy - reach[1], reach[0] + reach[2], reach[1] + reach[3]], 1)
    keep = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), task["Pass"], nms) if len(boxes) else []
    return [(boxes[i], scores[i]) for i in np.array(keep).reshape(-1)]


def loop(one):
    for i in range(3):
        one(i)
    ms, called, cpu, begun = [], {}, time.process_time(), time.perf_counter()
    while len(ms) < 5 or time.perf_counter() - begun < task["Seconds"]:
        t = time.perf_counter()
        called[len(ms) % task["Boards"]] = one(len(ms))
        ms.append(since(t))
    return {"MS": ms, "CPU": (time.process_time() - cpu) * 1000, "Called": called}


begun = time.perf_counter()
net = cv2.dnn.readNetFromONNX(task["File"])
result = {"Load": since(begun), "Whole": {}}
blob = (np.arange(2 * size * size) // 7 % 2).astype(np.float32).reshape(1, 2, size, size)


def infer():
    net.setInput(blob)
    return net.forward()[0]


def alone(_):
    infer()
    return False


begun = time.perf_counter()
infer()
result["First"] = since(begun)
result["Model"] = loop(alone)
for style, shape in (("plate", (-1, size, size)), ("photo", (-1, size, size, 3))):
    boards = np.fromfile(os.path.join(task["Dir"], style + ".bin"), np.uint8).reshape(shape)
    blob[0, 1] = plate(boards[0])

    def whole(i):
        blob[0, 0] = plate(boards[1 + i % task["Boards"]])
        found = decode(infer())
        return bool(found)

    result["Whole"][style] = loop(whole)
with open("/proc/self/statm") as f:
    result["Resident"] = int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
print(json.dumps(result))
