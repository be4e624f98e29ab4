"""Components: the real servers beside Python, found on this machine or unpacked without root.

`find` looks for a program in the tools folder and on PATH. `fetch` gets the missing ones from the
distribution's own archive (Debian 12 or newer, Ubuntu): packages are downloaded and unpacked into
the tools folder, never installed, so that no server is enabled or started. Only the browser, which
starts nothing, is installed for good when root asks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class ComponentMissing(Exception):
    """A program that the lab or a test needs is not on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A program, the names it goes by, and the package that carries it.

    libraries: packages of shared libraries that it needs and that no Debian has from the start.
    """

    names: tuple[str, ...]
    package: str
    libraries: tuple[str, ...] = ()


COMPONENTS: dict[str, Component] = {
    "prometheus": Component(names=("prometheus",), package="prometheus"),
    "promtool": Component(names=("promtool",), package="prometheus"),
    "alertmanager": Component(
        names=("prometheus-alertmanager", "alertmanager"), package="prometheus-alertmanager"
    ),
    "victoria-metrics": Component(names=("victoria-metrics",), package="victoria-metrics"),
    "podman": Component(
        names=("podman",), package="podman", libraries=("libgpgme11", "libassuan0", "libsubid4")
    ),
    "conmon": Component(names=("conmon",), package="conmon"),
    "runc": Component(names=("runc",), package="runc"),
    "busybox": Component(names=("busybox",), package="busybox-static"),
    "dbus-daemon": Component(
        names=("dbus-daemon",),
        package="dbus-daemon",
        libraries=("libdbus-1-3", "libapparmor1", "libexpat1"),
    ),
    "sshd": Component(names=("sshd",), package="openssh-server", libraries=("libwrap0",)),
    "chromium": Component(
        names=("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
        package="chromium",
    ),
}
CJK_FONT_PACKAGE = "fonts-noto-cjk"
# Where Debian's Alertmanager looks for its message templates.
TEMPLATES = b"/usr/share/prometheus/alertmanager"


def tools_dir() -> Path:
    """OPSMITH_TOOLS, else `.tools` of the clone, else `tools` in the data folder of the user."""
    chosen = os.environ.get("OPSMITH_TOOLS")
    if chosen:
        return Path(chosen).absolute()
    clone = Path(__file__).parents[3]
    if (clone / "Makefile").is_file() and (clone / "lab" / "pyproject.toml").is_file():
        return clone / ".tools"
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return home / "opsmith" / "tools"


def find(name: str) -> Path:
    """The program called `name` in `COMPONENTS`. Raises `ComponentMissing` with what to do."""
    component = COMPONENTS[name]
    for candidate in component.names:
        unpacked = tools_dir() / "bin" / candidate
        if os.access(unpacked, os.X_OK):
            return unpacked
        on_path = shutil.which(candidate)
        if on_path:
            return Path(on_path)
    raise ComponentMissing(
        f"{name} is not on this machine: run `python -m opsmith_lab.components` (no root needed)"
        f" or install the package {component.package}."
    )


def fetch(wanted: Sequence[str] = tuple(COMPONENTS)) -> None:
    """Make every wanted component available. Raises `ComponentMissing` when one cannot be had."""
    missing = [name for name in wanted if not _present(name)]
    servers = sorted(
        {
            package
            for name in missing
            if name != "chromium"
            for package in (COMPONENTS[name].package, *COMPONENTS[name].libraries)
        }
    )
    if servers:
        apt = Apt(root=tools_dir())
        apt.update()
        for package in servers:
            apt.download(package)
            apt.unpack(package)
        _link_programs([name for name in missing if name != "chromium"])
    if "chromium" in wanted and ("chromium" in missing or not _has_cjk_font()):
        _fetch_browser()
    for name in wanted:
        find(name)


def _present(name: str) -> bool:
    try:
        find(name)
    except ComponentMissing:
        return False
    return True


def _has_cjk_font() -> bool:
    if (tools_dir() / "bin" / "chromium").exists():
        return True
    lister = shutil.which("fc-list")
    if lister is None:
        return False
    return bool(subprocess.run([lister, ":lang=zh"], capture_output=True, check=False).stdout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Apt:
    """apt with its lists, cache and locks under `root`; the system's own state is only read."""

    root: Path

    def options(self) -> list[str]:
        """The flags that keep apt below the root."""
        state, cache = self.root / "apt" / "state", self.root / "apt" / "cache"
        (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        (cache / "archives" / "partial").mkdir(parents=True, exist_ok=True)
        chosen = {
            "Dir::State": str(state),
            "Dir::State::status": "/var/lib/dpkg/status",
            "Dir::Cache": str(cache),
            "Debug::NoLocking": "true",
            "APT::Sandbox::User": "",
            "Acquire::Retries": "2",
        }
        return [word for key, value in chosen.items() for word in ("-o", f"{key}={value}")]

    def run(self, *words: str) -> None:
        """Run a command of apt. Raises `ComponentMissing` with its last words."""
        if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
            raise ComponentMissing(
                "apt-get and dpkg are not here, so nothing can be fetched: put prometheus,"
                " promtool, alertmanager and chromium on PATH yourself."
            )
        folder = self.root / "apt" / "cache" / "archives"
        done = subprocess.run(
            [*words[:1], *self.options(), *words[1:]],
            cwd=folder if folder.is_dir() else None,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise ComponentMissing(f"`{' '.join(words)}` failed: {''.join(last)}")

    def update(self) -> None:
        """Fetch the lists of packages."""
        self.run("apt-get", "update")

    def download(self, package: str) -> None:
        """Download one package, without what it depends on."""
        self.run("apt-get", "download", package)

    def download_all(self, *packages: str) -> None:
        """The packages and what of theirs this machine lacks, without what they recommend."""
        flags = ("-y", "--download-only", "--no-install-recommends")
        self.run("apt-get", "install", *flags, *packages)

    def unpack_all(self) -> None:
        """Unpack all that was downloaded."""
        _unpack(
            sorted((self.root / "apt" / "cache" / "archives").glob("*.deb")), self.root / "root"
        )

    def unpack(self, package: str) -> None:
        """Unpack the newest of a package."""
        archives = sorted((self.root / "apt" / "cache" / "archives").glob(f"{package}_*.deb"))
        _unpack(archives[-1:], self.root / "root")


def _unpack(archives: Sequence[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        subprocess.run(["dpkg", "-x", str(archive), str(folder)], check=True)


def _link_programs(names: Sequence[str]) -> None:
    bin_dir = tools_dir() / "bin"
    bin_dir.mkdir(parents=True, exist_ok=True)
    for component in (COMPONENTS[name] for name in names):
        for program in component.names:
            root = tools_dir() / "root"
            found = [root / part / program for part in ("usr/bin", "usr/sbin", "bin")]
            unpacked = next((one for one in found if one.is_file()), None)
            if unpacked is not None:
                _link(unpacked, bin_dir / program, component)


def _link(unpacked: Path, link: Path, component: Component) -> None:
    link.unlink(missing_ok=True)
    if component.package == "prometheus-alertmanager":
        _relocate_templates(unpacked, link)
    elif component.libraries:
        folders = (tools_dir() / "root" / "usr" / "lib").glob("*-linux-gnu*")
        libraries = ":".join(map(str, folders))
        link.write_text(
            f'#!/bin/sh\nexport LD_LIBRARY_PATH="{libraries}"\nexec "{unpacked}" "$@"\n',
            encoding="utf-8",
        )
        link.chmod(0o755)
    else:
        link.symlink_to(unpacked)


def _relocate_templates(program: Path, launcher: Path) -> None:
    """Let an unpacked Alertmanager find its templates.

    Debian compiles the folder into the program, and without root nothing can be put there. A copy
    of the program looks in an open directory instead, which the launcher hands it as number 9.
    """
    folder = tools_dir() / "root" / TEMPLATES.decode().lstrip("/")
    content = program.read_bytes()
    if TEMPLATES not in content:
        launcher.symlink_to(program)
        return
    moved = program.with_name(f"{program.name}-relocated")
    moved.write_bytes(content.replace(TEMPLATES, b"/proc/self/fd/9".ljust(len(TEMPLATES), b"/")))
    moved.chmod(0o755)
    launcher.write_text(f'#!/bin/sh\nexec "{moved}" "$@" 9<"{folder}"\n', encoding="utf-8")
    launcher.chmod(0o755)


def _fetch_browser() -> None:
    packages = [CJK_FONT_PACKAGE] if _present("chromium") else ["chromium", CJK_FONT_PACKAGE]
    apt = Apt(root=tools_dir())
    apt.update()
    if os.geteuid() == 0:
        lists = ("-o", f"Dir::State::lists={tools_dir()}/apt/state/lists")
        done = subprocess.run(
            ["apt-get", *lists, "install", "-y", "-qq", "--no-install-recommends", *packages],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = "".join(done.stderr.strip().splitlines()[-1:])
            raise ComponentMissing(f"chromium could not be installed: {last}")
        return
    apt.download_all(*packages)
    _unpack(sorted((tools_dir() / "apt" / "cache" / "archives").glob("*.deb")), _browser_root())
    _write_browser_launcher()


def _browser_root() -> Path:
    return tools_dir() / "browser"


def _write_browser_launcher() -> None:
    """A launcher that sees the unpacked libraries and fonts beside those of the system."""
    root = _browser_root()
    fonts = root / "fonts.conf"
    fonts.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        '<include ignore_missing="yes">/etc/fonts/fonts.conf</include>'
        f"<dir>{root}/usr/share/fonts</dir><cachedir>{root}/font-cache</cachedir></fontconfig>",
        encoding="utf-8",
    )
    program = root / "usr" / "lib" / "chromium" / "chromium"
    if not program.is_file():
        program = Path(shutil.which("chromium") or "/usr/bin/chromium")
    libraries = ":".join(
        str(folder) for folder in (root / "usr/lib/chromium", *root.glob("usr/lib/*-linux-gnu*"))
    )
    launcher = tools_dir() / "bin" / "chromium"
    launcher.parent.mkdir(parents=True, exist_ok=True)
    launcher.write_text(
        "#!/bin/sh\n"
        f'export FONTCONFIG_FILE="{fonts}"\n'
        f'export LD_LIBRARY_PATH="{libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"\n'
        f'exec "{program}" "$@"\n',
        encoding="utf-8",
    )
    launcher.chmod(0o755)


def main() -> int:
    """Fetch what is missing and say where everything is; the face of this module."""
    try:
        fetch()
        for name in COMPONENTS:
            print(f"{name}: {find(name)}")
    except ComponentMissing as error:
        print(f"components: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
