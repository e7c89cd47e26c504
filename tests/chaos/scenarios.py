"""What is done to a broker under load. Each scenario gets a Run and the number of rounds, and raises or leaves a history."""
import os

import place
from harness import broker
from subject import PATIENCE, Run

FAILED_EXIT = 1  # docs/operations.md: the metadata log or the last log dir failed while the broker ran
DISK_EXIT = 6  # the disk cannot be read or written
WAITING = "wait until there is room"


def killing(durability):
    def scenario(stage, rounds):
        run = stage.run(f"kill, durability={durability}", settings={"stele.durability": durability})
        run.start(admin=True)
        for turn in range(rounds):
            run.wait_for_progress()
            run.moment(0.05, 1.5)
            run.process.kill()
            if turn % 2:
                run.start_again_interrupted(kills=run.chance.randint(1, 3))
            else:
                run.start_again()
        run.wait_for_progress()
        run.finish()
    scenario.__doc__ = f"""kill -9 at random moments, durability={durability}; every second start is itself killed, up to
    three times, before it may finish."""
    return scenario


def pause(stage, rounds):
    """SIGSTOP until every client has given up waiting for an answer, then SIGCONT: late requests meet their repetitions."""
    run = stage.run("pause")
    run.start(group=False)
    for each in run.loads:
        each.end()
    run.begin_load({"socket.timeout.ms": 1500, "request.timeout.ms": 1000})
    for _ in range(rounds):
        run.wait_for_progress()
        run.moment(0.05, 1)
        before = [each.errors for each in run.loads]
        run.process.pause()
        broker.wait_for("every client sees an error",
                        lambda: all(each.errors > errors for each, errors in zip(run.loads, before)), PATIENCE)
        run.process.resume()
    run.wait_for_progress()
    run.finish()


def full(stage, rounds):
    """A file system without room: produce is refused, fetch goes on; with room again produce goes on by itself. The
    broker is killed and started on the full file system, too."""
    run = stage.run("full", settings={"stele.log.dir.check.interval.ms": "100"})
    disk = stage.tmpfs(run.layout.log_dirs[0], megabytes=192)
    filler = place.Filler(disk.path)
    run.start(admin=True)
    for turn in range(rounds):
        run.wait_for_progress()
        run.moment(0.05, 1)
        filler.fill(leave=run.chance.choice((0, 4096, 1 << 16, 4 << 20)))
        run.wait_for_refusal()
        run.look()
        exit_code = start_on_full_disk(run) if turn % 2 else None
        filler.remove()
        if exit_code is not None:
            run.process.start()
        run.wait_for_progress()
    run.finish()


def start_on_full_disk(run):
    """The broker serves and refuses records; or it waits for room or ends, where not even the metadata log has any. The
    exit code where it ended."""
    run.process.kill()
    since = run.process.log_size()
    run.process.launch()

    def settled():
        return run.process.logged("ready: ", since) or run.process.logged(WAITING, since) or not run.process.running
    broker.wait_for("the broker serves, waits or ends on a full disk", settled, PATIENCE)
    if run.process.logged("ready: ", since):
        run.process.wait_for_leaders()
        run.wait_for_refusal()
    if run.process.running:
        return None
    if (code := run.process.wait_exit(PATIENCE)) != DISK_EXIT:
        raise broker.BrokerError(f"the broker ended with {code}, not {DISK_EXIT}:\n{run.process.tail()}")
    return code


def read_only_one_of_two(stage, rounds):
    """The second log dir turns read-only: it goes offline alone. After it is mended and the broker started, all goes on."""
    run = stage.run("read-only, one of two log dirs", log_dirs=2)
    disk = stage.ext4(run.layout.log_dirs[1], megabytes=96)
    run.start(group=False)
    for _ in range(rounds):
        run.wait_for_progress()
        run.moment(0.05, 1)
        fail_at_rest(run, disk)
        run.wait_for_refusal(log_dir=1)
        run.wait_for_progress(run.partitions_in(0), count=100)
        run.process.stop()
        disk.start_again()
        run.start_again()
        run.wait_for_progress()
    run.finish()


def read_only(stage, rounds):
    """The only log dir turns read-only: the broker ends by itself with the exit code that says so."""
    run = stage.run("read-only, the only log dir")
    disk = stage.ext4(run.layout.log_dirs[0], megabytes=96)
    run.start()
    for _ in range(rounds):
        run.wait_for_progress()
        run.moment(0.05, 1)
        fail_at_rest(run, disk)
        ends_by_itself(run)
        disk.start_again()
        run.start_again()
    run.wait_for_progress()
    run.finish()


def fail_at_rest(run, disk):
    """Read-only from one moment on. What was written before that moment is on the disk, so that all of it must come back."""
    run.process.pause()
    disk.sync()
    disk.abort()
    run.process.resume()


def ends_by_itself(run):
    try:
        code = run.process.wait_exit(PATIENCE)
    except TimeoutError:
        raise broker.BrokerError("the broker goes on without a log dir") from None
    if code != FAILED_EXIT:
        raise broker.BrokerError(f"the broker ended with {code}, not {FAILED_EXIT}:\n{run.process.tail()}")


