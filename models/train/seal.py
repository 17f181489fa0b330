"""Every file of a model package, by its sha256 in the manifest."""
import hashlib
import os


def seal(folder):
    """Write down in model.yaml what else belongs to the package, each file with its sha256."""
    def digest(name):
        with open(os.path.join(folder, name), "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()
    manifest = os.path.join(folder, "model.yaml")
    with open(manifest) as f:
        text = f.read().split("files:")[0].split("variants:")[0]
    if os.path.exists(os.path.join(folder, "model.int8.onnx")):
        text += f"variants:\n  int8: {{file: model.int8.onnx, sha256: {digest('model.int8.onnx')}}}\n"
    names = sorted(f"vectors/{name}" for name in os.listdir(os.path.join(folder, "vectors")))
    text += "files:\n" + "".join(f"  {name}: {digest(name)}\n" for name in names)
    with open(manifest, "w") as f:
        f.write(text)
