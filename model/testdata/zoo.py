#!/usr/bin/python3
"""Exports the models that users bring, as their exporters write them.

    ./zoo.py                      the committed fixtures: same topology and operators, few channels
    ./zoo.py --full --out FOLDER  as wide as the originals (random weights; a minute, 200 MB)

Each package gets model.onnx, model.yaml, expected.f32 (what PyTorch says about the
picture of `texture`, all outputs one after the other) and expected.json (the defects
that an independent decoder in NumPy makes of it). Made with Debian 12's python3-torch
1.13.1, python3-onnx 1.12.0 and python3-numpy 1.24.2.
"""
import argparse, hashlib, json, os
import numpy as np
import torch
import torch.nn as nn
import zoo_nets as nets
import zoo_oracle as oracle

torch.set_num_threads(1)


def texture(w, h):
    """A picture of h x w x 3 bytes (BGR) that a test can draw again."""
    y, x, c = np.ogrid[:h, :w, :3]
    return ((((x // 4) * 37 + (y // 4) * 59 + c * 29) ^ ((x * y) >> 3)) & 255).astype(np.uint8)


def prepared(picture, m):
    """The model's input as `inspector` makes it; the picture needs no scaling."""
    h, w = picture.shape[:2]
    canvas = np.full((m["height"], m["width"], 3), 114, np.uint8)
    top, left = (m["height"] - h) // 2, (m["width"] - w) // 2
    canvas[top:top + h, left:left + w] = picture
    if m["colour"] == "rgb":
        canvas = canvas[:, :, ::-1]
    x = canvas[None]
    if m.get("type") != "uint8":
        x = (x.astype(np.float32) - np.float32(m["mean"])) * np.float32(m["scale"])
    if m["layout"] == "NCHW":
        x = x.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(x)


def settle(net, inp):
    """Gives the normalisations the statistics of pictures, so that numbers stay apart in deep networks."""
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.momentum = None
    base = texture(inp["width"], inp["height"])
    x = np.concatenate([prepared(np.roll(base, 9 * i, (0, 1)), inp) for i in range(4)])
    with torch.no_grad():
        net.train()(torch.from_numpy(x))
    net.eval()


def flow(v):
    """A value in YAML's flow style."""
    if isinstance(v, dict):
        return "{" + ", ".join(f"{k}: {flow(x)}" for k, x in v.items()) + "}"
    if isinstance(v, (list, tuple)):
        return "[" + ", ".join(flow(x) for x in v) + "]"
    return str(v).lower() if isinstance(v, bool) else str(v)


def export(out, name, net, picture, inp, decode, labels, task, outputs=("output",), graph_outputs=None, good="", opset=13, quantile=None):
    settle(net, inp)
    folder = os.path.join(out, name, "1.0.0")
    os.makedirs(folder, exist_ok=True)
    x = prepared(picture, inp)
    with torch.no_grad():
        given = net(torch.from_numpy(x))
    given = dict(zip(graph_outputs or outputs, given if isinstance(given, tuple) else [given]))
    wanted = [given[o].numpy() for o in outputs]
    names = list(graph_outputs or outputs)
    path = os.path.join(folder, "model.onnx")
    torch.onnx.export(net, torch.from_numpy(x), path, input_names=["input"], output_names=names, opset_version=opset,
                      dynamic_axes={n: {0: "batch"} for n in ["input"] + names})
    data = open(path, "rb").read()
    scores = oracle.scores(task, wanted, decode, labels, good)
    limits = oracle.limits(scores, quantile)
    manifest = dict(name=name, version="1.0.0", task=task, file="model.onnx", sha256=hashlib.sha256(data).hexdigest(), licence="Apache-2.0",
                    inputs=[inp], outputs=[{"name": o} for o in outputs], decode=decode, labels=labels)
    if good:
        manifest["good"] = good
    manifest["thresholds"] = limits
    with open(os.path.join(folder, "model.yaml"), "w") as f:
        f.write("".join(f"{k}: {flow(v)}\n" for k, v in manifest.items()))
    np.concatenate([o.ravel() for o in wanted]).astype("<f4").tofile(os.path.join(folder, "expected.f32"))
    defects = oracle.defects(task, wanted, manifest, picture.shape)
    with open(os.path.join(folder, "expected.json"), "w") as f:
        json.dump({"width": picture.shape[1], "height": picture.shape[0], "defects": defects}, f, indent=0)
    print(f"{name:12} {len(data) / 1024:8.0f} KB  {len(defects)} defects  limits {limits}")


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--full", action="store_true")
    a.add_argument("--out", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "models"))
    o = a.parse_args()
    big, out = o.full, o.out
    side = lambda small, large: large if big else small
    imagenet = dict(mean=[123.675, 116.28, 103.53], scale=[0.0171247, 0.0175070, 0.0174292])
    plain = dict(mean=[0, 0, 0], scale=[0.00392156862745098] * 3)

    def picture_input(s, **more):
        return dict(dict(name="input", layout="NCHW", width=s, height=s, colour="rgb"), **more)

    def seeded(f):
        torch.manual_seed(7)
        return f()

    s = side(64, 224)
    export(out, "resnet18", seeded(lambda: nets.ResNet18(side(4, 64), 2)), texture(s, s), picture_input(s, **imagenet),
           dict(activation="softmax"), ["defective", "defect_free"], "classification", good="defect_free")
    export(out, "mobilenet", seeded(lambda: nets.MobileNetV2(side(8, 1), 3)), texture(s, s), picture_input(s, **imagenet),
           dict(activation="softmax"), ["missing", "tilted", "good"], "classification", good="good", opset=17)
    export(out, "multilabel", seeded(lambda: nets.MultiLabel(side(8, 32), 3)), texture(s, s),
           dict(name="input", layout="NHWC", type="uint8", width=s, height=s, colour="bgr"),
           dict(activation="sigmoid"), ["scratch", "stain", "dent"], "classification", opset=11)
    s = side(64, 640)
    export(out, "yolov8", seeded(lambda: nets.YOLO(2, side(24, 4), False)), texture(s, s * 3 // 4), picture_input(s, fit="letterbox", **plain),
           dict(activation="none", form="yolo", nms=0.45, per_class=True), ["scratch", "dent"], "detection", opset=12, quantile=.85)
    export(out, "yolo11", seeded(lambda: nets.YOLO(3, side(24, 4), True)), texture(s, s), picture_input(s, **plain),
           dict(activation="none", form="yolo", nms=0.45), ["open", "short", "spur"], "detection", opset=16, quantile=.85)
    s = side(64, 256)
    export(out, "anomaly", seeded(lambda: nets.StudentTeacher(side(4, 64), s)), texture(s, s), picture_input(s, **plain),
           dict(activation="none"), ["anomaly"], "anomaly", outputs=("anomaly_map", "pred_score"),
           graph_outputs=("pred_score", "pred_label", "anomaly_map", "pred_mask"), opset=14, quantile=.97)
    export(out, "unet", seeded(lambda: nets.UNet(side(6, 64), 3)), texture(s, s), picture_input(s, **plain),
           dict(activation="softmax", min_area=4), ["background", "scratch", "void"], "segmentation", good="background", quantile=.97)


if __name__ == "__main__":
    main()
