"""Places for log dirs that can be made to fail, and what this machine allows."""
import errno
import fcntl
import os
import pathlib
import shutil
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
SHUTDOWN_WITHOUT_LOG_FLUSH = 2
INSIDE = "STELE_CHAOS_NAMESPACE"


def enter_namespace():
    """Runs the calling program again in a mount namespace of its own, so that what it mounts ends with it. Without the
    right to make one it stays where it is, and what needs a mount is skipped."""
    if INSIDE in os.environ:
        return
    for how in (["--mount"], ["--user", "--map-root-user", "--mount"]):
        if run("unshare", *how, "true"):
            os.environ[INSIDE] = how[0]
            os.execvp("unshare", ["unshare", *how, sys.executable, *sys.argv])


def run(*command):
    try:
        return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0
    except FileNotFoundError:
        return False


def must(*command):
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise OSError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}".strip())


class Tmpfs:
    """A file system of a fixed size in memory."""

    def __init__(self, path, megabytes):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True)
        must("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", self.path)

    def unmount(self):
        must("umount", self.path)


class Ext4:
    """ext4 in a file, by a loop device that goes with its mount."""

    def __init__(self, image, path, megabytes):
        self.image, self.path = pathlib.Path(image), pathlib.Path(path)
        self.path.mkdir(parents=True)
        with open(self.image, "wb") as file:
            file.truncate(megabytes << 20)
        must("mkfs.ext4", "-q", self.image)
        self.mount()

    def mount(self):
        # A short commit interval, so that at times the journal has more of a moment than at others.
        must("mount", "-o", "loop,commit=1", self.image, self.path)

    def unmount(self):
        must("umount", self.path)

    def sync(self):
        must("sync", "--file-system", self.path)

    def abort(self):
        """As the kernel does when it finds the file system broken: read-only from now on, whatever is open."""
        run("mount", "-o", "remount,abort", self.path)
        try:
            (self.path / "probe").write_bytes(b"")
        except OSError as error:
            if error.errno == errno.EROFS:
                return
            raise
        raise OSError(f"{self.path} is still writable after remount,abort")

    def cut_power(self):
        """What is neither synced nor in the committed journal will not be there after the next mount."""
        directory = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, EXT4_IOC_SHUTDOWN, struct.pack("I", SHUTDOWN_WITHOUT_LOG_FLUSH))
        finally:
            os.close(directory)

    def start_again(self):
        self.unmount()
        self.mount()


class Filler:
    """A file that takes what is left of a file system."""

    def __init__(self, place):
        self.path = place / "filler"

    def fill(self, leave=0):
        """Leaves `leave` bytes free, as nearly as whole blocks allow."""
        with open(self.path, "ab", buffering=0) as file:
            for size in (1 << 20, 4096):
                try:
                    while self.free() >= leave + size:
                        if file.write(b"\xaa" * size) < size:
                            break
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free(self):
        status = os.statvfs(self.path.parent)
        return status.f_bavail * status.f_frsize

    def remove(self):
        self.path.unlink()


def build_shim(directory):
    path = directory / "eio_shim.so"
    must("cc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", path, HERE / "eio_shim.c", "-ldl", "-pthread")
    return path


NEEDS = {"shim": "a C compiler", "tmpfs": "a mount of a tmpfs", "abort": "an ext4 on a loop device, and remount,abort",
         "power": "an ext4 on a loop device, and its shutdown"}


def missing(need, directory):
    """What this machine lacks of what a scenario needs, or None. Tried out, not guessed."""
    trial = directory / "trial"
    try:
        if need == "shim":
            return None if shutil.which("cc") else NEEDS[need]
        place = Tmpfs(trial, 1) if need == "tmpfs" else Ext4(directory / "trial.img", trial, 8)
        try:
            if need == "power":
                place.cut_power()
            elif need == "abort":
                place.abort()
        finally:
            place.unmount()
        return None
    except OSError as error:
        return f"{NEEDS[need]}: {str(error).splitlines()[0].rsplit(': ', 1)[-1]}"
    finally:
        shutil.rmtree(trial, ignore_errors=True)
        (directory / "trial.img").unlink(missing_ok=True)
