"""Compiles the pure modules of pyshare by mypyc when a wheel is built.

`pyproject.toml` names the modules. The variable BUILD_PYSHARE says what a build
does: `compiled` compiles or fails, `plain` does not compile. Without the
variable, a build compiles if it finds a C compiler, and if that fails, it says
so and the wheel is plain Python. Editable installs are plain Python always.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

#: What a build that compiles needs besides. Its modules need neither of them when they run.
COMPILERS = ["mypy>=2.4,<3", "setuptools>=77"]


def compile_here(paths: list[str]) -> None:
    """Compile modules of the current folder, which gets the extension modules."""
    import setuptools  # noqa: PLC0415
    from mypyc.build import mypycify  # noqa: PLC0415

    # Types of packages that are not here are not known; CI checks all types by itself. Higher levels than -O1
    # take twice as long and make nothing faster.
    options = ["--config-file=", "--follow-imports=silent", "--ignore-missing-imports"]
    modules = mypycify([*options, *paths], opt_level="1", debug_level="0", group_name="pyshare")
    setuptools.setup(
        name="pyshare",
        packages=[],
        ext_modules=modules,
        script_args=["--quiet", "build_ext", "--inplace", "--parallel=2"],
    )


def main() -> None:
    """Compile the modules that the arguments name."""
    compile_here(sys.argv[1:])


if __name__ == "__main__":
    main()
else:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class CompileHook(BuildHookInterface):
        """Puts the compiled modules beside their sources in the wheel."""

        # The folder in which the modules are compiled, until the wheel is made of it.
        _folder: TemporaryDirectory[str] | None = None

        def dependencies(self) -> list[str]:
            """Return what the build needs besides."""
            return COMPILERS if self._is_wanted() else []

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            """Compile, if it is wanted, and add what was made to the wheel."""
            if version != "standard" or not self._is_wanted():
                return
            self._folder = TemporaryDirectory(prefix="pyshare-build-")
            folder = Path(self._folder.name)
            shutil.copytree(Path(self.root, "pyshare"), folder / "pyshare", ignore=shutil.ignore_patterns("*.pyc"))
            command = [sys.executable, str(Path(self.root, "ops", "build_hook.py")), *self.config["compiled"]]
            done = subprocess.run(
                command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
            )
            if done.returncode:
                if self._asked_for() == "compiled":
                    raise RuntimeError(f"the modules of pyshare could not be compiled:\n{done.stdout}")
                self.app.display_warning("pyshare could not be compiled and is installed as plain Python")
                return
            for made in [*folder.glob("*.so"), *(folder / "pyshare").rglob("*.so")]:
                build_data["force_include"][str(made)] = made.relative_to(folder).as_posix()
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

        def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
            """Remove the folder."""
            if self._folder is not None:
                self._folder.cleanup()

        def _asked_for(self) -> str:
            asked = os.environ.get("BUILD_PYSHARE", "")
            if asked not in {"", "compiled", "plain"}:
                raise ValueError(f"BUILD_PYSHARE={asked}: must be compiled or plain, or left out")
            return asked

        def _is_wanted(self) -> bool:
            asked = self._asked_for()
            if asked:
                return asked == "compiled"
            compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
            header = Path(sysconfig.get_path("include"), "Python.h")
            return shutil.which(compiler.split()[0]) is not None and header.exists()
