"""The steps that ffmpeg does, one file each; every module of this folder is loaded, and enters its step itself."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
