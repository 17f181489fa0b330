#!/usr/bin/python3
"""Makes the small models of the tests: ./make.py (python3-onnx, python3-numpy).

Weights are random but for "difference", which is made by hand: it marks cells
where the board and the golden board differ, so its verdicts mean something.
"""
import hashlib, os
import numpy as np
import onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh

here = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(1)


class Net:
    def __init__(self):
        self.nodes, self.weights = [], []

    def w(self, a, dtype=np.float32):
        name = f"w{len(self.weights)}"
        self.weights.append(nh.from_array(np.asarray(a, dtype), name))
        return name

    def op(self, op, *ins, out=None, **attrs):
        out = out or f"v{len(self.nodes)}"
        self.nodes.append(h.make_node(op, list(ins), [out], name=f"n{len(self.nodes)}", **attrs))
        return out

    def conv(self, x, ci, co, k=3, stride=1, dil=1, pad=None, bias=True, **kw):
        w = self.w(rng.normal(0, (2 / (ci * k * k)) ** .5, (co, ci, k, k)))
        b = [self.w(rng.normal(0, .1, co))] if bias else []
        p = dil * (k // 2) if pad is None else pad
        return self.op("Conv", x, w, *b, kernel_shape=[k, k], strides=[stride] * 2, dilations=[dil] * 2, pads=[p] * 4, group=1, **kw)

    def norm(self, x, c):
        return self.op("BatchNormalization", x, self.w(rng.uniform(.5, 1.5, c)), self.w(rng.normal(0, .2, c)),
                       self.w(rng.normal(0, .2, c)), self.w(rng.uniform(.5, 1.5, c)), epsilon=1e-5)

    def save(self, name, i, o, manifest, opset=11):
        value = lambda n, s: h.make_tensor_value_info(n, T.FLOAT, s)
        g = h.make_graph(self.nodes, name, [value("input", i)], [value("output", o)], self.weights)
        m = h.make_model(g, opset_imports=[h.make_opsetid("", opset)], producer_name="make.py")
        m.ir_version = 6
        onnx.checker.check_model(m)
        folder = os.path.join(here, "models", name, "1.0.0")
        os.makedirs(folder, exist_ok=True)
        data = m.SerializeToString()
        with open(os.path.join(folder, "model.onnx"), "wb") as f:
            f.write(data)
        with open(os.path.join(folder, "model.yaml"), "w") as f:
            f.write(f"name: {name}\nversion: 1.0.0\nfile: model.onnx\nsha256: {hashlib.sha256(data).hexdigest()}\n"
                    f"licence: Apache-2.0\noutputs:\n  - {{name: output}}\nthresholds: {{fail: 0.5, pass: 0.3}}\n{manifest}")


def difference():
    n = Net()
    d = n.op("Relu", n.op("Conv", "input", n.w(np.array([[-1, 1], [1, -1]]).reshape(2, 2, 1, 1)),
                          kernel_shape=[1, 1], strides=[1, 1], pads=[0] * 4))
    k = np.zeros((3, 2, 8, 8))
    k[0] = .5                      # objectness: any difference
    k[1, 0], k[1, 1] = .5, -.5     # extra copper
    k[2, 0], k[2, 1] = -.5, .5     # missing copper
    cell = dict(kernel_shape=[8, 8], strides=[8, 8], pads=[0] * 4)
    scores = n.op("Sigmoid", n.op("Conv", d, n.w(k), n.w([-6, 0, 0]), **cell))
    boxes = n.op("Conv", d, n.w(np.zeros((4, 2, 8, 8))), n.w([.5] * 4), **cell)
    n.op("Concat", scores, boxes, axis=1, out="output")
    n.save("difference", [1, 2, 64, 64], [1, 7, 8, 8], """task: detection
inputs:
  - {name: input, layout: NCHW, width: 64, height: 64, colour: grey, binarise: true, golden: true, mean: [0], scale: [0.00392156862745098]}
decode: {activation: none, stride: 8, nms: 0.3, grow: 0}
labels: [extra, missing]
metrics: {escapes: 0}
""")


def detector():
    n = Net()
    x = n.op("Relu", n.norm(n.conv("input", 2, 8, 6, 4, pad=1, bias=False), 8))
    x = n.op("Relu", n.conv(x, 8, 12, 3, 2))
    zeros = n.w(np.zeros(6))
    for dil in (1, 2, 4):
        y = n.op("Relu", n.conv(x, 12, 6, 1))
        y = n.conv(y, 6, 6, 3, dil=dil, bias=False)
        y = n.op("Relu", n.op("BatchNormalization", y, n.w(rng.uniform(.5, 1.5, 6)), n.op("Identity", zeros),  # as PyTorch shares constants
                              n.w(rng.normal(0, .2, 6)), n.w(rng.uniform(.5, 1.5, 6))))
        x = n.op("Relu", n.op("Add", x, n.conv(y, 6, 12, 1)))
    scores = n.op("Sigmoid", n.conv(x, 12, 3, 1))
    n.op("Concat", scores, n.conv(x, 12, 4, 1), axis=1, out="output")
    n.save("detector", ["N", 2, "H", "W"], ["N", 7, "h", "w"], """task: detection
inputs:
  - {name: input, layout: NCHW, width: 96, height: 64, colour: grey, golden: true, mean: [127], scale: [0.01]}
decode: {activation: none, stride: 8, nms: 0.3, grow: 1}
labels: [a, b]
""", opset=12)


def classifier():
    n = Net()
    x = n.op("LeakyRelu", n.norm(n.conv("input", 3, 8, 3, 2), 8), alpha=.1)
    x = n.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = n.op("Tanh", n.conv(x, 8, 16, 3))
    x = n.op("Flatten", n.op("GlobalAveragePool", x), axis=1)
    x = n.op("Relu", n.op("Gemm", x, n.w(rng.normal(0, .5, (16, 10))), n.w(rng.normal(0, .5, 10)), alpha=.5, beta=2.))
    x = n.op("Gemm", x, n.w(rng.normal(0, 1, (3, 10))), n.w(rng.normal(0, 1, 3)), transB=1)
    n.op("Softmax", x, axis=1, out="output")
    n.save("classifier", [1, 3, 32, 48], [1, 3], """task: classification
inputs:
  - {name: input, layout: NCHW, width: 48, height: 32, colour: rgb, mean: [123.7, 116.3, 103.5], scale: [0.017, 0.0175, 0.0174]}
decode: {activation: none}
labels: [scratch, stain, clean]
good: clean
""")


def mixed():
    n = Net()
    x = n.op("Transpose", "input", perm=[0, 3, 1, 2])
    a, b = n.conv(x, 3, 4), n.conv(x, 3, 4)
    y = n.op("Abs", n.op("Sub", a, b))
    y = n.op("Mul", n.op("Mul", y, n.w(.5)), n.w(rng.uniform(.5, 1.5, (4, 1, 1))))
    y = n.op("MaxPool", n.op("Add", y, a), kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    y = n.op("Reshape", y, n.w([1, 4 * 8 * 8], np.int64))
    y = n.op("MatMul", y, n.w(rng.normal(0, .2, (4 * 8 * 8, 2))))
    n.op("Add", y, n.w(rng.normal(0, .2, (1, 2))), out="output")
    n.save("mixed", [1, 16, 16, 3], [1, 2], """task: classification
inputs:
  - {name: input, layout: NHWC, width: 16, height: 16, colour: bgr, mean: [0, 0, 0], scale: [0.01, 0.01, 0.01]}
decode: {activation: softmax}
labels: [bad, good]
good: good
""", opset=13)


for f in (difference, detector, classifier, mixed):
    f()
