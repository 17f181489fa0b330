"""Export a checkpoint as a model package: the graph, its manifest and its vectors.

    export.py --model model.pt --data DIR --out models/pcb/2.1.0 --fail 0.5 --pass 0.4 [--metrics FILE]

One pair of DIR, which should be drawn boards never trained on, becomes the vectors.
FILE is what evaluate.py printed for the pairs that the thresholds were chosen on.
"""
import argparse
import hashlib
import inspect
import json
import os
import struct
import zlib

import onnx
import torch

from data import Pairs
from net import CLASSES, SIZE, STRIDE, load
from score import decode
from seal import seal

MANIFEST = """name: {name}
version: {version}
task: detection
file: model.onnx
sha256: {digest}
licence: Apache-2.0
inputs:
  - name: input
    layout: NCHW
    width: {size}
    height: {size}
    colour: grey
    binarise: true
    golden: true
    mean: [0]
    scale: [0.00392156862745098]
outputs:
  - name: output
decode:
  activation: none
  stride: {stride}
  nms: 0.3
  grow: 0
labels: [{labels}]
thresholds: {{fail: {fail}, pass: {pass_}}}
metrics: {{{metrics}}}
"""


def graph(net, file, opset):
    traced = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}  # the newer exporter has no opset 12
    torch.onnx.export(net, torch.zeros(1, 2, SIZE, SIZE), file, opset_version=opset, input_names=["input"], output_names=["output"], **traced)
    onnx.checker.check_model(onnx.load(file))


def vectors(net, pairs, folder):
    """The first pair of many classes, and what the network says about it."""
    os.makedirs(folder, exist_ok=True)
    pair = next(i for i, b in enumerate(pairs.boxes) if len(set(b[:, 4])) >= 4)
    for name, bits in zip(("tested", "golden"), pairs.bits[pair]):
        with open(f"{folder}/{name}.png", "wb") as f:
            f.write(png(bits))
    with torch.no_grad():
        out = net(torch.from_numpy(pairs.whole(pair)).float()[None])[0].numpy()
    expected = {
        "tested": "tested.png", "golden": "golden.png",
        "output_mean": [float(f"{v:.6g}") for v in out.mean((1, 2))],
        "defects": [{"class": CLASSES[int(r[5])], "score": round(float(r[4]), 5), "box": [round(float(v), 3) for v in r[:4]]} for r in decode(out, 0.3)],
    }
    with open(f"{folder}/expected.json", "w") as f:
        json.dump(expected, f, indent=1)
        f.write("\n")


def png(bits):
    """Packed rows as a PNG of one bit a pixel."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + row.tobytes() for row in bits)
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def measured(file, fail):
    """The figures of a report of evaluate.py that go into the manifest."""
    if not file:
        return ""
    with open(file) as f:
        report = json.load(f)
    at, first = report[f"at{round(100 * fail)}"], lambda v: v[0] if isinstance(v, list) else v
    figures = {"map33": report["map33"], "map50": report["map50"], "f_score": at["f"], "defect_recall": at["defect_recall"],
               "boards_caught": at["bad_called"], "false_calls": at["good_called"], "pairs": report["pairs"]}
    return ", ".join(f"{k}: {first(v)}" for k, v in figures.items())


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True), p.add_argument("--data", required=True, action="append")
    p.add_argument("--out", required=True), p.add_argument("--metrics")
    p.add_argument("--fail", type=float, required=True), p.add_argument("--pass", type=float, required=True, dest="pass_")
    a = p.parse_args()
    net, file = load(a.model), f"{a.out}/model.onnx"
    os.makedirs(a.out, exist_ok=True)
    graph(net, file, 12)
    with open(file, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    name, version = os.path.normpath(a.out).split(os.sep)[-2:]
    with open(f"{a.out}/model.yaml", "w") as f:
        f.write(MANIFEST.format(name=name, version=version, digest=digest, size=SIZE, stride=STRIDE, labels=", ".join(CLASSES),
                                fail=a.fail, pass_=a.pass_, metrics=measured(a.metrics, a.fail)))
    vectors(net, Pairs(a.data), f"{a.out}/vectors")
    if os.path.exists(f"{a.out}/model.int8.onnx"):
        os.remove(f"{a.out}/model.int8.onnx")  # of other weights
    seal(a.out)
    print(sorted({n.op_type for n in onnx.load(file).graph.node}), os.path.getsize(file), "bytes", digest)


if __name__ == "__main__":
    main()
