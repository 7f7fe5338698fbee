"""Java programs that tests and benchmarks start: resolved once by Maven, from the versions pinned in `deploy/java`.

Called by `bench.kafka_server` and the tests' Connect. The product itself needs no Java.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
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
    cache = _cache()
    target = cache / f"{name}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _resolve(pom, target)
    return target


def _cache() -> Path:
    data_dir = os.environ.get("STAGEWATCH_DATA_DIR")
    cache = (Path(data_dir) if data_dir else Path.home() / ".cache" / "stagewatch") / "java"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def _resolve(pom: Path, target: Path) -> None:
    """Fill `target`, whole or not at all: an interrupted download must not look like a finished one."""
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={partial}", "-DincludeScope=runtime"]
    done = subprocess.run(
        [program("mvn"), "-q", "-B", "-f", str(pom), *goal],
        capture_output=True,
        text=True,
        timeout=RESOLVE_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise ToolMissing(f"Maven could not resolve {pom.name}: {(done.stdout + done.stderr).strip()[-500:]}")
    partial.rename(target)
