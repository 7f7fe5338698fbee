"""Java programs that tests and benchmarks start: resolved once by Maven, from the versions pinned in `deploy/java`.

Called by `bench.kafka_server`, `bench.peer_engines` and the tests' Connect. The product itself needs no Java.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from schemas.errors import StagewatchError

POMS = Path(__file__).resolve().parent.parent / "deploy" / "java"
RESOLVE_TIMEOUT_S = 600.0
"""The first resolution downloads some 60 MB; ten minutes is a slow line, not a hang."""


class ToolMissing(StagewatchError):
    """A program that has to be on this machine is not; the message names it. Install it, or do without."""


def program(name: str) -> str:
    """Path of an executable; raises `ToolMissing`."""
    path = shutil.which(name)
    if path is None:
        raise ToolMissing(f"{name} is not on the path")
    return path


def jars(name: str) -> Path:
    """Folder with the jars of `deploy/java/<name>-pom.xml` and all that they need.

    The first call on a machine downloads them. The folder's name holds the hash of the pom, so a new
    version never mixes with an old one. Safe to call from several processes at once.
    """
    pom = POMS / f"{name}-pom.xml"
    if not pom.exists():
        raise ToolMissing(f"{pom} is missing: a benchmark that starts its own Kafka needs the project's checkout")
    program("java")
    return kept("java", f"{name}-{digest(pom.read_bytes())}", lambda target: _resolve(pom, target))


def classes(source: Path, libraries: Path) -> Path:
    """Folder with the classes of one Java source, compiled against these jars. Raises `ToolMissing` without a JDK."""
    name = f"{source.stem}-{digest(source.read_bytes() + libraries.name.encode())}"
    command = [program("javac"), "-cp", f"{libraries}/*", str(source)]
    return kept("java", name, lambda target: run_tool([*command, "-d", str(target)], f"{source.name} does not compile"))


def digest(content: bytes) -> str:
    """Give what a kept folder's name ends in, so that another version never mixes with this one."""
    return hashlib.sha256(content).hexdigest()[:12]


def kept(kind: str, name: str, make: Callable[[Path], None]) -> Path:
    """Give the folder `kind/name` of the data folder, or of the user's cache; `make` fills it at the first call.

    Whole or not at all: an interrupted download must not look like a finished one. Safe to call from several
    processes at once.
    """
    data_dir = os.environ.get("STAGEWATCH_DATA_DIR")
    target = (Path(data_dir) if data_dir else Path.home() / ".cache" / "stagewatch") / kind / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            partial = target.with_name(f"{name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            make(partial)
            partial.rename(target)
    return target


def run_tool(command: list[str], failure: str) -> None:
    """Run a program that fetches or builds; raises `ToolMissing` with `failure` and the end of what it said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=RESOLVE_TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise ToolMissing(f"{failure}: {(done.stdout + done.stderr).strip()[-500:]}")


def _resolve(pom: Path, target: Path) -> None:
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={target}", "-DincludeScope=runtime"]
    run_tool([program("mvn"), "-q", "-B", "-f", str(pom), *goal], f"Maven could not resolve {pom.name}")
