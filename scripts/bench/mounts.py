"""One mount of a package, for a `with` block: unmounted at its end, whatever happens in it."""

import itertools
import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager

import processes

# The largest of all mounts so far.
peak_bytes = 0
# Every mount has a cache folder of its own, and all go at the end: for seconds after files were deleted, ext4 is slow
# to make new ones, and the next cold day would pay for the last.
numbers = itertools.count()


def new_cache(work, filled=None):
    """A cache folder: a copy of `filled`, or not there yet."""
    cache = os.path.join(work, f"cache-{next(numbers)}")
    if filled:
        shutil.copytree(filled, cache)
        # What is measured next must not meet the writing of the copy.
        os.sync()
    return cache


def reading(package, source, cache):
    """Options of every command that reads the data package in `source`, a folder or the endpoint of an S3 server, opened
    with the key of `package`."""
    endpoint = ["--endpoint-url", source, "--path-style", "--region", "us-east-1"]
    return ["--org", "unix", *(endpoint if is_endpoint(source) else ["--folder", source]),
            "--secret-key", package.secret_key, "--passphrase-file", package.passphrase_file, "--cache-dir", cache]


def is_endpoint(source):
    return source.startswith("http://")


@contextmanager
def slow_bucket(program, folder, milliseconds):
    """The endpoint of an S3 server that serves the package in `folder`, each answer so much later."""
    command = [program, folder, str(milliseconds)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield server.stdout.readline().strip()
    finally:
        server.stdin.close()
        server.wait()


class Mount:
    """Shows the data package in `source`, opened with the key of `package`; its cache begins empty, or as `filled`."""

    def __init__(self, edxfs, package, source, work, filled=None):
        self.edxfs = edxfs
        self.point = os.path.join(work, "mnt")
        self.cache = new_cache(work, filled)
        self.peak_bytes = None
        os.makedirs(self.point, exist_ok=True)
        # The configuration of whoever runs this stays out of it.
        self.environment = {**os.environ, "XDG_CONFIG_HOME": work}
        if is_endpoint(source):
            self.environment |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
        self.command = [edxfs, "mount", *reading(package, source, self.cache), "--index", "off",
                        "--log-file", os.path.join(work, "edxfs.log"), self.point]

    def __enter__(self):
        self._unmount(check=False)
        begun = time.perf_counter()
        subprocess.run(self.command, env=self.environment, check=True)
        self.ready_seconds = time.perf_counter() - begun
        try:
            self.pid = self.status()["pid"]
        except BaseException:
            self._unmount(check=False)
            raise
        return self

    def __exit__(self, *failure):
        global peak_bytes
        try:
            self.peak_bytes = processes.peak_bytes(self.pid)
            peak_bytes = max(peak_bytes, self.peak_bytes)
        finally:
            self._unmount(check=True)

    def _unmount(self, check):
        command = [self.edxfs, "unmount", self.point]
        subprocess.run(command, env=self.environment, check=check, stderr=None if check else subprocess.DEVNULL)

    def path(self, *parts):
        return os.path.join(self.point, *parts)

    def status(self):
        command = [self.edxfs, "status", "--json", "--org", "unix", "--cache-dir", self.cache]
        return json.loads(processes.output_of(*command))

    def read(self, source, output, program=("cat",)):
        """Copies one file with `cat`, or as `program` does; its cost has the server's share as a stage of its own."""
        before = processes.of_process(self.pid)
        cost = processes.run([[*program, source]], output)
        after = processes.of_process(self.pid)
        cost.stages.append(("edxfs", after[0] - before[0], after[1] - before[1]))
        return cost


def drop_pages(path):
    """Takes one file out of the kernel's page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def drop_all_pages():
    """Empties the kernel's page cache; False where that is not allowed."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w") as control:
            control.write("3")
        return True
    except OSError:
        return False
