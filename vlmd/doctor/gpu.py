"""The driver, torch on it, bitsandbytes, and whether the configured models fit into what video memory is free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vlmd.catalog.figures import CACHE
from vlmd.core.errors import VlmdError
from vlmd.doctor.abilities import cards, judged_models
from vlmd.doctor.child import NoAnswer, ask
from vlmd.doctor.findings import Finding, Setting, fail, ok, warn
from vlmd.doctor.models import folder_of, weights_on
from vlmd.weights import BadWeights

_DRIVER_SECONDS, _TORCH_SECONDS = 30.0, 180.0
_NF4_ERROR = 0.2
"""Numbers between -1 and 1 come back from four bits no further off than that."""
_OPTIONAL = "only quantized weights need it"
_REINSTALL = "install the packages again (README, Two commands)"


def hardware(setting: Setting) -> list[Finding]:
    """Driver and GPUs, torch on them, and the room in their memory."""
    wanted = wants_gpu(setting.settings.devices.use)
    driver, said = _driver(wanted)
    torch, more = _torch(driver, wanted, setting.environ.get("CUDA_VISIBLE_DEVICES"))
    room = (
        [judged_room(gpu, _largest(setting, gpu["total"]), setting.status is not None) for gpu in usable(driver)]
        if torch
        else []
    )
    unable = judged_models(setting, cards(setting.settings.devices.use, torch))
    return [*said, *more, *room, *unable, *bitsandbytes()]


def wants_gpu(use: str | Sequence[str]) -> bool:
    return use == "auto" or any(name != "cpu" for name in use)


def usable(driver: dict[str, Any]) -> list[dict[str, Any]]:
    return [gpu for gpu in driver.get("gpus", []) if not gpu["problem"]]


def _driver(wanted: bool) -> tuple[dict[str, Any], list[Finding]]:
    try:
        driver = ask("vlmd.doctor.driver", seconds=_DRIVER_SECONDS)
    except NoAnswer as error:
        remedy = "see `dmesg` for Xid errors; reset the GPU or reboot, then see whether `nvidia-smi` answers"
        return {}, [fail("driver", f"NVIDIA's driver: {error}", remedy)]
    return driver, judged_driver(driver, wanted)


def judged_driver(driver: dict[str, Any], wanted: bool) -> list[Finding]:
    if driver["missing"]:
        found = "no NVIDIA driver is installed, or this container was not given it"
        if wanted:
            remedy = 'install the driver, or give the container its GPUs; or set devices.use = ["cpu"]'
            return [fail("driver", found, remedy)]
        return [ok("driver", f"{found}; devices.use asks for no GPU")]
    if driver.get("problem"):
        return [fail("driver", f"NVIDIA's driver says: {driver['problem']}", "see `nvidia-smi` and `dmesg`; reboot")]
    found = f"NVIDIA driver {driver['driver']}, CUDA up to {_version(driver['cuda'])}, {len(driver['gpus'])} GPUs"
    broken = [
        fail(f"GPU {gpu['index']}", str(gpu["problem"]), "see `dmesg` for Xid errors; reset the GPU or reboot")
        for gpu in driver["gpus"]
        if gpu["problem"]
    ]
    return [ok("driver", found), *broken]


def _torch(driver: dict[str, Any], wanted: bool, visible: str | None) -> tuple[dict[str, Any], list[Finding]]:
    try:
        torch = ask("vlmd.worker.probe", "torch", seconds=_TORCH_SECONDS, environ={"CUDA_DEVICE_ORDER": "PCI_BUS_ID"})
    except NoAnswer as error:
        return {}, [fail("torch", f"torch cannot be used: {error}", _REINSTALL)]
    return torch, judged_torch(torch, driver, wanted, visible)


def judged_torch(torch: dict[str, Any], driver: dict[str, Any], wanted: bool, visible: str | None) -> list[Finding]:
    """torch's build against the driver, then every GPU that it sees."""
    build = f"torch {torch['torch']} " + (f"for CUDA {torch['cuda']}" if torch["cuda"] else "for the CPU only")
    there = len(usable(driver))
    if not wanted:
        return [ok("torch", f"{build}; devices.use asks for no GPU")]
    if not there:
        return [ok("torch", build)]
    if torch["cuda"] is None:
        return [fail("torch", f"{build}, and there are {there} GPUs", "install a torch build for CUDA")]
    if not cuda_fits(torch["cuda"], driver["cuda"]):
        remedy = f"install a torch build for CUDA {_version(driver['cuda'])} or older, or a newer driver"
        return [fail("torch", f"{build}, and the driver runs CUDA up to {_version(driver['cuda'])}", remedy)]
    if not torch["devices"]:
        hint = f'; CUDA_VISIBLE_DEVICES is "{visible}"' if visible is not None else ""
        remedy = "see CUDA_VISIBLE_DEVICES and the permissions of /dev/nvidia*"
        return [fail("torch", f"{build} sees none of the {there} GPUs{hint}", remedy)]
    return [ok("torch", build), *(judged_device(device, torch["architectures"]) for device in torch["devices"])]


