"""A server that was started for a test ends with whoever started it."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

OWNER = """
import sys, time
from pathlib import Path
from bench.server_process import ServerProcess
fifo, log = sys.argv[1:]
ServerProcess(["sh", "-c", f"exec sleep 600 > {fifo}"], Path(log), lambda: True).start()
time.sleep(600)
"""
PATIENCE_S = 60.0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a process when its parent ends")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_ends_with_its_owner_however_that_ends(tmp_path: Path, how: signal.Signals) -> None:
    fifo = tmp_path / "held"
    os.mkfifo(fifo)
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(fifo), str(tmp_path / "log")])
    held = os.open(fifo, os.O_RDONLY)  # returns when the server has opened its end
    try:
        owner.send_signal(how)
        owner.wait(PATIENCE_S)
        assert select.select([held], [], [], PATIENCE_S)[0], "the server still runs"
        assert os.read(held, 1) == b"", "the server's end is closed"
    finally:
        owner.kill()
        os.close(held)
