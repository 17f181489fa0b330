"""Train the printed-circuit-board detector.

    train.py --data DIR [--data DIR2 ...] --steps 12000 --out model.pt

Each DIR is what draw.go writes, drawn boards or pairs of your own. The length is
counted in steps, so a busy machine trains longer and not less. A checkpoint that
is there already is continued.
"""
import argparse
import copy
import math
import os
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a thread that spins for its turn is a core that does nothing
import numpy as np
import torch
import torch.nn as nn

from data import Pairs, batch
from net import SHAPE, Net, loss


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", action="append", required=True, help="folder of pairs; may be repeated")
    p.add_argument("--out", required=True, help="checkpoint")
    p.add_argument("--init", help="checkpoint whose weights to start from")
    p.add_argument("--steps", type=int, default=12000)
    p.add_argument("--lr", type=float, default=3e-3)
    p.add_argument("--batch", type=int, default=12, help="crops per step")
    p.add_argument("--crop", type=int, default=256, help="pixels along a crop's edge, a multiple of 8")
    p.add_argument("--threads", type=int, default=2, help="with 1, PyTorch 1.13 takes its slow convolutions")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--bf16", action="store_true", help="half the cost where the processor has bfloat16; not with PyTorch 1.13, whose gradients are then no numbers")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return p.parse_args()


def begin(a):
    """The network, its running average and its optimiser, fresh or as a checkpoint left them."""
    net = Net(**SHAPE).to(a.device, memory_format=torch.channels_last)
    if a.init:
        net.load_state_dict(torch.load(a.init, map_location=a.device)["ema"])
    ema = copy.deepcopy(net).eval()
    weights = [p for p in net.parameters() if p.requires_grad]
    opt = torch.optim.AdamW([{"params": [p for p in weights if p.ndim > 1], "weight_decay": 0.01},
                             {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0}], lr=a.lr)
    step, rng = 0, np.random.default_rng(a.seed)
    if os.path.exists(a.out):
        kept = torch.load(a.out, map_location=a.device)
        if kept["shape"] != net.shape:
            raise SystemExit(f"{a.out} holds a network of another shape, {kept['shape']}; give another --out")
        net.load_state_dict(kept["net"]), ema.load_state_dict(kept["ema"]), opt.load_state_dict(kept["opt"])
        step, rng.bit_generator.state = kept["step"], kept["rng"]
    return net, ema, weights, opt, step, rng


def average(ema, net, step):
    keep = min(0.9985, (1 + step) / (10 + step))
    with torch.no_grad():
        for e, p in zip(ema.parameters(), net.parameters()):
            e.lerp_(p, 1 - keep)
        for e, p in zip(ema.buffers(), net.buffers()):
            e.copy_(p)


def save(name, net, ema, opt, step, rng):
    torch.save({"shape": net.shape, "net": net.state_dict(), "ema": ema.state_dict(), "opt": opt.state_dict(),
                "step": step, "rng": rng.bit_generator.state}, name + ".part")
    os.replace(name + ".part", name)


def main():
    a = parse()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    net, ema, weights, opt, step, rng = begin(a)
    pairs, start, sums = Pairs(a.data), time.time(), np.zeros(3)
    net.train()
    while step < a.steps:
        for g in opt.param_groups:
            g["lr"] = a.lr * min(1, (step + 1) / 100) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / a.steps)))
        x, *want = (t.to(a.device) for t in batch(pairs, rng, a.batch, a.crop))
        with torch.autocast(torch.device(a.device).type, torch.bfloat16, enabled=a.bf16):
            what, where = net(x, logits=True)
        parts = loss(what.float(), where.float(), *want)
        opt.zero_grad()
        (parts[0] + parts[1] + 2 * parts[2]).backward()
        nn.utils.clip_grad_norm_(weights, 5)
        opt.step()
        step += 1
        average(ema, net, step)
        sums += [p.item() for p in parts]
        if step % 100 == 0:
            print(f"step {step} {time.time() - start:.0f} s, object {sums[0] / 100:.3f} class {sums[1] / 100:.3f} box {sums[2] / 100:.3f}", flush=True)
            sums[:] = 0
        if step % 500 == 0:
            save(a.out, net, ema, opt, step, rng)
    save(a.out, net, ema, opt, step, rng)
    print(f"{step} steps, {time.process_time():.0f} CPU seconds", flush=True)


if __name__ == "__main__":
    main()
