"""The network and its loss."""
import torch
import torch.nn as nn
import torch.nn.functional as F

SIZE, STRIDE = 640, 8
CLASSES = ["open", "short", "mousebite", "spur", "copper", "pin-hole"]
SHAPE = dict(stem=40, width=64, mid=32, head=64, dilations=(1, 2, 1, 4, 2, 1))


class Conv(nn.Module):
    def __init__(self, i, o, k=1, stride=1, dilation=1, pad=None, relu=True):
        super().__init__()
        pad = dilation * (k // 2) if pad is None else pad
        self.conv = nn.Conv2d(i, o, k, stride, pad, dilation, bias=False)
        self.norm = nn.BatchNorm2d(o, momentum=0.05)
        self.relu = relu

    def forward(self, x):
        x = self.norm(self.conv(x))
        return F.relu(x) if self.relu else x


class Block(nn.Module):
    def __init__(self, c, mid, dilation):
        super().__init__()
        self.f = nn.Sequential(Conv(c, mid), Conv(mid, mid, 3, dilation=dilation), Conv(mid, c, relu=False))

    def forward(self, x):
        return F.relu(x + self.f(x))


class Net(nn.Module):
    """[N,2,H,W] tested and golden, 0 copper, 1 laminate -> [N,11,H/8,W/8]:
    objectness, six classes, and left, top, right, bottom in cells. Only Conv,
    Relu, Add, Sigmoid and Concat, which every runtime computes alike."""

    def __init__(self, stem, width, mid, head, dilations):
        super().__init__()
        self.shape = dict(stem=stem, width=width, mid=mid, head=head, dilations=tuple(dilations))
        self.diff = nn.Conv2d(2, 4, 1, bias=False)  # tested, golden, and what each has alone
        self.diff.weight.data = torch.tensor([[1.0, 0], [0, 1], [1, -1], [-1, 1]]).view(4, 2, 1, 1)
        self.diff.weight.requires_grad_(False)
        self.body = nn.Sequential(
            Conv(4, stem, 6, stride=4, pad=1), Conv(stem, width, 3, stride=2),
            *[Block(width, mid, d) for d in dilations], Conv(width, head))
        self.what, self.where = nn.Conv2d(head, 7, 1), nn.Conv2d(head, 4, 1)
        nn.init.normal_(self.what.weight, 0, 0.01)
        nn.init.normal_(self.where.weight, 0, 0.01)
        nn.init.constant_(self.what.bias[:1], -4.6)  # objects are rare
        nn.init.constant_(self.where.bias, 2.2)

    def forward(self, x, logits=False):
        f = self.body(F.relu(self.diff(x)))
        what, where = self.what(f), self.where(f)
        return (what, where) if logits else torch.cat([torch.sigmoid(what), where], 1)


def loss(what, where, obj, cls, box):
    """Focal objectness, class and box losses, each per cell of a defect."""
    o, pos, neg = what[:, 0], obj == 1, obj == 0
    n, p = pos.sum().clamp(min=1), torch.sigmoid(what[:, 0])
    focal = -(F.logsigmoid(o) * (1 - p) ** 2)[pos].sum() - (F.logsigmoid(-o) * p ** 2)[neg].sum()
    names = what[:, 1:].permute(0, 2, 3, 1)[pos]
    kinds = F.binary_cross_entropy_with_logits(names, F.one_hot(cls[pos], 6).float(), reduction="sum")
    got, want = where.permute(0, 2, 3, 1)[pos], box.permute(0, 2, 3, 1)[pos]
    q = got.clamp(min=0.05)
    inter = ((torch.min(q[:, 0], want[:, 0]) + torch.min(q[:, 2], want[:, 2])).clamp(min=0)
             * (torch.min(q[:, 1], want[:, 1]) + torch.min(q[:, 3], want[:, 3])).clamp(min=0))
    union = (q[:, 0] + q[:, 2]) * (q[:, 1] + q[:, 3]) + (want[:, 0] + want[:, 2]) * (want[:, 1] + want[:, 3]) - inter
    hull = ((torch.max(q[:, 0], want[:, 0]) + torch.max(q[:, 2], want[:, 2]))
            * (torch.max(q[:, 1], want[:, 1]) + torch.max(q[:, 3], want[:, 3])))
    giou = (1 - inter / union + (hull - union) / hull).sum()
    return focal / n, kinds / n, (giou + 0.1 * F.smooth_l1_loss(got, want, reduction="sum")) / n


def load(name):
    """The averaged network of a checkpoint, on the processor, ready to judge."""
    kept = torch.load(name, map_location="cpu")
    net = Net(**kept["shape"])
    net.load_state_dict(kept["ema"])
    return net.eval()
