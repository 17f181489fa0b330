"""Measure a checkpoint, or an exported graph, on pairs.

    evaluate.py --model model.pt|model.onnx --data DIR [--threshold 0.5] [--good]

Prints JSON: each figure with the ends of its 95 % interval, from a bootstrap over
boards. --good judges the golden plate of every pair against itself, the tested one
with ragged edges and, unless --move 0 says that boards are laid, up to a pixel off:
boards that must not be called.
"""
import argparse
import json
import math
import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
import numpy as np
import torch
import torch.nn.functional as F

from data import Pairs
from net import SIZE, load
from score import Tally, decode


def judge_of(name, threads):
    """A function from [1,2,640,640] to [11,80,80]."""
    if not name.endswith(".onnx"):
        net = load(name).to(memory_format=torch.channels_last)
        torch.set_num_threads(threads)

        def judge(x):
            with torch.no_grad():
                return net(torch.from_numpy(x).contiguous(memory_format=torch.channels_last))[0].numpy()
        return judge
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(name, options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"input": x})[0][0]


def blurred(x, sigma):
    reach = math.ceil(3 * sigma)
    k = torch.exp(-torch.arange(-reach, reach + 1.0) ** 2 / (2 * sigma * sigma))
    k = (k / k.sum()).view(1, 1, -1, 1)
    x = F.pad(x[None, None], (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(x, k), k.transpose(2, 3))[0, 0]


def again(plate, rng, move):
    """A plate of the same board: moved by up to so many pixels, its edges ragged by about half of one."""
    plate = torch.from_numpy(np.roll(plate, rng.integers(-move, move + 1, 2), (0, 1)).astype(np.float32))
    noise = blurred(torch.from_numpy(rng.standard_normal((SIZE, SIZE)).astype(np.float32)), 1.0) * 3.5
    return (blurred(plate, 1.3) + (rng.uniform(0, 0.18) * noise).clamp(-0.4, 0.4) > 0.5).numpy().astype(np.float32)


def found(judge, pairs, good, limit, move, seed=0):
    rng, rows = np.random.default_rng(seed), []
    for i in range(min(len(pairs), limit)):
        tested, golden = pairs.whole(i).astype(np.float32)
        if good:
            tested = again(golden, rng, move)
        rows.append(decode(judge(np.stack([tested, golden])[None])))
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True), p.add_argument("--data", required=True, action="append")
    p.add_argument("--threshold", type=float, action="append"), p.add_argument("--good", action="store_true")
    p.add_argument("--move", type=int, default=1, help="with --good, how many pixels a board may be off")
    p.add_argument("--limit", type=int, default=1 << 30), p.add_argument("--draws", type=int, default=200)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    pairs = Pairs(a.data)
    rows = found(judge_of(a.model, a.threads), pairs, a.good, a.limit, a.move)
    true = [b[:0] if a.good else b for b in pairs.boxes[:len(rows)]]
    report = Tally(rows, true).report(a.threshold or [0.2, 0.3, 0.4, 0.5, 0.6, 0.7], a.draws)
    print(json.dumps(report, indent=1).replace("\n   ", "").replace("\n  ]", "]"))


if __name__ == "__main__":
    main()