def judged_device(device: dict[str, Any], architectures: Sequence[str]) -> Finding:
    check = f"cuda:{device['index']}"
    if "capability" in device and not architecture_fits(device["capability"], architectures):
        have = ".".join(map(str, device["capability"]))
        found = f"{device['name']} is of compute capability {have}; torch was built for {', '.join(architectures)}"
        return fail(check, found, "install a torch build that knows this GPU")
    if device["problem"]:
        return fail(check, device["problem"], "see `dmesg` for Xid errors; reset the GPU or reboot")
    if not device["bf16"]:
        remedy = 'nothing; precision "auto" takes fp16 here, so set "fp32" where answers are NaN'
        return warn(check, f"{device['name']} computes, but not in bf16", remedy)
    return ok(check, f"{device['name']} computes, also in bf16")


def cuda_fits(torch: str, driver: int | None) -> bool:
    """Whether a driver that runs CUDA up to `driver` (12040 for 12.4) runs this build: the first number decides."""
    return driver is None or int(torch.split(".")[0]) <= driver // 1000


def architecture_fits(capability: Sequence[int], architectures: Sequence[str]) -> bool:
    """Whether torch's kernels run on a GPU: built for it or an older one of its generation, or compiled when used."""
    have = capability[0] * 10 + capability[1]
    for architecture in architectures:
        kind, _, number = architecture.partition("_")
        built = int("".join(filter(str.isdecimal, number)) or 0)
        if kind == "compute" and built <= have:
            return True
        if kind == "sm" and built // 10 == capability[0] and built <= have:
            return True
    return False


def judged_room(gpu: dict[str, Any], model: tuple[str, int] | None, running: bool) -> Finding:
    """Free memory of a GPU against the largest model's weights."""
    check = f"memory of GPU {gpu['index']}"
    users = ", ".join(f"pid {user['pid']} {(user['bytes'] or 0) / 1e9:.1f} GB" for user in gpu["users"])
    found = f"{gpu['free'] / 1e9:.1f} of {gpu['total'] / 1e9:.1f} GB free" + (f"; used by {users}" if users else "")
    if model is None:
        return ok(check, found)
    name, size = model
    if size > gpu["total"]:
        remedy = "choose a smaller model or a larger GPU"
        return fail(check, f"{found}; the weights of {name} take {size / 1e9:.1f} GB", remedy)
    if size > gpu["free"] and not running:
        remedy = "end what uses it, or choose a smaller model"
        return warn(check, f"{found}; the weights of {name} take {size / 1e9:.1f} GB", remedy)
    return ok(check, f"{found}; the weights of {name} take {size / 1e9:.1f} GB, pictures and answers come on top")


def _largest(setting: Setting, total: int) -> tuple[str, int] | None:
    """The used model with the largest weights; those that cannot be read are told of elsewhere."""
    settings = setting.settings
    cache = settings.paths.state / CACHE
    sizes = {}
    for name in settings.models_in_use():
        count = settings.models[name].devices_per_worker
        told = name if count == 1 else f"{name} on each of {count} GPUs"
        try:
            sizes[told] = (
                weights_on(folder_of(setting, name), settings.models[name].precision, total * count, cache) // count
            )
        except (BadWeights, VlmdError, OSError):  # the check of the models says it
            continue
    return max(sizes.items(), key=lambda item: item[1], default=None)


def bitsandbytes() -> list[Finding]:
    try:
        facts = ask("vlmd.worker.probe", "bitsandbytes", seconds=_TORCH_SECONDS)
    except NoAnswer as error:
        return [warn("bitsandbytes", f"bitsandbytes cannot be used: {error}", f"{_REINSTALL}; {_OPTIONAL}")]
    return [judged_bitsandbytes(facts)]


def judged_bitsandbytes(facts: dict[str, Any]) -> Finding:
    build = f"bitsandbytes {facts['version']}"
    if not facts["error"] < _NF4_ERROR:
        return warn("bitsandbytes", f"{build} computes wrongly on {facts['device']}", f"{_REINSTALL}; {_OPTIONAL}")
    where = "on the GPU" if facts["device"] == "cuda" else "on the CPU: without a GPU it is correct, and slow"
    return ok("bitsandbytes", f"{build} computes {where}")


def _version(cuda: int | None) -> str:
    return "an unknown version" if cuda is None else f"{cuda // 1000}.{cuda % 1000 // 10}"
