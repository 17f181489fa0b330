"""Quantise an exported graph to eight bits: QDQ, a scale per channel of the
weights, ranges of the activations from pairs.

    quantise.py --model models/pcb/2.1.0/model.onnx --data DIR --out models/pcb/2.1.0/model.int8.onnx

DIR should be boards the model was trained on, never those it is measured on.
Writes it down in the manifest of the folder.
"""
import argparse
import os
import tempfile

import numpy as np
import onnx
from onnx import version_converter
from onnxruntime import quantization as q
from onnxruntime.quantization.shape_inference import quant_pre_process

from data import Pairs
from seal import seal


class Plates(q.CalibrationDataReader):
    """Pairs, spread over the folders, one at a time."""

    def __init__(self, folders, n):
        self.pairs = Pairs(folders)
        self.left = iter(np.linspace(0, len(self.pairs) - 1, n).astype(int))

    def get_next(self):
        i = next(self.left, None)
        return None if i is None else {"input": self.pairs.whole(i).astype(np.float32)[None]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True), p.add_argument("--data", required=True, action="append")
    p.add_argument("--out", required=True), p.add_argument("--pairs", type=int, default=64)
    p.add_argument("--method", default="MinMax", choices=[m.name for m in q.CalibrationMethod])
    p.add_argument("--full", action="store_true", help="weights of 8 bits instead of 7: processors without VNNI saturate")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ready = os.path.join(folder, "ready.onnx")
        onnx.save(version_converter.convert_version(onnx.load(a.model), 13), ready)  # the first with scales per channel
        quant_pre_process(ready, ready)
        nodes = onnx.load(ready).graph.node
        last = {"output"}  # what leads from the last convolutions to the output keeps its precision: it costs nothing
        keep = []
        for n in reversed(nodes):
            if set(n.output) & last:
                keep.append(n.name)
                if n.op_type != "Conv":
                    last |= set(n.input)
        q.quantize_static(
            ready, a.out, Plates(a.data, a.pairs), quant_format=q.QuantFormat.QDQ, per_channel=True, reduce_range=not a.full,
            activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8, nodes_to_exclude=keep,
            calibrate_method=q.CalibrationMethod[a.method])
    seal(os.path.dirname(a.out))
    print(os.path.getsize(a.out), "bytes")


if __name__ == "__main__":
    main()
