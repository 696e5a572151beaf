"""How does the wheel that we ship decide faster? The hot part of `policy/` is compiled, by mypyc; nothing else differs.

The plain Python stays the reference: it is in the wheel too, it is what developers run, and what an editable install
finds, for nothing is ever written into the tree. Off unless `HATCH_BUILD_HOOK_ENABLE_CUSTOM=1`; it needs a C compiler.
`CFLAGS=-O0` compiles in a third of the time, for tests.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

AS_ONE = ["-flto=auto", "-fvisibility=hidden"]
"""Functions of one file are inlined in another; nothing else calls them. It takes a twentieth of the time away."""


class Compiled(BuildHookInterface[Any]):
    """Puts beside the modules that the project names what they compile to."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """The wheel will hold them; an editable install will not."""
        if version == "editable":
            return
        self._folder = TemporaryDirectory()
        made = Path(self._folder.name, "made")
        _compile(Path(self.root), self._modules(), made, Path(self._folder.name, "between"))
        build_data["force_include"].update({str(one): str(one.relative_to(made)) for one in made.rglob("*.so")})
        build_data["pure_python"], build_data["infer_tag"] = False, True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """What was made on the way is gone."""
        del build_data, artifact_path
        if version != "editable":
            self._folder.cleanup()

    def _modules(self) -> list[str]:
        """Relative to the root; those that stay plain are named without."""
        root, plain = Path(self.root), set(self.config["plain"])
        found = sorted(root.glob(f"{self.config['package']}/**/*.py"))
        return [str(one.relative_to(root)) for one in found if str(one.relative_to(root)) not in plain]


def _compile(root: Path, modules: list[str], made: Path, between: Path) -> None:
    from mypyc.build import mypycify  # noqa: PLC0415 (only where something is compiled)
    from setuptools import Distribution  # noqa: PLC0415
    from setuptools.command.build_ext import build_ext  # noqa: PLC0415

    quick = "-O0" in os.environ.get("CFLAGS", "")
    # Only the standard library is looked at besides: it comes out the same, whatever else is installed.
    how = ["--config-file=", "--no-site-packages", "--ignore-missing-imports", f"--cache-dir={os.devnull}"]
    with chdir(root), ThreadPoolExecutor(os.cpu_count()) as workers:
        extensions = mypycify(
            [*how, *modules],
            opt_level="0" if quick else "3",
            debug_level="0",
            multi_file=True,
            target_dir=str(between),
            group_name="release_bot",
        )
        for one in extensions:
            if len(one.sources) > 1 and not quick:  # what all of them share: the others only name a part of it
                one.extra_compile_args += AS_ONE
                one.extra_link_args += [*AS_ONE, "-O3"]

        class SideBySide(build_ext):  # type: ignore[misc]  # it brings no types
            """Compiles as many files at once as there are cores."""

            def build_extensions(self) -> None:
                compile_some = self.compiler.compile

                def compile_all(sources: list[str], **options: Any) -> list[str]:  # noqa: ANN401
                    each = workers.map(lambda source: compile_some([source], **options), sources)
                    return [one for objects in each for one in objects]

                self.compiler.compile = compile_all
                super().build_extensions()

        command = SideBySide(Distribution({"name": "release-bot", "ext_modules": extensions}))
        command.build_lib, command.build_temp = str(made), str(between)
        command.ensure_finalized()
        command.run()
