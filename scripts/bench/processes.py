"""Runs pipelines and reports what they took: wall time of the whole, user and system time of each stage."""

import os
import subprocess
import time
from dataclasses import dataclass


@dataclass
class Cost:
    """Seconds."""

    wall: float
    stages: list  # of (program, user, system)
    peak_bytes: int = 0  # the most memory that one stage has had

    def cpu(self):
        return sum(user + system for _, user, system in self.stages)


def run(stages, output):
    """Runs `stages` (argument lists), each reading what the one before writes, the last into the file `output`.

    A last stage that exits with 1 is fine: that is grep without a hit.
    """
    # A file that is there already would have to be cut first, and ext4 writes it to the disk when it is closed.
    if os.path.isfile(output):
        os.remove(output)
    children = []
    with open(output, "wb") as out:
        begun = time.perf_counter()
        source = subprocess.DEVNULL
        for number, stage in enumerate(stages):
            last = number + 1 == len(stages)
            child = subprocess.Popen(stage, stdin=source, stdout=out if last else subprocess.PIPE)
            if source is not subprocess.DEVNULL:
                source.close()
            source = child.stdout
            children.append(child)
        ended = [os.wait4(child.pid, 0) for child in children]
        wall = time.perf_counter() - begun
    costs, peak = [], 0
    for child, stage, (_, status, usage) in zip(children, stages, ended):
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in ([0, 1] if stage is stages[-1] else [0]):
            raise RuntimeError(f"{' '.join(stage)} failed with {child.returncode}")
        costs.append((os.path.basename(stage[0]), usage.ru_utime, usage.ru_stime))
        peak = max(peak, usage.ru_maxrss * 1024)
    return Cost(wall, costs, peak)


def output_of(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def of_process(pid):
    """User and system seconds of a process and of the threads that it had."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    tick = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / tick, int(fields[12]) / tick


def peak_bytes(pid):
    """The most memory that a process has had at a time."""
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} has no VmHWM")
