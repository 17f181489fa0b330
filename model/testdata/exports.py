#!/usr/bin/env python3
"""Exports networks in full size with the libraries that people use, as those write them.

    ./exports.py FOLDER    # a minute of one core, 700 MB; requirements: exports.txt

Each FOLDER/NAME/ gets the exporter's file (with its weights beside it, if it puts them there),
vectors/noise.json with an input and what PyTorch says about it, and export.json: who made it
and the flags of `inspector model add`. Weights are random: nothing is downloaded.
"""
import json, os, shutil, sys, tempfile
os.environ["YOLO_OFFLINE"] = "True"
import numpy as np
import torch
import torchvision
import zoo

OUT = sys.argv[1]


def calm(net, shape):
    """Gives the normalisations statistics, so that numbers stay small and apart in deep networks."""
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.momentum = None
    base = zoo.texture(*shape[2:]).astype(np.float32) / 255
    with torch.no_grad():
        net.train()(torch.from_numpy(np.stack([np.roll(base, 9 * i, (0, 1)).transpose(2, 0, 1) for i in range(4)])))
    return net.eval()


def note(name, x, outputs, by, tolerance="", **flags):
    folder = os.path.join(OUT, name, "vectors")
    os.makedirs(folder, exist_ok=True)
    x.numpy().astype("<f4").tofile(os.path.join(folder, "in.f32"))
    numbers = np.concatenate([o.detach().numpy().astype("<f4").ravel() for o in outputs])
    numbers.tofile(os.path.join(folder, "out.f32"))
    with open(os.path.join(folder, "noise.json"), "w") as f:
        json.dump({"input": "in.f32", "output": "out.f32"}, f)
    with open(os.path.join(OUT, name, "export.json"), "w") as f:
        json.dump({"by": by, "flags": flags, "tolerance": tolerance}, f)
    print(f"{name:22} {by}; {len(numbers)} numbers from {numbers.min():.3g} to {numbers.max():.3g}", flush=True)


def place(name, source=None):
    """Where the network of NAME is; moved there with its weights, if a library wrote it elsewhere."""
    folder = os.path.join(OUT, name)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "model.onnx")
    if source:
        shutil.move(source, path)
        if os.path.exists(source + ".data"):
            shutil.move(source + ".data", path + ".data")
    return path


def torchvision_net(name, make, side, batch=False, legacy=False, settled=True, pick=lambda y: y, **flags):
    torch.manual_seed(7)
    x = torch.rand(1, 3, side, side)
    net = calm(make(), x.shape) if settled else make().eval()
    how = dict(dynamo=False) if legacy else {}
    if batch and not legacy:
        how["dynamic_shapes"] = ({0: torch.export.Dim.DYNAMIC},)
    torch.onnx.export(net, (torch.rand(2, 3, side, side) if batch else x,), place(name), **how)
    exporter = "the exporter before 2.9" if legacy else "its usual exporter" + (", open batch" if batch else "")
    with torch.no_grad():
        note(name, x, [pick(net(x))], f"torchvision {torchvision.__version__.split('+')[0]}, {exporter}", **flags)


def yolo(name):
    import ultralytics
    torch.manual_seed(7)
    y = ultralytics.YOLO(name + ".yaml")
    x = torch.rand(1, 3, 640, 640)
    net = y.model.eval()
    picture = torch.from_numpy(zoo.texture(640, 640).transpose(2, 0, 1)[None].astype(np.float32) / 255)
    with torch.no_grad():  # random weights see nothing: have them see something in the picture
        scores = net(picture)[0][0, 4:].amax(0)
        up = -torch.logit(scores.kthvalue(int(scores.numel() * .995)).values).item()
        for branch in net.model[-1].cv3:
            branch[-1].bias.data += up
    with tempfile.TemporaryDirectory() as d:
        y.ckpt_path = os.path.join(d, name + ".pt")
        net.pt_path = y.ckpt_path
        place(name, y.export(format="onnx", imgsz=640))
    with torch.no_grad():
        note(name, x, [net.fuse().eval()(x)[0]], f"ultralytics {ultralytics.__version__}")