def power_loss(stage, rounds):
    """Without power, under durability=replicated: the log opens, and what is missing is one suffix of each partition, past
    its recovery point. The clients end before each loss, since producers may not outlive what they wrote."""
    run = stage.run("power loss, durability=replicated", refusals=True, partitions=1,
                    settings={"log.segment.bytes": "1048576"})  # small ones, so that some of it is synced
    disk = stage.ext4(run.layout.log_dirs[0], megabytes=256)
    run.start(admin=True)
    for _ in range(rounds):
        run.wait_for_progress()
        run.moment(0.05, 6)
        cut_power(run, disk)
        for each in run.loads:
            each.abandon()
        run.reader.end()
        disk.start_again()
        floors = run.recovery_points()
        run.start_again()
        run.group.end()
        run.admin.end()
        run.look(floors)
        run.begin_load()
        run.follow()
        run.begin_commits()
        run.begin_admin()
    run.wait_for_progress()
    run.finish()


def power_loss_synced(stage, rounds):
    """Without power, under durability=synced: nothing acknowledged or read is lost, and the producers live on. In some
    rounds the power goes again during the start."""
    run = stage.run("power loss, durability=synced", settings={"stele.durability": "synced"})
    disk = stage.ext4(run.layout.log_dirs[0], megabytes=256)
    run.start(admin=True)
    for _ in range(rounds):
        run.wait_for_progress()
        run.moment(0.05, 3)
        cut_power(run, disk)
        disk.start_again()
        if run.chance.random() < 0.4:
            run.process.launch()
            run.moment(0, 0.2)
            cut_power(run, disk)
            disk.start_again()
        run.start_again()
    run.wait_for_progress()
    run.finish()


def cut_power(run, disk):
    """Nothing happens between the loss and the end of the process: it is stopped. Left running it would be told lies: an
    fdatasync that is under way while ext4 shuts down may answer success for what will not be there."""
    run.process.pause()
    disk.cut_power()
    run.process.kill()


def failing_metadata(stage, rounds):
    """EIO in the log dir of the metadata log: the broker ends by itself, though another log dir is sound."""
    order = stage.directory / "order"
    run = stage.run("EIO in the metadata log dir", log_dirs=2,
                    environment={"LD_PRELOAD": str(stage.shim()), "STELE_CHAOS_ORDER": str(order)})
    run.start(admin=True)
    for _ in range(rounds):
        run.wait_for_progress()
        run.moment(0.05, 1)
        write_order(order, f"{run.chance.choice(('write', 'short', 'sync'))} {run.layout.log_dirs[0]}")
        ends_by_itself(run)
        order.unlink()
        run.start_again()
    run.wait_for_progress()
    run.finish()


def failing(operation, durability="replicated"):
    def scenario(stage, rounds):
        order = stage.directory / "order"
        run = stage.run(f"EIO, {operation}", log_dirs=2, settings={"stele.durability": durability},
                        environment={"LD_PRELOAD": str(stage.shim()), "STELE_CHAOS_ORDER": str(order)})
        run.start(group=False)
        for _ in range(rounds):
            run.wait_for_progress()
            run.moment(0.05, 1)
            write_order(order, f"{operation} {run.layout.log_dirs[1]}")
            broker.wait_for(f"a {operation} fails", order.with_suffix(".done").exists, PATIENCE)
            run.wait_for_refusal(log_dir=1)
            run.wait_for_progress(run.partitions_in(0), count=100)
            end(run)
            order.unlink()
            order.with_suffix(".done").unlink()
            run.start_again()
            run.wait_for_progress()
        run.finish()
    scenario.__doc__ = f"""EIO ({operation}) in the second log dir, durability={durability}: it goes offline alone; nothing
    that was acknowledged is lost."""
    return scenario


def end(run):
    """By SIGTERM or kill -9, as chance has it."""
    if run.chance.random() < 0.5:
        run.process.stop()
    else:
        run.process.kill()


def write_order(path, text):
    """The shim must never see half an order."""
    path.with_suffix(".new").write_text(text)
    os.rename(path.with_suffix(".new"), path)


# name: (scenario, what it needs, rounds in short, rounds in full)
SCENARIOS = {
    "kill": (killing("replicated"), None, 3, 60),
    "kill-synced": (killing("synced"), None, 0, 40),
    "pause": (pause, None, 1, 12),
    "full": (full, "tmpfs", 2, 16),
    "read-only-one-of-two": (read_only_one_of_two, "abort", 1, 12),
    "read-only": (read_only, "abort", 1, 12),
    "power-loss": (power_loss, "power", 1, 20),
    "power-loss-synced": (power_loss_synced, "power", 1, 40),
    "eio-write": (failing("write"), "shim", 1, 12),
    "eio-short-write": (failing("short"), "shim", 0, 12),
    "eio-sync": (failing("sync"), "shim", 1, 12),
    "eio-metadata": (failing_metadata, "shim", 0, 20),
    "eio-lost-pages-synced": (failing("lose", "synced"), "shim", 1, 12),
}