def anomaly(name, make, tolerance="", **export):
    import anomalib
    from anomalib.data import Folder
    from anomalib.deploy import ExportType
    from anomalib.engine import Engine
    import cv2
    import lightning
    lightning.seed_everything(7)
    with tempfile.TemporaryDirectory() as d:
        r = np.random.default_rng(7)
        os.makedirs(os.path.join(d, "good"))
        for i in range(8):  # good boards: copper lines and the camera's noise
            picture = np.full((256, 256, 3), 90, np.uint8)
            for at in range(0, 256, 32):
                cv2.line(picture, (at, 0), (at, 255), (180, 160, 40), 3)
            picture = np.clip(picture + r.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(os.path.join(d, "good", f"{i}.png"), picture)
        data = Folder(name="boards", root=d, normal_dir="good", train_batch_size=4, eval_batch_size=4, num_workers=0,
                      val_split_mode="same_as_test", test_split_mode="synthetic")
        model = make()
        engine = Engine(accelerator="cpu", devices=1, default_root_dir=d, logger=False)
        engine.fit(model=model, datamodule=data)
        place(name, str(engine.export(model=model, export_type=ExportType.ONNX, export_root=d, input_size=(256, 256), **export)))
    cv2.circle(picture, (100, 140), 9, (60, 60, 60), -1)  # a good board but for one hole
    x = torch.from_numpy(picture[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255)
    with torch.no_grad():
        y = model.eval()(x)
    note(name, x, [y.anomaly_map, y.pred_score], f"anomalib {anomalib.__version__}", tolerance)


def main():
    from anomalib.models import Padim, Patchcore
    V, S = torchvision.models, torchvision.models.segmentation
    plain = dict(weights=None, weights_backbone=None, num_classes=3)
    two = dict(labels="defective,defect_free", good="defect_free")
    three = dict(labels="missing,tilted,good", good="good")
    regions = dict(labels="background,scratch,void", good="background")
    torchvision_net("resnet18", lambda: V.resnet18(weights=None, num_classes=2), 224, **two)
    torchvision_net("resnet18-batch", lambda: V.resnet18(weights=None, num_classes=2), 224, batch=True, **two)
    torchvision_net("resnet18-legacy", lambda: V.resnet18(weights=None, num_classes=2), 224, legacy=True, **two)
    torchvision_net("mobilenetv2", lambda: V.mobilenet_v2(weights=None, num_classes=3), 224, **three)
    torchvision_net("mobilenetv2-legacy", lambda: V.mobilenet_v2(weights=None, num_classes=3), 224, legacy=True, **three)
    torchvision_net("mobilenetv3", lambda: V.mobilenet_v3_large(weights=None, num_classes=3), 224, **three)
    torchvision_net("deeplabv3", lambda: S.deeplabv3_mobilenet_v3_large(**plain), 256, pick=lambda y: y["out"], **regions)
    # Settled, its 50 layers of random weights lose 4 of 7 digits, in PyTorch too.
    torchvision_net("fcn-legacy", lambda: S.fcn_resnet50(**plain), 256, legacy=True, settled=False, pick=lambda y: y["out"], **regions)
    yolo("yolov8n")
    yolo("yolo11n")
    anomaly("padim", lambda: Padim(backbone="resnet18", layers=["layer1", "layer2", "layer3"], pre_trained=False))
    # With its open batch, PatchCore's exporter fixes the batch to two. It subtracts large numbers from each other.
    anomaly("patchcore", lambda: Patchcore(backbone="resnet18", layers=["layer2", "layer3"], pre_trained=False, coreset_sampling_ratio=0.01),
            tolerance="0.005", onnx_kwargs={"dynamic_axes": None})


if __name__ == "__main__":
    main()
